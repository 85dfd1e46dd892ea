// Who is signed in, by the cookie of a request, and whether a page of ours asks. The cookie alone proves a person for reading; for a
// change the browser must say, by `Origin`, that the asking page is of this very host: a cookie goes along with any page's request.

import type { Env } from "../env.ts";
import { authOf, signInCookie, signsPeopleIn } from "./auth.ts";

/** A person that is signed in. */
export interface SignedIn {
  person: string;
  name: string;
  email: string;
  /** The sign-in's own id: not its secret. */
  signIn: string;
  /** The account that it is about where a request names none. */
  account: string | undefined;
  /** Epoch milliseconds. */
  until: number;
  /** `Set-Cookie` of a sign-in that was prolonged. */
  cookies: string[];
}

/** The cookie, as it was sent: two of one name are none of ours. undefined: none was sent. */
export function sentCookie(headers: Headers): string | undefined {
  const sent = (headers.get("Cookie") ?? "").split(";").map((part) => part.trim());
  const [own, ...more] = sent.filter((part) => part.startsWith(`${signInCookie}=`));
  return more.length > 0 ? "" : own?.slice(signInCookie.length + 1);
}

/** Who the cookie stands for; undefined where that is nobody any more. Two D1 queries, three where the sign-in is prolonged. */
export async function readSignIn(env: Env, headers: Headers): Promise<SignedIn | undefined> {
  if (!signsPeopleIn(env) || !sentCookie(headers)) return undefined;
  const { response, headers: answered } = await authOf(env).api.getSession({ headers, returnHeaders: true });
  if (response === null) return undefined;
  const { user, session } = response;
  return {
    person: user.id,
    name: user.name,
    email: user.email,
    signIn: session.id,
    account: session.activeOrganizationId ?? undefined,
    until: session.expiresAt.getTime(),
    cookies: answered.getSetCookie(),
  };
}

/** Who was signed in by an answer of better-auth's: its cookie is read as if it had come with the request. */
export async function readAnswered(env: Env, headers: Headers, answered: Headers): Promise<SignedIn> {
  const own = answered.getSetCookie().find((cookie) => cookie.startsWith(`${signInCookie}=`));
  const asked = new Headers(headers);
  asked.set("Cookie", own?.split(";")[0] ?? "");
  const signedIn = await readSignIn(env, asked);
  if (signedIn === undefined) throw new Error("signed in, and not");
  return signedIn;
}

const safe = new Set(["GET", "HEAD"]);

/** Whether a request may change something as far as its page goes. Pages of people are on TLS: a page without it is of somebody else. */
export function fromOwnPage({ method, headers, url }: Request): boolean {
  return safe.has(method) || headers.get("Origin") === `https://${new URL(url).host}`;
}

/** The same for a request that proves who asks by itself: programs send no `Origin`, and a browser cannot leave it out. */
export const fromNoForeignPage = (request: Request): boolean =>
  request.headers.get("Origin") === null || fromOwnPage(request);
