// Accounts: made by the operator, renamed by their owners, suspended by the operator. Every change is logged in the account.
import { and, eq, type SQL, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { accounts, type Standing } from "../tables.ts";
import { type Author, audited } from "./audit.ts";

/** `createdAt` is epoch milliseconds; `revision` counts the changes. */
export type AccountListing = typeof accounts.$inferSelect;

export async function findAccount(db: Database, id: string): Promise<AccountListing | undefined> {
  const [account] = await db.select().from(accounts).where(eq(accounts.id, id)).limit(1);
  return account;
}

/**
 * Makes an account. One batch.
 * @returns undefined when there is one of that name
 */
export async function createAccount(
  db: Database,
  id: string,
  name: string,
  author: Author,
): Promise<AccountListing | undefined> {
  const fresh = sql`not exists (select 1 from ${accounts} where ${eq(accounts.id, id)})`;
  const [, made] = await db.batch([
    audited(db, author, { account: id, action: "account.create", target: id, detail: { name } }, fresh),
    db.insert(accounts).values({ id, name, createdAt: author.at }).onConflictDoNothing().returning(),
  ]);
  return made[0];
}

/** What of an account may be changed. */
export interface AccountChange {
  name?: string | undefined;
  status?: Standing | undefined;
}

/**
 * Changes an account. One batch. Closing the live sockets of its agents is the caller's part.
 * @param revision changes only that revision; left out, any
 * @returns the account as it is now, or undefined when there is none, or none of that revision
 */
export async function changeAccount(
  db: Database,
  id: string,
  change: AccountChange,
  revision: number | undefined,
  author: Author,
): Promise<AccountListing | undefined> {
  const own = and(eq(accounts.id, id), revision === undefined ? undefined : eq(accounts.revision, revision));
  const there: SQL = sql`exists (select 1 from ${accounts} where ${own})`;
  const action = change.status === undefined ? "account.change" : `account.${verbs[change.status]}`;
  const [, changed] = await db.batch([
    audited(db, author, { account: id, action, target: id, detail: { ...change } }, there),
    db
      .update(accounts)
      .set({ ...defined(change), revision: sql`${accounts.revision} + 1` })
      .where(own)
      .returning(),
  ]);
  return changed[0];
}

/** How a change of standing is called in the audit log. */
export const verbs: Record<Standing, string> = { active: "activate", suspended: "suspend" };

/** The members that say something. */
export const defined = <T extends object>(change: T): Partial<T> =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as Partial<T>;
