// People and what they are members of. Who signs in how is better-auth's part; here is what is asked of its rows beside it.
import { and, asc, eq, isNotNull, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { members, passwords, people, signIns } from "../people-tables.ts";
import type { Role } from "../permissions.ts";
import { accounts, type Standing } from "../tables.ts";

/** One account that a person is in. */
export interface Membership {
  account: string;
  name: string;
  status: Standing;
  role: Role;
}

const membership = { account: accounts.id, name: accounts.name, status: accounts.status, role: members.role };

/** What a person is in an account; undefined where that is nothing, or there is no such account. ONE query: what a request costs beside the sign-in. */
export async function findMembership(db: Database, person: string, account: string): Promise<Membership | undefined> {
  const [found] = await db
    .select(membership)
    .from(members)
    .innerJoin(accounts, eq(accounts.id, members.accountId))
    .where(and(eq(members.accountId, account), eq(members.personId, person)))
    .limit(1);
  return found;
}

/** The account that a person has been in for the longest time; a suspended one only where there is no other. One query. */
export async function firstAccountOf(db: Database, person: string): Promise<string | undefined> {
  const [first] = await db
    .select({ account: members.accountId })
    .from(members)
    .innerJoin(accounts, eq(accounts.id, members.accountId))
    .where(eq(members.personId, person))
    .orderBy(sql`${accounts.status} <> 'active'`, asc(members.createdAt), asc(members.accountId))
    .limit(1);
  return first?.account;
}

/** So many accounts of one person are listed. */
const membershipsMax = 200;

/** A person's accounts, the oldest membership first, and whether there is a password. One batch. */
export async function describePerson(
  db: Database,
  person: string,
): Promise<{ memberships: Membership[]; hasPassword: boolean }> {
  const [memberships, chosen] = await db.batch([
    db
      .select(membership)
      .from(members)
      .innerJoin(accounts, eq(accounts.id, members.accountId))
      .where(eq(members.personId, person))
      .orderBy(asc(members.createdAt), asc(members.accountId))
      .limit(membershipsMax),
    db
      .select({ id: passwords.id })
      .from(passwords)
      .where(and(eq(passwords.personId, person), isNotNull(passwords.hash)))
      .limit(1),
  ]);
  return { memberships, hasPassword: chosen.length > 0 };
}

/** Whether somebody of that e-mail address is a member. One query. */
export async function isMember(db: Database, account: string, email: string): Promise<boolean> {
  const found = await db
    .select({ id: people.id })
    .from(members)
    .innerJoin(people, eq(people.id, members.personId))
    .where(and(eq(members.accountId, account), eq(people.email, email)))
    .limit(1);
  return found.length > 0;
}

/** Makes a sign-in about the account that an earlier one was about. One query. */
export async function keepAccount(db: Database, signIn: string, account: string | null): Promise<void> {
  await db.update(signIns).set({ accountId: account }).where(eq(signIns.id, signIn));
}

/** Ends sign-ins that ran out, a few at a time: one that nobody uses again ends by nothing else. One query. */
export async function sweepSignIns(db: Database, nowMs: number): Promise<void> {
  await db
    .delete(signIns)
    .where(sql`rowid in (select rowid from ${signIns} where ${signIns.expiresAt} < ${nowMs} limit 20)`);
}
