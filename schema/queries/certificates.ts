// Certificates, and the identity that one stands for. A fingerprint belongs to one agent for ever; revoked is for ever too.
import { and, eq, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { accounts, agents, type CertificateStatus, certificates, type Standing } from "../tables.ts";

/** Whose a certificate is, and whether each of the three may connect. Judging it is the caller's part. */
export interface IdentityRecord {
  account: string;
  agent: string;
  certificateStatus: CertificateStatus;
  agentStatus: Standing;
  accountStatus: Standing;
}

/**
 * The account and agent of a certificate. ONE query: it is what a connection costs.
 * @param fingerprint SHA-256 of the DER, 64 lower-case hex digits
 * @returns undefined when the fingerprint is not registered
 */
export async function findIdentity(db: Database, fingerprint: string): Promise<IdentityRecord | undefined> {
  const [identity] = await db
    .select({
      account: certificates.accountId,
      agent: certificates.agentId,
      certificateStatus: certificates.status,
      agentStatus: agents.status,
      accountStatus: accounts.status,
    })
    .from(certificates)
    .innerJoin(agents, and(eq(agents.accountId, certificates.accountId), eq(agents.id, certificates.agentId)))
    .innerJoin(accounts, eq(accounts.id, certificates.accountId))
    .where(eq(certificates.fingerprint, fingerprint))
    .limit(1);
  return identity;
}

/** A certificate to register; times are epoch milliseconds. */
export interface CertificateRecord {
  account: string;
  agent: string;
  fingerprint: string;
  serial: string;
  subject: string;
  notBefore: number;
  notAfter: number;
  /** When it is registered. */
  at: number;
  /** Makes the account too if there is none. */
  createAccount?: boolean;
}

/**
 * - `registered`: it is new;
 * - `unchanged`: this agent had it already, and active;
 * - `revoked`: it was revoked before, which stays so;
 * - `taken`: it is another agent's (perhaps of another account);
 * - `account_unknown`: there is no such account.
 */
export type Registration = "registered" | "unchanged" | "revoked" | "taken" | "account_unknown";

/**
 * Registers a certificate for an agent, and the agent if the account has none of that name: all or nothing, in one batch.
 * Safe to repeat. An agent that is suspended stays so. Three queries.
 */
export async function registerCertificate(db: Database, record: CertificateRecord): Promise<Registration> {
  const { account, agent, fingerprint, at } = record;
  const owner = () =>
    db
      .select({ account: certificates.accountId, agent: certificates.agentId, status: certificates.status })
      .from(certificates)
      .where(eq(certificates.fingerprint, fingerprint))
      .limit(1);
  const [before] = await owner();
  if (before !== undefined) return judge(before, record, "unchanged");

  const [found] = await db.select({ id: accounts.id }).from(accounts).where(eq(accounts.id, account)).limit(1);
  if (found === undefined && record.createAccount !== true) return "account_unknown";

  const { serial, subject, notBefore, notAfter } = record;
  const [, , , after] = await db.batch([
    db.insert(accounts).values({ id: account, name: account, createdAt: at }).onConflictDoNothing(),
    db.insert(agents).values({ accountId: account, id: agent, createdAt: at }).onConflictDoNothing(),
    db
      .insert(certificates)
      .values({ fingerprint, accountId: account, agentId: agent, serial, subject, notBefore, notAfter, createdAt: at })
      .onConflictDoNothing(),
    // Read inside the batch: somebody may have registered it since the first look.
    owner(),
  ]);
  const [now] = after;
  return now === undefined ? "taken" : judge(now, record, "registered");
}

function judge(
  owner: { account: string; agent: string; status: CertificateStatus },
  record: CertificateRecord,
  own: Registration,
): Registration {
  if (owner.account !== record.account || owner.agent !== record.agent) return "taken";
  return owner.status === "revoked" ? "revoked" : own;
}

/**
 * Revokes a certificate; repeating it keeps the first time. Closing live sockets is the caller's part. One query.
 * @returns whose it is, or undefined when there is none with that fingerprint
 */
export async function revokeCertificate(
  db: Database,
  fingerprint: string,
  nowMs: number,
): Promise<{ account: string; agent: string } | undefined> {
  const [revoked] = await db
    .update(certificates)
    .set({ status: "revoked", revokedAt: sql`coalesce(${certificates.revokedAt}, ${nowMs})` })
    .where(eq(certificates.fingerprint, fingerprint))
    .returning({ account: certificates.accountId, agent: certificates.agentId });
  return revoked;
}
