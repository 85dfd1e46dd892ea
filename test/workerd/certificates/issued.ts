// What the tests of certificates share: agents that are made and certified through the API, and what the audit log says of it.
import { desc, eq } from "drizzle-orm";
import { expect } from "vitest";
import type { z } from "zod";
import type { IssuedCertificate } from "../../../schema/http-certificates.ts";
import { auditLog } from "../../../schema/tables.ts";
import { administer, ask, certificateTime, db, tlsOf } from "../worker/fixtures.ts";
import { newRequest } from "./requests.ts";

export type Issued = z.infer<typeof IssuedCertificate>;

export const dayMs = 24 * 60 * 60 * 1000;

export const make = (agent: string) => administer("POST", "/v1/agents", { agent_id: agent });

/** Makes the agent, unless it is there. */
export async function issue(agent: string, body: unknown): Promise<Response> {
  await make(agent);
  return administer("POST", `/v1/agents/${agent}/certificates`, body);
}

export const tlsOfIssued = ({ fingerprint, not_before, not_after }: Issued) =>
  tlsOf(fingerprint, {
    certNotBefore: certificateTime(Date.parse(not_before)),
    certNotAfter: certificateTime(Date.parse(not_after)),
  });

export const post = (body: unknown) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

export async function issued(agent: string, days?: number): Promise<Issued> {
  const response = await issue(agent, { ...(days !== undefined && { days }), csr: (await newRequest()).csr });
  expect(response.status).toBe(201);
  return response.json();
}

export async function renew(agent: string, present: Issued, more: { days?: number } = {}): Promise<Response> {
  const body = { csr: (await newRequest()).csr, ...more };
  return ask(`/v1/agents/${agent}/certificates`, tlsOfIssued(present), post(body));
}

/** The last entry of the audit log. */
export const latest = async (account = "local") => {
  const [entry] = await db
    .select()
    .from(auditLog)
    .where(eq(auditLog.accountId, account))
    .orderBy(desc(auditLog.id))
    .limit(1);
  return entry;
};
