// Members of an account: listed, changed, removed. An account that has an owner keeps one: the condition stands in the statement
// that changes, so that two who leave at once cannot both. Every change is logged in its batch.
import { and, desc, eq, type SQL, sql } from "drizzle-orm";
import { bounds } from "../bounds.ts";
import type { Database } from "../database.ts";
import { members, people, signIns } from "../people-tables.ts";
import type { Role } from "../permissions.ts";
import { accounts } from "../tables.ts";
import type { AccountListing } from "./accounts.ts";
import { type Author, audited } from "./audit.ts";

/** A member as lists show it. `since` is epoch milliseconds. */
export interface MemberListing {
  person: string;
  name: string;
  email: string;
  role: Role;
  since: number;
}

const listing = {
  person: people.id,
  name: people.name,
  email: people.email,
  role: members.role,
  since: members.createdAt,
};

const own = (account: string, person: string) => and(eq(members.accountId, account), eq(members.personId, person));

const listed = (db: Database) => db.select(listing).from(members).innerJoin(people, eq(people.id, members.personId));

/**
 * One page of an account's members, the newest first. One query.
 * @param options.limit 1–100; more is cut to 100
 * @param options.cursor the last one of the page before
 */
export async function listMembers(
  db: Database,
  account: string,
  options: { limit: number; cursor?: Pick<MemberListing, "since" | "person"> | undefined },
): Promise<{ members: MemberListing[]; more: boolean }> {
  const limit = Math.max(1, Math.min(Math.trunc(options.limit), bounds.membersPageMax));
  const { cursor } = options;
  const before: SQL | undefined =
    cursor && sql`(${members.createdAt}, ${members.personId}) < (${cursor.since}, ${cursor.person})`;
  const found = await listed(db)
    .where(and(eq(members.accountId, account), before))
    .orderBy(desc(members.createdAt), desc(members.personId))
    .limit(limit + 1);
  return { members: found.slice(0, limit), more: found.length > limit };
}

/** Somebody else is an owner too. */
const otherOwner = (account: string, person: string) =>
  sql`exists (select 1 from ${members} where ${members.accountId} = ${account} and ${members.role} = 'owner' and ${members.personId} <> ${person})`;

/** Whether a change came about, and if not, why not. */
export type Changed<T> = T | "absent" | "last_owner";

/** Gives a member another role; the same one again changes nothing and is not logged. One batch. */
export async function changeRole(
  db: Database,
  account: string,
  person: string,
  role: Role,
  author: Author,
): Promise<Changed<MemberListing>> {
  const may = role === "owner" ? sql`true` : sql`(${members.role} <> 'owner' or ${otherOwner(account, person)})`;
  const differs = sql`exists (select 1 from ${members} where ${own(account, person)} and ${members.role} <> ${role} and ${may})`;
  const deed = { account, action: "member.change", target: person, detail: { role } };
  const [, , [member]] = await db.batch([
    audited(db, author, deed, differs),
    db
      .update(members)
      .set({ role })
      .where(and(own(account, person), may)),
    listed(db).where(own(account, person)),
  ]);
  if (member === undefined) return "absent";
  return member.role === role ? member : "last_owner";
}

/** Removes a member. What that one has signed in to goes on, and sees this account no more. One batch. */
export async function removeMember(
  db: Database,
  account: string,
  person: string,
  author: Author,
): Promise<Changed<"removed">> {
  const may = and(own(account, person), sql`(${members.role} <> 'owner' or ${otherOwner(account, person)})`);
  const there = sql`exists (select 1 from ${members} where ${may})`;
  const [, removed, left] = await db.batch([
    audited(db, author, { account, action: "member.remove", target: person }, there),
    db.delete(members).where(may).returning({ person: members.personId }),
    db.select({ person: members.personId }).from(members).where(own(account, person)),
  ]);
  if (removed.length > 0) return "removed";
  return left.length > 0 ? "last_owner" : "absent";
}

/**
 * Makes an account whose owner is a person, and which that one's sign-in is about from now on. One batch.
 * @returns undefined when the person owns as many as one may
 */
export async function createOwnAccount(
  db: Database,
  made: { id: string; name: string; person: string; signIn: string },
  author: Author,
): Promise<AccountListing | undefined> {
  const { id, name, person, signIn } = made;
  const room = sql`(select count(*) from ${members} where ${members.personId} = ${person} and ${members.role} = 'owner') < ${bounds.accountsOwnedMax}`;
  const there = sql`exists (select 1 from ${accounts} where ${accounts.id} = ${id})`;
  const deed = { account: id, action: "account.create", target: id, detail: { name, owner: person } };
  const [account] = await db.batch([
    // The order of the columns is that of the tables.
    db.insert(accounts).select(sql`select ${id}, ${name}, 'active', ${author.at}, 1 where ${room}`).returning(),
    db.insert(members).select(sql`select ${id}, ${person}, 'owner', ${author.at} where ${there}`),
    db
      .update(signIns)
      .set({ accountId: id })
      .where(and(eq(signIns.id, signIn), there)),
    audited(db, author, deed, there),
  ]);
  return account[0];
}
