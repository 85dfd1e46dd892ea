// Idempotency keys: claimed by the first request, answered when it is, kept for a day. Every look-up sweeps a few old ones away.
import { and, eq, isNull, lt, or, sql } from "drizzle-orm";
import { bounds } from "../bounds.ts";
import type { Database } from "../database.ts";
import { idempotencyKeys } from "../tables.ts";

/** Who sent which key with what. */
export interface Claim {
  account: string;
  actor: string;
  key: string;
  /** SHA-256 of what was asked. */
  request: string;
  /** Epoch milliseconds. */
  at: number;
}

/** What an earlier request with that key left; null while it is at work. */
export interface Held {
  request: string;
  status: number | null;
  answer: string | null;
}

const own = ({ account, actor, key }: Claim) =>
  and(eq(idempotencyKeys.accountId, account), eq(idempotencyKeys.actor, actor), eq(idempotencyKeys.key, key));

/**
 * Takes the key for this request. One batch.
 * @returns undefined: it is taken, and the request is to be made; else what holds it
 */
export async function claimKey(db: Database, claim: Claim): Promise<Held | undefined> {
  const { account, actor, key, request, at } = claim;
  const old = lt(idempotencyKeys.createdAt, at - bounds.idempotencyKeepMs);
  const abandoned = and(
    isNull(idempotencyKeys.status),
    lt(idempotencyKeys.createdAt, at - bounds.idempotencyPendingMs),
  );
  const few = sql`rowid in (select rowid from ${idempotencyKeys} where ${old} limit 20)`;
  const [, , made, held] = await db.batch([
    db.delete(idempotencyKeys).where(few),
    db.delete(idempotencyKeys).where(and(own(claim), or(old, abandoned))),
    db
      .insert(idempotencyKeys)
      .values({ accountId: account, actor, key, request, createdAt: at })
      .onConflictDoNothing()
      .returning({ key: idempotencyKeys.key }),
    db
      .select({ request: idempotencyKeys.request, status: idempotencyKeys.status, answer: idempotencyKeys.answer })
      .from(idempotencyKeys)
      .where(own(claim))
      .limit(1),
  ]);
  return made.length > 0 ? undefined : held[0];
}

/** Keeps the answer. One query. */
export async function answerClaim(db: Database, claim: Claim, status: number, answer: string): Promise<void> {
  await db.update(idempotencyKeys).set({ status, answer }).where(own(claim));
}

/** Lets go of the key: the request failed, and may be made again at once. One query. */
export async function dropClaim(db: Database, claim: Claim): Promise<void> {
  await db.delete(idempotencyKeys).where(own(claim));
}
