// Invitations: made, listed, revoked, and taken up once. One that is taken up or revoked is gone: the audit log tells of it. Secrets
// come here as hashes only.
import { and, desc, eq, gt, lte, type SQL, sql } from "drizzle-orm";
import { bounds } from "../bounds.ts";
import type { Database } from "../database.ts";
import { invitations, members, people, signIns } from "../people-tables.ts";
import type { Role } from "../permissions.ts";
import { accounts, type Standing } from "../tables.ts";
import { type Author, audited } from "./audit.ts";

/** An invitation as lists show it. Times are epoch milliseconds. */
export interface InvitationListing {
  id: string;
  email: string;
  role: Role;
  invitedBy: string;
  createdAt: number;
  expiresAt: number;
}

const { id, email, role, invitedBy, createdAt, expiresAt } = invitations;
const listing = { id, email, role, invitedBy, createdAt, expiresAt };

/** What whoever has its id is to be judged by, and told. */
export interface InvitationRecord {
  account: string;
  accountName: string;
  accountStatus: Standing;
  secretHash: string;
  email: string;
  role: Role;
  expiresAt: number;
}

/** The record of an invitation that has not run out. One query. */
export async function findInvitation(db: Database, id: string, nowMs: number): Promise<InvitationRecord | undefined> {
  const [record] = await db
    .select({
      account: invitations.accountId,
      accountName: accounts.name,
      accountStatus: accounts.status,
      secretHash: invitations.secretHash,
      email,
      role,
      expiresAt,
    })
    .from(invitations)
    .innerJoin(accounts, eq(accounts.id, invitations.accountId))
    .where(and(eq(invitations.id, id), gt(expiresAt, nowMs)))
    .limit(1);
  return record;
}

/** An invitation to be made. */
export interface NewInvitation {
  id: string;
  account: string;
  email: string;
  role: Role;
  secretHash: string;
  /** Epoch milliseconds. */
  expiresAt: number;
}

/**
 * Makes an invitation in place of an earlier one for the same e-mail address. One batch.
 * @returns why not: there is no such account, whom it is for is a member, or the account is full
 */
export async function createInvitation(
  db: Database,
  made: NewInvitation,
  author: Author,
): Promise<"made" | "account_not_found" | "member_exists" | "too_many_members"> {
  const { account } = made;
  const known = sql`exists (select 1 from ${accounts} where ${accounts.id} = ${account})`;
  const member = sql`exists (select 1 from ${members} join ${people} on ${people.id} = ${members.personId} where ${members.accountId} = ${account} and ${people.email} = ${made.email})`;
  const room = sql`(select count(*) from ${members} where ${members.accountId} = ${account}) + (select count(*) from ${invitations} where ${invitations.accountId} = ${account}) < ${bounds.membersMax}`;
  const there = sql`exists (select 1 from ${invitations} where ${invitations.id} = ${made.id})`;
  const deed = {
    account,
    action: "invitation.create",
    target: made.id,
    detail: { email: made.email, role: made.role },
  };
  const earlier = and(
    eq(invitations.accountId, account),
    sql`(${eq(email, made.email)} or ${lte(expiresAt, author.at)})`,
  );
  const [, rows, , [why]] = await db.batch([
    db.delete(invitations).where(earlier),
    // The order of the columns is that of the table.
    db
      .insert(invitations)
      .select(
        sql`select ${made.id}, ${account}, ${made.email}, ${made.role}, ${made.secretHash}, ${author.actor}, ${author.at}, ${made.expiresAt} where ${known} and not ${member} and ${room}`,
      )
      .returning({ id }),
    audited(db, author, deed, there),
    db.select({ known: sql<number>`${known}`, member: sql<number>`${member}` }).from(sql`(select 1)`),
  ]);
  if (rows.length > 0) return "made";
  if (!why?.known) return "account_not_found";
  return why.member ? "member_exists" : "too_many_members";
}

/**
 * One page of an account's open invitations, the newest first. One query.
 * @param options.limit 1–100; more is cut to 100
 * @param options.cursor the last one of the page before
 */
export async function listInvitations(
  db: Database,
  account: string,
  options: { limit: number; cursor?: Pick<InvitationListing, "createdAt" | "id"> | undefined; now: number },
): Promise<{ invitations: InvitationListing[]; more: boolean }> {
  const limit = Math.max(1, Math.min(Math.trunc(options.limit), bounds.membersPageMax));
  const { cursor } = options;
  const before: SQL | undefined = cursor && sql`(${createdAt}, ${id}) < (${cursor.createdAt}, ${cursor.id})`;
  const found = await db
    .select(listing)
    .from(invitations)
    .where(and(eq(invitations.accountId, account), gt(expiresAt, options.now), before))
    .orderBy(desc(createdAt), desc(id))
    .limit(limit + 1);
  return { invitations: found.slice(0, limit), more: found.length > limit };
}

/**
 * Revokes an open invitation. One batch.
 * @returns false when the account has none of that id
 */
export async function revokeInvitation(db: Database, account: string, which: string, author: Author): Promise<boolean> {
  const own = and(eq(invitations.accountId, account), eq(id, which));
  const there = sql`exists (select 1 from ${invitations} where ${own})`;
  const [, gone] = await db.batch([
    audited(db, author, { account, action: "invitation.revoke", target: which }, there),
    db.delete(invitations).where(own).returning({ id }),
  ]);
  return gone.length > 0;
}

/**
 * Takes an invitation up: the person is a member, whose sign-in is about that account from now on. One batch, which reads the
 * invitation once more: of two that come at once one is late.
 * @returns false when it was not there any more, or not for that person
 */
export async function acceptInvitation(
  db: Database,
  taken: { id: string; account: string; person: string; signIn: string },
  author: Author,
): Promise<boolean> {
  const { account, person } = taken;
  const open = sql`from ${invitations} join ${people} on ${people.email} = ${email} where ${people.id} = ${person} and ${id} = ${taken.id} and ${gt(expiresAt, author.at)}`;
  const member = sql`exists (select 1 from ${members} where ${members.accountId} = ${account} and ${members.personId} = ${person})`;
  const deed = { account, action: "member.join", target: person, detail: { invitation: taken.id } };
  const [, made] = await db.batch([
    audited(db, author, deed, sql`exists (select 1 ${open}) and not ${member}`),
    db
      .insert(members)
      .select(sql`select ${account}, ${person}, ${role}, ${author.at} ${open}`)
      .onConflictDoNothing()
      .returning({ person: members.personId }),
    db
      .update(signIns)
      .set({ accountId: account })
      .where(and(eq(signIns.id, taken.signIn), member)),
    db.delete(invitations).where(and(eq(id, taken.id), sql`exists (select 1 ${open})`)),
  ]);
  return made.length > 0;
}
