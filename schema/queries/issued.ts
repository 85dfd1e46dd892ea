// Certificates that we issue: what must hold when one is registered, and the enrolment tokens by which machines ask for theirs.
import { and, desc, eq, exists, gt, isNull, lte, type SQL, sql } from "drizzle-orm";
import { bounds } from "../bounds.ts";
import type { Database } from "../database.ts";
import {
  accounts,
  agents,
  type CertificateStatus,
  certificates,
  enrolmentTokens,
  type Issuer,
  issuerRevocations,
} from "../tables.ts";
import { type Author, audited } from "./audit.ts";
import type { CertificateRecord } from "./certificates.ts";

/** A certificate that was issued here. */
export interface IssuedRecord extends Omit<CertificateRecord, "createAccount"> {
  issuer: Issuer;
  reference: string | null;
  /** PEM: the certificate, and the CAs above it. */
  certificate: string;
  chain: string;
}

/** By which right a certificate is asked for. */
export type CertificateClaim =
  /** Somebody with the permission. */
  | { by: "permission" }
  /** The agent itself, by its present certificate. */
  | { by: "renewal"; from: string }
  /** A machine, by a token that then has been used. */
  | { by: "enrolment"; token: string };

/** The agent of that name, as far as it was not deleted. */
const named = (account: string, agent: string) =>
  and(eq(agents.accountId, account), eq(agents.id, agent), isNull(agents.deletedAt));

/** What must hold at the moment of registering, whatever held when it was asked. */
function holds(db: Database, { account, agent }: IssuedRecord, claim: CertificateClaim, now: number): SQL {
  const one = { one: sql`1` };
  const certified = and(eq(agents.accountId, certificates.accountId), eq(agents.id, certificates.agentId));
  switch (claim.by) {
    case "permission":
      return exists(db.select(one).from(agents).where(named(account, agent)));
    case "renewal": {
      const present = and(eq(certificates.fingerprint, claim.from), eq(certificates.status, "active"));
      const active = and(named(account, agent), eq(agents.status, "active"));
      return exists(db.select(one).from(certificates).innerJoin(agents, certified).where(and(present, active)));
    }
    case "enrolment":
      return exists(
        db
          .select(one)
          .from(enrolmentTokens)
          .innerJoin(agents, named(account, agent))
          .where(and(eq(enrolmentTokens.id, claim.token), usable(now))),
      );
  }
}

/** A token that is not over; one for an agent that was deleted since is not one for the next of that name. */
const current = (now: number) =>
  and(gt(enrolmentTokens.expiresAt, now), lte(agents.createdAt, enrolmentTokens.createdAt));

/** And not used. */
const usable = (now: number) => and(isNull(enrolmentTokens.usedAt), current(now));

const actions = {
  permission: "certificate.issue",
  renewal: "certificate.renew",
  enrolment: "certificate.enrol",
} as const;

/**
 * Registers a certificate that was issued just now, if its claim still holds: all or nothing, in one batch, which is logged. An
 * agent that is suspended stays so. One batch.
 * @returns false when the claim does not hold any more: nothing was registered
 */
export async function registerIssued(
  db: Database,
  record: IssuedRecord,
  claim: CertificateClaim,
  author: Author,
): Promise<boolean> {
  const { account, agent, fingerprint, serial, subject, notBefore, notAfter, issuer, reference } = record;
  const { certificate, chain } = record;
  const { at } = author;
  const good = holds(db, record, claim, at);
  const from = claim.by === "renewal" ? claim.from : null;
  const detail = { agent_id: agent, not_after: notAfter, ...(from !== null && { renewed_from: from }) };
  const deed = { account, action: actions[claim.by], target: fingerprint, detail };
  const token = claim.by === "enrolment" ? claim.token : "";
  const [, registered] = await db.batch([
    audited(db, author, deed, good),
    db
      .insert(certificates)
      // The order of the columns is that of the table.
      .select(
        sql`select ${fingerprint}, ${account}, ${agent}, ${serial}, ${subject}, ${notBefore}, ${notAfter}, 'active', ${at}, null, ${issuer}, ${reference}, ${from} where ${good}`,
      )
      .returning({ fingerprint: certificates.fingerprint }),
    // Last: it is what the claim was.
    db
      .update(enrolmentTokens)
      .set({ usedAt: at, certificate, chain })
      .where(and(eq(enrolmentTokens.id, token), isNull(enrolmentTokens.usedAt))),
  ]);
  return registered.length > 0;
}

/**
 * How many certificates of an agent are neither revoked nor expired. One query.
 * @returns undefined when the account has no such agent
 */
export async function countLiveCertificates(
  db: Database,
  account: string,
  agent: string,
  nowMs: number,
): Promise<number | undefined> {
  const own = and(eq(certificates.accountId, account), eq(certificates.agentId, agent));
  const live = and(own, eq(certificates.status, "active"), gt(certificates.notAfter, nowMs));
  const [counted] = await db
    .select({ count: sql<number>`(select count(*) from ${certificates} where ${live})` })
    .from(agents)
    .where(named(account, agent))
    .limit(1);
  return counted?.count;
}

/** A certificate as lists show it. Times are epoch milliseconds. */
export interface CertificateListing {
  fingerprint: string;
  serial: string;
  subject: string;
  status: CertificateStatus;
  issuer: Issuer | null;
  renewedFrom: string | null;
  notBefore: number;
  notAfter: number;
  createdAt: number;
  revokedAt: number | null;
  /** It is revoked, and its issuer has still to be told. */
  issuerPending: boolean;
}

