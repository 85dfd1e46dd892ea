// The index of sessions. SessionObject is the only writer; a write may be repeated or come late, and must not undo a newer one.
import { and, desc, eq, lte, type SQL, sql } from "drizzle-orm";
import { unionAll } from "drizzle-orm/sqlite-core";
import { bounds } from "../bounds.ts";
import type { Database } from "../database.ts";
import { sessions } from "../tables.ts";

/** A session as the index has it. Times are epoch milliseconds. */
export interface SessionRecord {
  account: string;
  id: string;
  initiator: string;
  responder: string;
  state: string;
  /** Why it is in that state (a rejection, a close); left out, an older reason is removed. */
  reason?: string | undefined;
  /** When it was offered; only the first write tells. */
  createdAt: number;
  /** When the state was reached. */
  at: number;
  /** What it has carried: totals, and the number of the report. */
  usage?: { number: number; messages: number; bytes: number; tasks: number };
}

/**
 * Writes the state of a session into the index, unless the index has a newer one. Safe to repeat. One query.
 * `created_at` and the participants stay those of the first write.
 */
export async function saveSession(db: Database, record: SessionRecord): Promise<void> {
  const { account, id, initiator, responder, state, createdAt, at } = record;
  const reason = record.reason ?? null;
  const { number: report = 0, messages = 0, bytes = 0, tasks = 0 } = record.usage ?? {};
  const usage = { report, messages, bytes, tasks };
  await db
    .insert(sessions)
    .values({ accountId: account, id, initiator, responder, state, reason, ...usage, createdAt, updatedAt: at })
    .onConflictDoUpdate({
      target: [sessions.accountId, sessions.id],
      set: { state, reason, ...usage, updatedAt: at },
      setWhere: sql`${lte(sessions.updatedAt, at)} and ${lte(sessions.report, report)}`,
    });
}

/** Takes a session out of the index. Safe to repeat. One query. */
export async function removeSession(db: Database, account: string, id: string): Promise<void> {
  await db.delete(sessions).where(and(eq(sessions.accountId, account), eq(sessions.id, id)));
}

/** A session as lists show it. Times are epoch milliseconds. */
export interface SessionListing {
  session_id: string;
  initiator: string;
  responder: string;
  state: string;
  reason: string | null;
  created_at: number;
  updated_at: number;
}

const listing = {
  session_id: sessions.id,
  initiator: sessions.initiator,
  responder: sessions.responder,
  state: sessions.state,
  reason: sessions.reason,
  created_at: sessions.createdAt,
  updated_at: sessions.updatedAt,
};

/** A place in the list: the session that the page before ended with. */
export type SessionCursor = Pick<SessionListing, "created_at" | "session_id">;

/**
 * One page of the sessions of an account, or of those that an agent takes part in, newest first. One query, which reads about a
 * page of the account's or of either part's index; with `state`, as much more as are in other states.
 * @param agent undefined: whoever takes part
 * @param options.limit 1–100; more is cut to 100
 * @param options.cursor `next` of the page before
 * @returns the page, and `next` when there is more
 */
export async function listSessions(
  db: Database,
  account: string,
  agent: string | undefined,
  options: { state?: string | undefined; limit: number; cursor?: SessionCursor | undefined },
): Promise<{ sessions: SessionListing[]; next?: SessionCursor }> {
  const limit = Math.max(1, Math.min(Math.trunc(options.limit), bounds.sessionsPageMax));
  const { state, cursor } = options;
  const before: SQL | undefined =
    cursor && sql`(${sessions.createdAt}, ${sessions.id}) < (${cursor.created_at}, ${cursor.session_id})`;
  const newest = (part: SQL | undefined) =>
    db
      .select(listing)
      .from(sessions)
      .where(and(eq(sessions.accountId, account), part, before, state ? eq(sessions.state, state) : undefined))
      .orderBy(desc(sessions.createdAt), desc(sessions.id))
      .limit(limit + 1);
  const part = (side: SQL, name: string) => db.select().from(newest(side).as(name));
  const found =
    agent === undefined
      ? await newest(undefined)
      : await unionAll(part(eq(sessions.initiator, agent), "offered"), part(eq(sessions.responder, agent), "taken"))
          .orderBy(sql`created_at DESC`, sql`id DESC`)
          .limit(limit + 1);
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return found.length > limit && last !== undefined ? { sessions: page, next: last } : { sessions: page };
}
