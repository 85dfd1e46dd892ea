// Signing up, in and out. These routes are open to everybody, so each counts attempts before it does anything, and answers no page
// of another host. An answer never holds the secret of a sign-in: that is in the cookie alone, where no script reads it.
import type { OpenAPIHono } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import type { Context, MiddlewareHandler } from "hono";
import type { z } from "zod";
import type { ErrorReason } from "../../protocol/wire/errors.ts";
import { bounds } from "../../schema/bounds.ts";
import {
  CreateSignInLink,
  LinkQuery,
  Person,
  SignedOut,
  SignIn,
  SignInLink,
  SignOut,
  SignUp,
} from "../../schema/http-people.ts";
import { isMember, logDeed, sweepSignIns } from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { attempted, proven } from "../identity/attempts.ts";
import { authOf, signsPeopleIn } from "../identity/auth.ts";
import { authorOf } from "../identity/middleware.ts";
import { fromNoForeignPage, fromOwnPage, readAnswered, readSignIn, sentCookie } from "../identity/sign-in.ts";
import { problem } from "../problem.ts";
import { linkTo, noStore } from "./links.ts";
import { refusalOf, setCookies, shownPerson } from "./person.ts";
import { body, json } from "./responses.ts";
import { describedRoute, guardedRoute } from "./route.ts";
import { time } from "./times.ts";

/** What stands before them. A browser says where a change comes from; a program that has no cookie need not. */
const openly: MiddlewareHandler<App> = async (c, next) => {
  const { raw } = c.req;
  const fine = sentCookie(raw.headers) === undefined ? fromNoForeignPage(raw) : fromOwnPage(raw);
  if (!fine) return problem(c, "origin_refused");
  return signsPeopleIn(c.env) ? next() : problem(c, "sign_in_unavailable");
};
const openRefusals: readonly ErrorReason[] = ["origin_refused", "sign_in_unavailable", "too_many_attempts"];

const signUp = describedRoute(
  {
    method: "post",
    path: "/v1/auth/sign-up",
    description:
      "Makes a person, and signs that one in. Then make an account (POST /v1/accounts) or accept an invitation.",
    middleware: openly,
    request: { body: body(SignUp) },
    refuses: ["person_exists"],
    responses: { 201: json(Person, "signed in, by the cookie of this answer") },
  },
  openRefusals,
);

const signIn = describedRoute(
  {
    method: "post",
    path: "/v1/auth/sign-in",
    description: "Signs a person in by e-mail address and password.",
    middleware: openly,
    request: { body: body(SignIn) },
    refuses: ["sign_in_refused"],
    responses: { 200: json(Person, "signed in, by the cookie of this answer") },
  },
  openRefusals,
);

const signOut = describedRoute(
  {
    method: "post",
    path: "/v1/auth/sign-out",
    description: "Ends the sign-in of the cookie that is sent, and takes it back. Safe to repeat.",
    middleware: openly,
    request: { body: body(SignOut) },
    responses: { 200: json(SignedOut, "signed out") },
  },
  openRefusals.slice(0, 2),
);

const follow = describedRoute(
  {
    method: "get",
    path: "/v1/auth/link",
    description: "Where a sign-in link leads: it signs its person in, once, and goes on to GET /docs.",
    middleware: openly,
    request: { query: LinkQuery },
    refuses: ["sign_in_link_invalid"],
    responses: { 302: { description: "signed in, by the cookie of this answer; on to GET /docs" } },
  },
  openRefusals,
);

const createLink = guardedRoute({
  method: "post",
  path: "/v1/sign-in-links",
  description:
    "Makes a link that signs a member of the account in, once, within ten minutes: for the first owner, and for whoever has lost the password. Until a person's address is proven so, following it ends the old password and all sign-ins.",
  access: { permission: "sign-in-links:write" },
  request: { body: body(CreateSignInLink) },
  refuses: ["member_not_found", "sign_in_unavailable"],
  responses: { 201: json(SignInLink, "the link") },
});

/** Answers with whoever was just signed in. */
async function welcome(c: Context<App>, answered: Headers): Promise<z.infer<typeof Person>> {
  const signedIn = await readAnswered(c.env, c.req.raw.headers, answered);
  setCookies(c, answered);
  await sweepSignIns(drizzle(c.env.DB), Date.now());
  return shownPerson(c, signedIn);
}

/** The secret of a sign-in link. What has another form is looked up nowhere. */
const linkSecret = /^[0-9a-f]{64}$/;

export function signInRoutes(app: OpenAPIHono<App>): void {
  app.openapi(signUp, async (c) => {
    const body = c.req.valid("json");
    const refused = await attempted(c);
    if (refused !== undefined) return refused;
    const { headers } = c.req.raw;
    const made = await authOf(c.env).api.signUpEmail({ body, headers, returnHeaders: true }).catch(refusalOf);
    return "statusCode" in made ? problem(c, "person_exists") : c.json(await welcome(c, made.headers), 201, noStore);
  });

  app.openapi(signIn, async (c) => {
    const body = c.req.valid("json");
    const refused = await attempted(c, body.email);
    if (refused !== undefined) return refused;
    const { headers } = c.req.raw;
    const made = await authOf(c.env).api.signInEmail({ body, headers, returnHeaders: true }).catch(refusalOf);
    if ("statusCode" in made) return problem(c, "sign_in_refused");
    await proven(c, body.email);
    return c.json(await welcome(c, made.headers), 200, noStore);
  });

  app.openapi(signOut, async (c) => {
    const { headers } = c.req.raw;
    const { api } = authOf(c.env);
    const signedIn = await readSignIn(c.env, headers);
    if (c.req.valid("json").everywhere && signedIn !== undefined) await api.revokeSessions({ headers });
    setCookies(c, (await api.signOut({ headers, returnHeaders: true })).headers);
    return c.json({ status: "signed_out" as const }, 200, noStore);
  });

  app.openapi(follow, async (c) => {
    // A program that only looks where the link leads must not use it up.
    if (c.req.method === "HEAD") return c.redirect("/docs", 302);
    const { token } = c.req.valid("query");
    const refused = await attempted(c);
    if (refused !== undefined) return refused;
    if (!linkSecret.test(token)) return problem(c, "sign_in_link_invalid");
    const { headers } = c.req.raw;
    const made = await authOf(c.env)
      .api.magicLinkVerify({ query: { token }, headers, returnHeaders: true })
      .catch(refusalOf);
    if ("statusCode" in made) return problem(c, "sign_in_link_invalid");
    setCookies(c, made.headers);
    c.header("Cache-Control", "no-store");
    // The secret stays behind: it is no part of what the next page is told.
    c.header("Referrer-Policy", "no-referrer");
    return c.redirect("/docs", 302);
  });

  app.openapi(createLink, async (c) => {
    if (!signsPeopleIn(c.env)) return problem(c, "sign_in_unavailable");
    const { account } = c.var.principal;
    const { email } = c.req.valid("json");
    const db = drizzle(c.env.DB);
    if (!(await isMember(db, account, email))) return problem(c, "member_not_found");
    const author = authorOf(c);
    // Before the link is there: one that nobody got is harmless, one that nobody knows of is not.
    await logDeed(db, author, { account, action: "sign_in_link.create", target: email });
    let secret = "";
    const auth = authOf(c.env, (made) => {
      secret = made;
    });
    await auth.api.signInMagicLink({ body: { email }, headers: c.req.raw.headers });
    const expiresAt = author.at + bounds.signInLinkSeconds * 1000;
    return c.json({ link: linkTo(c, "/v1/auth/link", secret), expires_at: time(expiresAt) }, 201, noStore);
  });
}
