// Members: who is in the account, and as what. People come in by invitations (invitations.ts).
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import type { Context } from "hono";
import {
  ChangeMember,
  ListMembersQuery,
  Member,
  MemberPage,
  PersonId,
  RemovedMember,
} from "../../schema/http-people.ts";
import { type Role, roles, type Scope } from "../../schema/permissions.ts";
import { changeRole, listMembers, type MemberListing, removeMember } from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { authorOf } from "../identity/middleware.ts";
import { problem } from "../problem.ts";
import { body, json } from "./responses.ts";
import { guardedRoute } from "./route.ts";
import { readTimeCursor, time } from "./times.ts";

const list = guardedRoute({
  method: "get",
  path: "/v1/members",
  description: "The members of the account, the newest first.",
  access: { permission: "members:read" },
  request: { query: ListMembersQuery },
  responses: { 200: json(MemberPage, "one page of members") },
});

const change = guardedRoute({
  method: "patch",
  path: "/v1/members/{person_id}",
  description:
    "Gives a member another role. Nobody gives what it may not itself, and an account keeps one owner at least.",
  access: { permission: "members:write" },
  request: {
    params: z.object({ person_id: PersonId }),
    body: body(ChangeMember),
  },
  refuses: ["member_not_found", "last_owner"],
  responses: { 200: json(Member, "the member as it is now") },
});

const remove = guardedRoute({
  method: "delete",
  path: "/v1/members/{person_id}",
  description: "Removes a member: the next request in this account is refused. The last owner stays.",
  access: { permission: "members:write" },
  request: { params: z.object({ person_id: PersonId }) },
  refuses: ["member_not_found", "last_owner"],
  responses: { 200: json(RemovedMember, "it is removed") },
});

const shown = ({ person, name, email, role, since }: MemberListing): z.infer<typeof Member> => ({
  person_id: person,
  name,
  email,
  role,
  since: time(since),
});

/** What a role may that whoever gives it may not: with it, nobody would be more by way of somebody else. */
export function beyondOf(c: Context<App>, role: Role): Scope | undefined {
  const { permissions } = c.var.principal;
  return roles[role].find((scope: Scope) => !permissions.has(scope));
}

export function memberRoutes(app: OpenAPIHono<App>): void {
  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const at = readTimeCursor(cursor);
    const place = at && { since: at.at, person: at.id };
    const { members, more } = await listMembers(drizzle(c.env.DB), c.var.principal.account, { limit, cursor: place });
    const last = members.at(-1);
    const next = more && last !== undefined ? { next: `${last.since}.${last.person}` } : {};
    return c.json({ members: members.map(shown), ...next }, 200);
  });

  app.openapi(change, async (c) => {
    const { person_id } = c.req.valid("param");
    const { role } = c.req.valid("json");
    const beyond = beyondOf(c, role);
    if (beyond !== undefined) return problem(c, "permission_denied", { permission: beyond });
    const { account } = c.var.principal;
    const changed = await changeRole(drizzle(c.env.DB), account, person_id, role, authorOf(c));
    if (changed === "last_owner") return problem(c, "last_owner");
    return changed === "absent" ? problem(c, "member_not_found") : c.json(shown(changed), 200);
  });

  app.openapi(remove, async (c) => {
    const { person_id } = c.req.valid("param");
    const done = await removeMember(drizzle(c.env.DB), c.var.principal.account, person_id, authorOf(c));
    if (done === "last_owner") return problem(c, "last_owner");
    return done === "absent" ? problem(c, "member_not_found") : c.json({ person_id, status: done }, 200);
  });
}
