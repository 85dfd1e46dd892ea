// The audit log: a row is written in the batch of the change that it tells of, so that there is neither without the other.
import { and, desc, eq, getTableColumns, lt, type SQL, sql } from "drizzle-orm";
import { uuidv7 } from "../../protocol/wire/ids.ts";
import { bounds } from "../bounds.ts";
import type { Database } from "../database.ts";
import { auditLog } from "../tables.ts";

/** Who changes something, and from where. */
export interface Author {
  /** `operator`, `key:<id>`, `person:<person_id>`, `agent:<agent_id>`. */
  actor: string;
  /** The address of the client as the edge knows it, and what its program says of itself. */
  address: string | null;
  userAgent: string | null;
  /** Epoch milliseconds. */
  at: number;
}

/** What is done to what. */
export interface Deed {
  account: string;
  /** `<noun>.<verb>`: `api_key.create`. */
  action: string;
  /** The id of the noun. */
  target: string;
  /** What it was changed to; never a secret. */
  detail?: Record<string, unknown>;
}

/**
 * The statement that logs a change; put it into the batch of the change, after it.
 * @param when writes the row only where this holds then: that the thing which was to be changed is there
 */
export function audited(db: Database, { actor, address, userAgent, at }: Author, deed: Deed, when: SQL = sql`true`) {
  const id = uuidv7(at, crypto.getRandomValues(new Uint8Array(10)));
  const detail = deed.detail === undefined ? null : JSON.stringify(deed.detail);
  // The order of the columns is that of the table.
  return db
    .insert(auditLog)
    .select(
      sql`select ${id}, ${deed.account}, ${at}, ${actor}, ${deed.action}, ${deed.target}, ${address}, ${userAgent}, ${detail} where ${when}`,
    );
}

/** Logs a change that was not made in D1 and so cannot be in its batch: after it. One query. */
export async function logDeed(db: Database, author: Author, deed: Deed): Promise<void> {
  await audited(db, author, deed);
}

/** One change, as it is listed. `at` is epoch milliseconds. */
export type AuditEntry = Omit<typeof auditLog.$inferSelect, "accountId">;

/**
 * One page of an account's log, the newest first. One query.
 * @param options.limit 1–100; more is cut to 100
 * @param options.cursor `next` of the page before
 */
export async function listAudit(
  db: Database,
  account: string,
  options: { limit: number; cursor?: string | undefined },
): Promise<{ entries: AuditEntry[]; next?: string }> {
  const limit = Math.max(1, Math.min(Math.trunc(options.limit), bounds.auditPageMax));
  const { accountId: _, ...columns } = getTableColumns(auditLog);
  const found = await db
    .select(columns)
    .from(auditLog)
    .where(and(eq(auditLog.accountId, account), options.cursor ? lt(auditLog.id, options.cursor) : undefined))
    .orderBy(desc(auditLog.id))
    .limit(limit + 1);
  const entries = found.slice(0, limit);
  const last = entries.at(-1);
  return found.length > limit && last !== undefined ? { entries, next: last.id } : { entries };
}
