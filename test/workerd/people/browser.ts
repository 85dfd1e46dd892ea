// A browser as far as people's routes are concerned: it keeps the cookie, and says which page asks.
import { exports } from "cloudflare:workers";
import { expect } from "vitest";
import type { z } from "zod";
import { Person } from "../../../schema/http-people.ts";
import { administer, origin } from "../worker/fixtures.ts";

export const cookieName = "__Host-agentworks-sign-in";

/** The cookie that an answer gives; "" where it takes it back, undefined where it leaves it. */
export function givenCookie(headers: Headers): string | undefined {
  const [own] = headers.getSetCookie().filter((text) => text.startsWith(`${cookieName}=`));
  return own?.slice(cookieName.length + 1).split(";")[0];
}
export const password = "a password of the tests";

let count = 0;
/** An e-mail address that no other call gave. */
export const freshEmail = () => `person-${++count}@people.example`;

export class Browser {
  cookie: string | undefined;
  /** The page that asks. */
  page: string | null = origin;
  /** From where: each its own, so that attempts are not counted together. */
  address = `2001:db8:0:${(++count).toString(16)}::1`;

  async ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const sent = new Headers({ "CF-Connecting-IP": this.address, "User-Agent": "a browser", ...headers });
    if (this.cookie !== undefined) sent.set("Cookie", `theme=dark; ${cookieName}=${this.cookie}`);
    if (this.page !== null && method !== "GET") sent.set("Origin", this.page);
    if (body !== undefined) sent.set("Content-Type", "application/json");
    const init = { method, headers: sent, redirect: "manual" as const };
    const response = await exports.default.fetch(
      new Request(`${origin}${path}`, body === undefined ? init : { ...init, body: JSON.stringify(body) }),
    );
    const given = givenCookie(response.headers);
    if (given !== undefined) this.cookie = given === "" ? undefined : given;
    return response;
  }

  async expect<T = unknown>(status: number, method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.ask(method, path, body);
    const text = await response.text();
    expect([response.status, text]).toEqual([status, text]);
    return JSON.parse(text) as T;
  }

  person(): Promise<z.infer<typeof Person>> {
    return this.expect(200, "GET", "/v1/person");
  }
}

/** Somebody who has signed up, and is in no account. */
export async function newPerson(
  email = freshEmail(),
  name = "Somebody",
): Promise<Browser & { email: string; id: string }> {
  const browser = new Browser();
  const { person_id: id } = Person.parse(
    await browser.expect(201, "POST", "/v1/auth/sign-up", { name, email, password }),
  );
  return Object.assign(browser, { email, id });
}

/** Somebody who has signed up, and is a member by invitation. */
export async function newMember(role: string, account = "local") {
  const browser = await newPerson();
  const made = await administer("POST", `/v1/invitations?account=${account}`, { email: browser.email, role });
  const { token } = await made.json<{ token: string }>();
  await browser.expect(200, "POST", "/v1/invitations/accept", { token });
  return browser;
}
