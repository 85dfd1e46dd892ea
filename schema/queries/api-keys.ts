// API keys: what one stands for, and their making and ending. Secrets come here as hashes only.
import { and, desc, eq, isNull, lte, or, type SQL, sql } from "drizzle-orm";
import { bounds } from "../bounds.ts";
import type { Database } from "../database.ts";
import type { Scope } from "../permissions.ts";
import { accounts, apiKeys, type Standing } from "../tables.ts";
import { type Author, audited } from "./audit.ts";

/** A key as lists show it. Times are epoch milliseconds. */
export interface ApiKeyListing {
  id: string;
  name: string;
  scopes: Scope[];
  createdBy: string;
  createdAt: number;
  expiresAt: number | null;
  lastUsedAt: number | null;
  revokedAt: number | null;
}

const listing = {
  id: apiKeys.id,
  name: apiKeys.name,
  scopes: apiKeys.scopes,
  createdBy: apiKeys.createdBy,
  createdAt: apiKeys.createdAt,
  expiresAt: apiKeys.expiresAt,
  lastUsedAt: apiKeys.lastUsedAt,
  revokedAt: apiKeys.revokedAt,
};

/** Whose a key is, and what it may. Judging it is the caller's part. */
export interface ApiKeyRecord {
  account: string;
  accountStatus: Standing;
  secretHash: string;
  scopes: Scope[];
  expiresAt: number | null;
  lastUsedAt: number | null;
  revokedAt: number | null;
}

/** The record of a key. ONE query: it is what a request by key costs. */
export async function findApiKey(db: Database, id: string): Promise<ApiKeyRecord | undefined> {
  const { secretHash, scopes, expiresAt, lastUsedAt, revokedAt } = apiKeys;
  const [record] = await db
    .select({
      account: apiKeys.accountId,
      accountStatus: accounts.status,
      secretHash,
      scopes,
      expiresAt,
      lastUsedAt,
      revokedAt,
    })
    .from(apiKeys)
    .innerJoin(accounts, eq(accounts.id, apiKeys.accountId))
    .where(eq(apiKeys.id, id))
    .limit(1);
  return record;
}

/** Notes that a key was used, unless that was noted within the hour. One query. */
export async function touchApiKey(db: Database, id: string, nowMs: number): Promise<void> {
  const due = or(isNull(apiKeys.lastUsedAt), lte(apiKeys.lastUsedAt, nowMs - bounds.lastUsedEveryMs));
  await db
    .update(apiKeys)
    .set({ lastUsedAt: nowMs })
    .where(and(eq(apiKeys.id, id), due));
}

/** A key to be made. */
export interface NewApiKey {
  id: string;
  account: string;
  name: string;
  secretHash: string;
  scopes: Scope[];
  /** Epoch milliseconds; null: it does not end by itself. */
  expiresAt: number | null;
}

/**
 * Makes a key, and logs it. One batch.
 * @returns false when there is no such account
 */
export async function createApiKey(db: Database, key: NewApiKey, author: Author): Promise<boolean> {
  const { id, account, name, secretHash, scopes, expiresAt } = key;
  const known = sql`exists (select 1 from ${accounts} where ${accounts.id} = ${account})`;
  // The order of the columns is that of the table.
  const made = db
    .insert(apiKeys)
    .select(
      sql`select ${id}, ${account}, ${name}, ${secretHash}, ${JSON.stringify(scopes)}, ${author.actor}, ${author.at}, ${expiresAt}, null, null where ${known}`,
    )
    .returning({ id: apiKeys.id });
  const deed = { account, action: "api_key.create", target: id, detail: { name, scopes, expires_at: expiresAt } };
  const [rows] = await db.batch([made, audited(db, author, deed, known)]);
  return rows.length > 0;
}

/**
 * One page of an account's keys, the newest first, revoked ones too. One query.
 * @param options.limit 1–100; more is cut to 100
 * @param options.cursor the last one of the page before
 */
export async function listApiKeys(
  db: Database,
  account: string,
  options: { limit: number; cursor?: Pick<ApiKeyListing, "createdAt" | "id"> | undefined },
): Promise<{ keys: ApiKeyListing[]; more: boolean }> {
  const limit = Math.max(1, Math.min(Math.trunc(options.limit), bounds.apiKeysPageMax));
  const { cursor } = options;
  const before: SQL | undefined =
    cursor && sql`(${apiKeys.createdAt}, ${apiKeys.id}) < (${cursor.createdAt}, ${cursor.id})`;
  const found = await db
    .select(listing)
    .from(apiKeys)
    .where(and(eq(apiKeys.accountId, account), before))
    .orderBy(desc(apiKeys.createdAt), desc(apiKeys.id))
    .limit(limit + 1);
  return { keys: found.slice(0, limit), more: found.length > limit };
}

/**
 * Revokes a key for ever, and logs it; repeating it keeps the first time. One batch.
 * @returns the key as it is now, or undefined when the account has none of that id
 */
export async function revokeApiKey(
  db: Database,
  account: string,
  id: string,
  author: Author,
): Promise<ApiKeyListing | undefined> {
  const own = and(eq(apiKeys.accountId, account), eq(apiKeys.id, id));
  const live = sql`exists (select 1 from ${apiKeys} where ${own} and ${isNull(apiKeys.revokedAt)})`;
  const deed = { account, action: "api_key.revoke", target: id };
  const [, rows] = await db.batch([
    // First: afterwards it is revoked in any case, and a repetition is no change.
    audited(db, author, deed, live),
    db
      .update(apiKeys)
      .set({ revokedAt: sql`coalesce(${apiKeys.revokedAt}, ${author.at})` })
      .where(own)
      .returning(listing),
  ]);
  return rows[0];
}
