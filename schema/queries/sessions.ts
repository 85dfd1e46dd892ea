// The index of sessions. SessionObject is the only writer; a write may be repeated or come late, and must not undo a newer one.
import { lte } from "drizzle-orm";
import type { Database } from "../database.ts";
import { sessions } from "../tables.ts";

/** A session as the index has it. `at` is when the state was reached, epoch milliseconds. */
export interface SessionRecord {
  account: string;
  id: string;
  initiator: string;
  responder: string;
  state: string;
  /** Why it is in that state (a rejection, a close); left out, an older reason is removed. */
  reason?: string | undefined;
  at: number;
}

/**
 * Writes the state of a session into the index, unless the index has a newer one. Safe to repeat. One query.
 * `created_at` is the time of the first write, and the participants stay those of the first write.
 */
export async function saveSession(db: Database, record: SessionRecord): Promise<void> {
  const { account, id, initiator, responder, state, at } = record;
  const reason = record.reason ?? null;
  await db
    .insert(sessions)
    .values({ accountId: account, id, initiator, responder, state, reason, createdAt: at, updatedAt: at })
    .onConflictDoUpdate({
      target: [sessions.accountId, sessions.id],
      set: { state, reason, updatedAt: at },
      setWhere: lte(sessions.updatedAt, at),
    });
}
