// Whoever is signed in: what that one is called, in which accounts, which of them is asked about, and the password.
import type { OpenAPIHono } from "@hono/zod-openapi";
import { type APIError, isAPIError } from "better-auth/api";
import { drizzle } from "drizzle-orm/d1";
import type { Context } from "hono";
import type { z } from "zod";
import { ChangePassword, ChangePerson, Person } from "../../schema/http-people.ts";
import { describePerson, findMembership, keepAccount } from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { attempted, proven } from "../identity/attempts.ts";
import { authOf } from "../identity/auth.ts";
import { readAnswered, type SignedIn } from "../identity/sign-in.ts";
import { problem } from "../problem.ts";
import { noStore } from "./links.ts";
import { body, json } from "./responses.ts";
import { guardedRoute } from "./route.ts";
import { time } from "./times.ts";

const show = guardedRoute({
  method: "get",
  path: "/v1/person",
  description: "Whoever is signed in, and the accounts that one is a member of.",
  access: { person: true },
  responses: { 200: json(Person, "the person") },
});

const change = guardedRoute({
  method: "patch",
  path: "/v1/person",
  description:
    "Chooses the account that this sign-in asks about from now on, where a request names none by `?account=`.",
  access: { person: true },
  request: { body: body(ChangePerson) },
  responses: { 200: json(Person, "the person as it is now") },
});

const changePassword = guardedRoute({
  method: "post",
  path: "/v1/person/password",
  description:
    "Changes the password, or sets the first one. Every other sign-in of the person is ended, and this one gets another cookie.",
  access: { person: true },
  request: { body: body(ChangePassword) },
  refuses: ["password_refused", "too_many_attempts"],
  responses: { 200: json(Person, "it is changed") },
});

/** Who is signed in, as it is shown. One batch. */
export async function shownPerson(c: Context<App>, signedIn: SignedIn): Promise<z.infer<typeof Person>> {
  const { person, name, email, account, until } = signedIn;
  const { memberships, hasPassword } = await describePerson(drizzle(c.env.DB), person);
  return {
    person_id: person,
    name,
    email,
    has_password: hasPassword,
    signed_in_until: time(until),
    // One that is no member there any more has chosen nothing.
    account: memberships.find((membership) => membership.account === account)?.account ?? null,
    accounts: memberships,
  };
}

/** Whoever a route about a person was let through for; nobody else reaches its handler. */
export function signedInOf({ var: { principal } }: Context<App>): SignedIn {
  if (principal.kind !== "person") throw new Error(`${principal.kind} passed a guard for people`);
  return principal.signedIn;
}

/** better-auth's refusals are answers; its failures are ours. */
export function refusalOf(cause: unknown): APIError {
  if (isAPIError(cause) && cause.statusCode < 500) return cause;
  throw cause;
}

/** Hands on the cookies of better-auth's answer. */
export function setCookies(c: Context<App>, headers: Headers | null): void {
  for (const cookie of headers?.getSetCookie() ?? []) c.header("Set-Cookie", cookie, { append: true });
}

export function personRoutes(app: OpenAPIHono<App>): void {
  app.openapi(show, async (c) => c.json(await shownPerson(c, signedInOf(c)), 200, noStore));

  app.openapi(change, async (c) => {
    const signedIn = signedInOf(c);
    const { account } = c.req.valid("json");
    const known = await findMembership(drizzle(c.env.DB), signedIn.person, account);
    if (known === undefined) return problem(c, "account_not_found");
    const body = { organizationId: account };
    const { headers } = await authOf(c.env).api.setActiveOrganization({
      body,
      headers: c.req.raw.headers,
      returnHeaders: true,
    });
    setCookies(c, headers);
    return c.json(await shownPerson(c, { ...signedIn, account }), 200, noStore);
  });

  app.openapi(changePassword, async (c) => {
    const signedIn = signedInOf(c);
    const { headers } = c.req.raw;
    const { current_password: currentPassword, new_password: newPassword } = c.req.valid("json");
    const db = drizzle(c.env.DB);
    const { hasPassword: chosen } = await describePerson(db, signedIn.person);
    if (chosen !== (currentPassword !== undefined)) return problem(c, "password_refused");
    const { api } = authOf(c.env);
    if (currentPassword === undefined) {
      await api.setPassword({ body: { newPassword }, headers });
      await api.revokeOtherSessions({ headers });
      return c.json(await shownPerson(c, signedIn), 200, noStore);
    }
    const refused = await attempted(c, signedIn.email);
    if (refused !== undefined) return refused;
    const body = { currentPassword, newPassword, revokeOtherSessions: true };
    const changed = await api.changePassword({ body, headers, returnHeaders: true }).catch(refusalOf);
    if ("statusCode" in changed) return problem(c, "password_refused");
    await proven(c, signedIn.email);
    // It is another sign-in from here on, about the same account.
    const fresh = await readAnswered(c.env, headers, changed.headers);
    await keepAccount(db, fresh.signIn, signedIn.account ?? null);
    setCookies(c, changed.headers);
    return c.json(await shownPerson(c, { ...fresh, account: signedIn.account }), 200, noStore);
  });
}
