// Attempts to sign in, counted where every machine sees them: passwords are guessed from many places at once, and a count in memory
// would be forgotten with its machine. Keys are hashes, so that the table is no list of strangers.
import { eq, lt, lte, sql } from "drizzle-orm";
import { bounds } from "../bounds.ts";
import type { Database } from "../database.ts";
import { signInAttempts } from "../people-tables.ts";

const { since, count, key: keyColumn } = signInAttempts;

/**
 * Counts one attempt, unless there were too many. One batch; beyond the limit it writes nothing.
 * @param key SHA-256 of what is counted by
 * @returns 0: it may be made; else after how many milliseconds
 */
export async function countAttempt(db: Database, key: string, max: number, nowMs: number): Promise<number> {
  const start = nowMs - bounds.attemptsWindowMs;
  const over = lte(since, start);
  const [, made, [held]] = await db.batch([
    db
      .delete(signInAttempts)
      .where(sql`rowid in (select rowid from ${signInAttempts} where ${lt(since, start)} limit 5)`),
    db
      .insert(signInAttempts)
      .values({ key, count: 1, since: nowMs })
      .onConflictDoUpdate({
        target: keyColumn,
        set: {
          count: sql`case when ${over} then 1 else ${count} + 1 end`,
          since: sql`case when ${over} then ${nowMs} else ${since} end`,
        },
        setWhere: sql`${over} or ${lt(count, max)}`,
      })
      .returning({ key: keyColumn }),
    db.select({ since }).from(signInAttempts).where(eq(keyColumn, key)),
  ]);
  if (made.length > 0) return 0;
  return Math.max(1, (held?.since ?? nowMs) + bounds.attemptsWindowMs - nowMs);
}

/** Forgets the attempts of whoever proved who it is. One query. */
export async function forgetAttempts(db: Database, key: string): Promise<void> {
  await db.delete(signInAttempts).where(eq(keyColumn, key));
}
