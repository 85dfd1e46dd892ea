// Certificates, and the identity that one stands for. A fingerprint belongs to one agent for ever; revoked is for ever too.
import { and, eq, isNotNull, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { accounts, agents, type CertificateStatus, certificates, type Standing } from "../tables.ts";
import { revived } from "./agent-changes.ts";
import { type Author, audited } from "./audit.ts";
import { notedForIssuer } from "./issuer-revocations.ts";

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
 * Registers a certificate for an agent, and the agent if the account has none of that name: all or nothing, in one batch,
 * which is logged. Safe to repeat. An agent that is suspended stays so. Three queries.
 */
export async function registerCertificate(
  db: Database,
  record: CertificateRecord,
  author: Author,
): Promise<Registration> {
  const { account, agent, fingerprint } = record;
  const { at } = author;
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
  const fresh = sql`not exists (select 1 from ${certificates} where ${eq(certificates.fingerprint, fingerprint)})`;
  const detail = { agent_id: agent, not_after: notAfter };
  const [, , , , after] = await db.batch([
    audited(db, author, { account, action: "certificate.register", target: fingerprint, detail }, fresh),
    db.insert(accounts).values({ id: account, name: account, createdAt: at }).onConflictDoNothing(),
    db
      .insert(agents)
      .values({ accountId: account, id: agent, createdAt: at })
      .onConflictDoUpdate({
        target: [agents.accountId, agents.id],
        set: revived,
        setWhere: isNotNull(agents.deletedAt),
      }),
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

/** The fingerprints of a certificate, of its renewals, of theirs … */
const line = (fingerprint: string) => sql`(
  with recursive line(fingerprint) as (
    select ${fingerprint}
    union select renewal.fingerprint from certificates renewal join line on renewal.renewed_from = line.fingerprint
  ) select fingerprint from line)`;

/** What was revoked, and whose it was. */
export interface Revoked {
  agent: string;
  /** Of the certificate itself and its renewals, also those that were revoked before. */
  fingerprints: string[];
}

/**
 * Revokes a certificate and every renewal that it led to, and logs it; repeating it keeps the first time. Whoever stole a key may
 * have renewed its certificate: revoking one alone would let the thief stay. Closing live sockets, and
 * telling the issuer what is noted for it, are the caller's part. One batch.
 * @returns undefined when the account has none with that fingerprint
 */
export async function revokeCertificate(
  db: Database,
  account: string,
  fingerprint: string,
  author: Author,
): Promise<Revoked | undefined> {
  const own = and(eq(certificates.fingerprint, fingerprint), eq(certificates.accountId, account));
  const active = sql`exists (select 1 from ${certificates} where ${own} and ${eq(certificates.status, "active")})`;
  const all = and(sql`${certificates.fingerprint} in ${line(fingerprint)}`, eq(certificates.accountId, account));
  const [, , revoked] = await db.batch([
    // First: afterwards it is revoked in any case, and a repetition is no change.
    audited(db, author, { account, action: "certificate.revoke", target: fingerprint }, active),
    notedForIssuer(db, all, author.at),
    db
      .update(certificates)
      .set({ status: "revoked", revokedAt: sql`coalesce(${certificates.revokedAt}, ${author.at})` })
      .where(all)
      .returning({ agent: certificates.agentId, fingerprint: certificates.fingerprint }),
  ]);
  const agent = revoked[0]?.agent;
  return agent === undefined ? undefined : { agent, fingerprints: revoked.map((one) => one.fingerprint) };
}
