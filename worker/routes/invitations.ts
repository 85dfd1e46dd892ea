// Invitations: made for an e-mail address, handed on by whoever made them, since no mail is sent; taken up once, by whoever is signed
// in under that address.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import { bounds } from "../../schema/bounds.ts";
import {
  AcceptInvitation,
  CreatedInvitation,
  CreateInvitation,
  type Invitation,
  InvitationId,
  InvitationPage,
  LinkQuery,
  ListMembersQuery,
  Person,
  RevokedInvitation,
  ShownInvitation,
} from "../../schema/http-people.ts";
import {
  acceptInvitation,
  createInvitation,
  findInvitation,
  type InvitationListing,
  type InvitationRecord,
  listInvitations,
  revokeInvitation,
} from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { attempted } from "../identity/attempts.ts";
import { hashSecret, invitationForm } from "../identity/bearer.ts";
import { authorOf } from "../identity/middleware.ts";
import { equalInConstantTime } from "../identity/secrets.ts";
import { problem } from "../problem.ts";
import { linkTo, noStore } from "./links.ts";
import { beyondOf } from "./members.ts";
import { shownPerson, signedInOf } from "./person.ts";
import { body, json } from "./responses.ts";
import { describedRoute, guardedRoute } from "./route.ts";
import { readTimeCursor, time } from "./times.ts";

const create = guardedRoute({
  method: "post",
  path: "/v1/invitations",
  description:
    "Invites somebody into the account. The answer has a link that works once, which is shown this once: no mail is sent, so hand it on. An earlier invitation for the same address ends.",
  access: { permission: "members:write" },
  request: { body: body(CreateInvitation) },
  refuses: ["member_exists", "too_many_members"],
  responses: { 201: json(CreatedInvitation, "the invitation") },
});

const list = guardedRoute({
  method: "get",
  path: "/v1/invitations",
  description: "The open invitations of the account, the newest first.",
  access: { permission: "members:read" },
  request: { query: ListMembersQuery },
  responses: { 200: json(InvitationPage, "one page of invitations") },
});

const revoke = guardedRoute({
  method: "delete",
  path: "/v1/invitations/{invitation_id}",
  description: "Revokes an open invitation: its link works no more.",
  access: { permission: "members:write" },
  request: { params: z.object({ invitation_id: InvitationId }) },
  refuses: ["invitation_not_found"],
  responses: { 200: json(RevokedInvitation, "it is revoked") },
});

const look = describedRoute({
  method: "get",
  path: "/v1/auth/invitation",
  description:
    "Where the link of an invitation leads: what it is to. To take it up, sign in with that e-mail address, and POST /v1/invitations/accept with the token.",
  request: { query: LinkQuery },
  refuses: ["invitation_invalid", "too_many_attempts"],
  responses: { 200: json(ShownInvitation, "the invitation") },
});

const accept = guardedRoute({
  method: "post",
  path: "/v1/invitations/accept",
  description: "Takes an invitation up: whoever is signed in is a member, and asks about that account from now on.",
  access: { person: true },
  request: { body: body(AcceptInvitation) },
  refuses: ["invitation_invalid", "account_suspended"],
  responses: { 200: json(Person, "the person, with the new account") },
});

const shown = ({
  id,
  email,
  role,
  invitedBy,
  createdAt,
  expiresAt,
}: InvitationListing): z.infer<typeof Invitation> => ({
  invitation_id: id,
  email,
  role,
  invited_by: invitedBy,
  created_at: time(createdAt),
  expires_at: time(expiresAt),
});

/** The invitation of a token; undefined where it is unknown, expired or guessed: nobody learns which. */
async function invitationOf(db: D1Database, token: string): Promise<(InvitationRecord & { id: string }) | undefined> {
  const read = invitationForm.read(token);
  if (read === undefined) return undefined;
  const [record, hash] = await Promise.all([findInvitation(drizzle(db), read.id, Date.now()), hashSecret(read.secret)]);
  const proven = await equalInConstantTime(record?.secretHash ?? "", hash);
  return record === undefined || !proven ? undefined : { ...record, id: read.id };
}

export function invitationRoutes(app: OpenAPIHono<App>): void {
  app.openapi(create, async (c) => {
    const { account } = c.var.principal;
    const { email, role } = c.req.valid("json");
    const beyond = beyondOf(c, role);
    if (beyond !== undefined) return problem(c, "permission_denied", { permission: beyond });
    const author = authorOf(c);
    const { id, secret, text: token } = invitationForm.mint();
    const expiresAt = author.at + bounds.invitationDays * 24 * 3_600_000;
    const invitation = { id, account, email, role, expiresAt, secretHash: await hashSecret(secret) };
    const done = await createInvitation(drizzle(c.env.DB), invitation, author);
    if (done !== "made") return problem(c, done);
    const made = shown({ ...invitation, invitedBy: author.actor, createdAt: author.at });
    return c.json({ ...made, token, link: linkTo(c, "/v1/auth/invitation", token) }, 201, noStore);
  });

  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const at = readTimeCursor(cursor);
    const options = { limit, cursor: at && { createdAt: at.at, id: at.id }, now: Date.now() };
    const { invitations, more } = await listInvitations(drizzle(c.env.DB), c.var.principal.account, options);
    const last = invitations.at(-1);
    const next = more && last !== undefined ? { next: `${last.createdAt}.${last.id}` } : {};
    return c.json({ invitations: invitations.map(shown), ...next }, 200);
  });

  app.openapi(revoke, async (c) => {
    const { invitation_id } = c.req.valid("param");
    const { account } = c.var.principal;
    const done = await revokeInvitation(drizzle(c.env.DB), account, invitation_id, authorOf(c));
    return done ? c.json({ invitation_id, status: "revoked" as const }, 200) : problem(c, "invitation_not_found");
  });

  app.openapi(look, async (c) => {
    const refused = await attempted(c);
    if (refused !== undefined) return refused;
    const found = await invitationOf(c.env.DB, c.req.valid("query").token);
    if (found === undefined) return problem(c, "invitation_invalid");
    const { accountName: account_name, email, role, expiresAt } = found;
    return c.json({ account_name, email, role, expires_at: time(expiresAt) }, 200, noStore);
  });

  app.openapi(accept, async (c) => {
    const signedIn = signedInOf(c);
    const found = await invitationOf(c.env.DB, c.req.valid("json").token);
    // Whoever has a link that is for somebody else is told no more than whoever guessed one.
    if (found === undefined || found.email !== signedIn.email) return problem(c, "invitation_invalid");
    if (found.accountStatus !== "active") return problem(c, "account_suspended");
    const { account } = found;
    const taken = { id: found.id, account, person: signedIn.person, signIn: signedIn.signIn };
    if (!(await acceptInvitation(drizzle(c.env.DB), taken, authorOf(c)))) return problem(c, "invitation_invalid");
    return c.json(await shownPerson(c, { ...signedIn, account }), 200, noStore);
  });
}
