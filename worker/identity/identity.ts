// Who is asking. An identity comes from the client certificate and the registry, never from a header, a body or a frame.
import { drizzle } from "drizzle-orm/d1";
import type { Identity } from "../../durable-objects/identity.ts";
import type { ErrorReason } from "../../protocol/wire/errors.ts";
import { findIdentity, type IdentityRecord } from "../../schema/registry.ts";
import { judgeCertificate } from "./client-certificate.ts";

export type { Identity };

/** Why a registered certificate may not connect; undefined when it may. Whatever is not `active` may not. */
export function judgeRecord(record: IdentityRecord | undefined): ErrorReason | undefined {
  if (record === undefined) return "certificate_unknown";
  if (record.certificateStatus !== "active") return "certificate_revoked";
  if (record.agentStatus !== "active" || record.accountStatus !== "active") return "agent_suspended";
  return undefined;
}

/**
 * The identity of a request, or the reason for refusing it. One D1 query, and none for a certificate that fails by itself.
 * @param cf `request.cf`
 * @param nowMs epoch milliseconds
 */
export async function identify(cf: unknown, db: D1Database, nowMs: number): Promise<Identity | ErrorReason> {
  const tls = typeof cf === "object" && cf !== null && "tlsClientAuth" in cf ? cf.tlsClientAuth : undefined;
  const judgement = judgeCertificate(tls, nowMs);
  if (!judgement.ok) return judgement.reason;
  const record = await findIdentity(drizzle(db), judgement.certificate.fingerprint);
  const refusal = judgeRecord(record);
  if (record === undefined || refusal !== undefined) return refusal ?? "certificate_unknown";
  return { account: record.account, agent: record.agent, ...judgement.certificate };
}
