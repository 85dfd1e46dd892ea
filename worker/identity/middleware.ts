// What stands before routes, as Hono middleware: the edge's proof, an agent's identity for upgrades, and who may what.
import type { Context, MiddlewareHandler } from "hono";
import { bounds } from "../../schema/bounds.ts";
import type { Permission } from "../../schema/permissions.ts";
import type { Author } from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { idempotently } from "../idempotency.ts";
import { problem } from "../problem.ts";
import { limited } from "../rate-limit.ts";
import { recognized } from "../strangers.ts";
import { identify } from "./identity.ts";
import { authenticate, type Principal } from "./principal.ts";
import { provesEdge } from "./secrets.ts";
import { fromOwnPage, readSignIn, type SignedIn, sentCookie } from "./sign-in.ts";

/** Refuses what did not come through the edge, where an edge is configured. Before everything else, `/health` too. */
export const throughEdge: MiddlewareHandler<App> = async (c, next) => {
  const proof = c.req.raw.headers.get("X-Agentworks-Edge");
  return (await provesEdge(c.env.EDGE_SECRET, proof)) ? next() : problem(c, "edge_required");
};

/** Puts the identity of the client certificate into `c.var.identity`, or refuses. */
export const identified: MiddlewareHandler<App> = async (c, next) => {
  const seen = await recognized(c, () => identify(c.req.raw.cf, c.env.DB, Date.now()));
  if ("refusal" in seen) return seen.refusal;
  c.set("identity", seen.found);
  return next();
};

/** What a route asks of whoever calls it. */
export type Access =
  | {
      /** What API keys, members and the operator need. */
      permission: Permission;
      /** Agents may, by their certificate, what concerns themselves; narrowing the answer to that is the handler's part. */
      agents?: boolean;
      /** People who are signed in may, whatever account they are in or none; they are no members then. */
      people?: boolean;
    }
  /** Only whoever is signed in, about that very person. */
  | { person: true }
  /** Only whoever has an enrolment token. */
  | { enrolment: true };

/** What a route needs, as the document and refusals say it. */
export const permissionOf = (access: Access): Permission | "enrolment" | "person" =>
  "enrolment" in access ? "enrolment" : "person" in access ? "person" : access.permission;

const aboutPerson = (access: Access): boolean => "person" in access || ("people" in access && access.people === true);

function may(principal: Principal, access: Access): boolean {
  if ("enrolment" in access) return principal.kind === "enrolment";
  if ("person" in access) return principal.kind === "person";
  switch (principal.kind) {
    case "agent":
      return access.agents ?? false;
    case "enrolment":
      return false;
    case "person":
      return access.people ?? false;
    case "key":
    case "member":
    case "operator":
      return principal.permissions.has(access.permission);
  }
}

/** Puts whoever asks into `c.var.principal`, or refuses: first those who are nobody, then those who may not. */
export const guarded = (access: Access): MiddlewareHandler<App> =>
  async function guard(c, next) {
    const { headers, cf } = c.req.raw;
    const authorization = headers.get("Authorization");
    const byCookie = authorization === null && sentCookie(headers) !== undefined;
    // Before anything is read of the cookie: a foreign page learns nothing by it.
    if (byCookie && !fromOwnPage(c.req.raw)) return problem(c, "origin_refused");
    const asking = {
      authorization,
      cf,
      account: c.req.query("account"),
      enrols: "enrolment" in access,
      signIn: byCookie ? () => readSignIn(c.env, headers) : undefined,
      aboutPerson: aboutPerson(access),
    };
    const trust = { db: c.env.DB, operatorToken: c.env.ADMIN_TOKEN, now: Date.now() };
    const seen = await recognized(c, () => authenticate(asking, trust));
    if ("refusal" in seen) return seen.refusal;
    const principal = seen.found;
    if ("signedIn" in principal) keepCookies(c, principal.signedIn);
    const refused = await limited(c, principal);
    if (refused !== undefined) return refused;
    if (!may(principal, access)) {
      return problem(c, "permission_denied", { permission: permissionOf(access) });
    }
    // Only the operator and members choose an account. Whether there is one of that name is nobody else's business.
    if (asking.account !== undefined && asking.account !== principal.account) {
      return problem(c, "account_not_found");
    }
    c.set("principal", principal);
    const key = c.req.method === "POST" ? c.req.header("Idempotency-Key") : undefined;
    return key === undefined ? next() : idempotently(c, key, next);
  };

/** Prolongs the cookie where the sign-in was. */
function keepCookies(c: Context<App>, { cookies }: SignedIn): void {
  for (const cookie of cookies) c.header("Set-Cookie", cookie, { append: true });
}

/** Who changes something, for the audit log. Behind `guarded` only. */
export function authorOf(c: Context<App>): Author {
  const { headers } = c.req.raw;
  return {
    actor: c.var.principal.actor,
    address: headers.get("CF-Connecting-IP"),
    userAgent: headers.get("User-Agent")?.slice(0, bounds.userAgentCharsMax) ?? null,
    at: Date.now(),
  };
}
