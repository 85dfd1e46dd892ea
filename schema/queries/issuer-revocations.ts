// What the issuers of certificates have still to be told. The registry keeps a revoked certificate out by itself; this is so that none
// stays good in its issuer's book, whatever fails on the way.
import { and, eq, inArray, isNotNull, lt, type SQL, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { certificates, type Issuer, issuerRevocations } from "../tables.ts";

/** For the batch that revokes, before the revocation: notes those of the certificates that are active and in an issuer's book. */
export function notedForIssuer(db: Database, which: SQL | undefined, nowMs: number) {
  const kept = and(which, eq(certificates.status, "active"), isNotNull(certificates.issuerReference));
  return (
    db
      .insert(issuerRevocations)
      // The order of the columns is that of the table.
      .select(
        sql`select ${certificates.issuerReference}, ${certificates.issuer}, ${certificates.fingerprint}, ${certificates.notAfter}, ${nowMs}, 0, null from ${certificates} where ${kept}`,
      )
      .onConflictDoNothing()
  );
}

/** A certificate that is in an issuer's book, and good there. */
export interface IssuerRevocation {
  reference: string;
  issuer: Issuer;
  fingerprint: string | null;
  /** Epoch milliseconds. */
  notAfter: number;
}

/** Notes one that was issued, and that the registry does not have. One query. */
export async function noteIssuerRevocation(db: Database, one: IssuerRevocation, nowMs: number): Promise<void> {
  await db
    .insert(issuerRevocations)
    .values({ ...one, createdAt: nowMs })
    .onConflictDoNothing();
}

/**
 * What an issuer has still to be told, those that were tried the longest ago first; what has expired meanwhile is forgotten. One batch.
 * @param limit how many at most
 */
export async function pendingIssuerRevocations(
  db: Database,
  issuer: Issuer,
  limit: number,
  nowMs: number,
): Promise<{ reference: string; attempts: number }[]> {
  const [, pending] = await db.batch([
    db.delete(issuerRevocations).where(lt(issuerRevocations.notAfter, nowMs)),
    db
      .select({ reference: issuerRevocations.reference, attempts: issuerRevocations.attempts })
      .from(issuerRevocations)
      .where(eq(issuerRevocations.issuer, issuer))
      .orderBy(sql`coalesce(${issuerRevocations.triedAt}, 0)`, issuerRevocations.reference)
      .limit(limit),
  ]);
  return pending;
}

/** Notes what became of telling: the issuer knows of `told`, and has to be asked again about `failed`. One batch. */
export async function saveIssuerAnswers(
  db: Database,
  { told, failed }: { told: string[]; failed: string[] },
  nowMs: number,
): Promise<void> {
  await db.batch([
    db.delete(issuerRevocations).where(inArray(issuerRevocations.reference, told)),
    db
      .update(issuerRevocations)
      .set({ attempts: sql`${issuerRevocations.attempts} + 1`, triedAt: nowMs })
      .where(inArray(issuerRevocations.reference, failed)),
  ]);
}