const listing = {
  fingerprint: certificates.fingerprint,
  serial: certificates.serial,
  subject: certificates.subject,
  status: certificates.status,
  issuer: certificates.issuer,
  renewedFrom: certificates.renewedFrom,
  notBefore: certificates.notBefore,
  notAfter: certificates.notAfter,
  createdAt: certificates.createdAt,
  revokedAt: certificates.revokedAt,
  issuerPending:
    sql`exists (select 1 from ${issuerRevocations} where ${issuerRevocations.reference} = ${certificates.issuerReference})`.mapWith(
      Boolean,
    ),
};

/** One certificate of an agent; undefined when it has none of that fingerprint. One query. */
export async function findCertificate(
  db: Database,
  account: string,
  fingerprint: string,
): Promise<CertificateListing | undefined> {
  const [found] = await db
    .select(listing)
    .from(certificates)
    .where(and(eq(certificates.fingerprint, fingerprint), eq(certificates.accountId, account)))
    .limit(1);
  return found;
}

/**
 * One page of an agent's certificates, the newest first, revoked and expired ones too. One query.
 * @param options.limit 1–100; more is cut to 100
 * @param options.cursor the last one of the page before
 */
export async function listCertificates(
  db: Database,
  account: string,
  agent: string,
  options: { limit: number; cursor?: Pick<CertificateListing, "createdAt" | "fingerprint"> | undefined },
): Promise<{ certificates: CertificateListing[]; more: boolean }> {
  const limit = Math.max(1, Math.min(Math.trunc(options.limit), bounds.certificatesPageMax));
  const { cursor } = options;
  const before: SQL | undefined =
    cursor &&
    sql`(${certificates.createdAt}, ${certificates.fingerprint}) < (${cursor.createdAt}, ${cursor.fingerprint})`;
  const found = await db
    .select(listing)
    .from(certificates)
    .where(and(eq(certificates.accountId, account), eq(certificates.agentId, agent), before))
    .orderBy(desc(certificates.createdAt), desc(certificates.fingerprint))
    .limit(limit + 1);
  return { certificates: found.slice(0, limit), more: found.length > limit };
}

/** What an enrolment token stands for. Judging it is the caller's part. */
export interface EnrolmentTokenRecord {
  account: string;
  agent: string;
  secretHash: string;
  /** Not over, and its agent is there. */
  current: boolean;
  used: boolean;
  accountActive: boolean;
}

/**
 * The record of a token. One query.
 * @param nowMs when it is to be used, epoch milliseconds
 */
export async function findEnrolmentToken(
  db: Database,
  id: string,
  nowMs: number,
): Promise<EnrolmentTokenRecord | undefined> {
  const whose = and(eq(agents.accountId, enrolmentTokens.accountId), eq(agents.id, enrolmentTokens.agentId));
  const [record] = await db
    .select({
      account: enrolmentTokens.accountId,
      agent: enrolmentTokens.agentId,
      secretHash: enrolmentTokens.secretHash,
      current: sql<number>`${and(current(nowMs), isNull(agents.deletedAt))}`,
      usedAt: enrolmentTokens.usedAt,
      status: accounts.status,
    })
    .from(enrolmentTokens)
    .innerJoin(accounts, eq(accounts.id, enrolmentTokens.accountId))
    .innerJoin(agents, whose)
    .where(eq(enrolmentTokens.id, id))
    .limit(1);
  if (record === undefined) return undefined;
  const { status, current: found, usedAt, ...token } = record;
  return { ...token, current: found === 1, used: usedAt !== null, accountActive: status === "active" };
}

/** What a token was traded for, PEM; undefined where it was not. One query. */
export async function findEnrolled(
  db: Database,
  account: string,
  token: string,
): Promise<{ certificate: string; chain: string } | undefined> {
  const [found] = await db
    .select({ certificate: enrolmentTokens.certificate, chain: enrolmentTokens.chain })
    .from(enrolmentTokens)
    .where(and(eq(enrolmentTokens.id, token), eq(enrolmentTokens.accountId, account)))
    .limit(1);
  const { certificate, chain } = found ?? {};
  return certificate && chain !== null && chain !== undefined ? { certificate, chain } : undefined;
}

/** A token to be made. `expiresAt` is epoch milliseconds. */
export interface NewEnrolmentToken {
  id: string;
  account: string;
  agent: string;
  secretHash: string;
  expiresAt: number;
}

/**
 * Makes a token, and logs it; those that ended a day ago are forgotten. One batch.
 * @returns false when the account has no such agent
 */
export async function createEnrolmentToken(db: Database, token: NewEnrolmentToken, author: Author): Promise<boolean> {
  const { id, account, agent, secretHash, expiresAt } = token;
  const known = exists(db.select({ one: sql`1` }).from(agents).where(named(account, agent)));
  const deed = {
    account,
    action: "enrolment_token.create",
    target: id,
    detail: { agent_id: agent, expires_at: expiresAt },
  };
  // The order of the columns is that of the table.
  const [made] = await db.batch([
    db
      .insert(enrolmentTokens)
      .select(
        sql`select ${id}, ${account}, ${agent}, ${secretHash}, ${author.actor}, ${author.at}, ${expiresAt}, null, null, null where ${known}`,
      )
      .returning({ id: enrolmentTokens.id }),
    audited(db, author, deed, known),
    db.delete(enrolmentTokens).where(sql`${enrolmentTokens.expiresAt} < ${author.at - 86_400_000}`),
  ]);
  return made.length > 0;
}
