// Gives an agent an identity at the running embedded broker: a certificate, registered. What an agent had stays in place,
// and stays registered, until the new one is.

import type { X509Certificate } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { AgentId } from "../../protocol/wire/ids.ts";
import { type BrokerRecord, runningBroker } from "../broker/state-folder.ts";
import { certificatesIn, issuerOf } from "../edge/tls-client-auth.ts";
import { Failure, messageOf } from "../failure.ts";
import { type AgentCertificateOptions, openAuthority } from "./authority.ts";

export interface CertifyOptions extends AgentCertificateOptions {
  /** The state folder of a running broker. */
  stateDir: string;
  agentId: string;
}

export interface CertifiedAgent {
  agentId: string;
  agentsUrl: string;
  apiUrl: string;
  /** Paths. `keyFile` is missing where an existing certificate was registered: its key is its owner's business. */
  caFile: string;
  certificateFile: string;
  keyFile?: string;
  /** 64 lower-case hex digits. */
  fingerprint: string;
  /** RFC 3339. */
  notAfter: string;
}

const Registered = z.object({ fingerprint: z.string(), not_after: z.string() });
const Refused = z.object({
  reason: z.string(),
  detail: z.string(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).default([]),
});
const answerMsMax = 15_000;

function checkAgentId(agentId: string): void {
  const parsed = AgentId.safeParse(agentId);
  if (parsed.success) return;
  throw new Failure(`"${agentId}" is not an agent id: ${parsed.error.issues[0]?.message ?? "see PROTOCOL"}.`);
}

/** What the broker says is wrong: where it names the places, these say more than the general words. */
function sentenceOf({ reason, detail, issues }: z.infer<typeof Refused>): string {
  const places = issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  return `${reason}: ${places.length > 0 ? places.join("; ") : detail}`;
}

/** The edge lets nobody in by such a certificate: better said now than by its refusal. What is no one certificate, the broker says. */
function checkIssuer(broker: BrokerRecord, agentId: string, file: string, pem: string): void {
  let found: X509Certificate[];
  try {
    found = certificatesIn(pem);
  } catch (error) {
    throw new Failure(`The certificate ${file} is damaged: ${messageOf(error)}.`);
  }
  const [certificate, ...more] = found;
  if (certificate === undefined || more.length > 0) return;
  const nameOf = (name: string | undefined) => (name ?? "nobody").replaceAll("\n", ", ");
  if (certificate.ca) {
    throw new Failure(
      `${file} is the certificate of a CA (${nameOf(certificate.subject)}), not of an agent: ` +
        `name the one that this CA issued for ${agentId}.`,
    );
  }
  if (issuerOf(certificate, broker.clientCas.flatMap(certificatesIn)) !== undefined) return;
  throw new Failure(
    `${file} was issued by ${nameOf(certificate.issuer)}, a CA that the broker on ${broker.stateDir} does not trust: ` +
      "start it again with `npm start -- --client-ca FILE`, where FILE is the certificate of that CA, then register again.",
  );
}

async function register(
  broker: BrokerRecord,
  agentId: string,
  certificate: string,
): Promise<z.infer<typeof Registered>> {
  let answer: Response;
  try {
    answer = await fetch(`${broker.apiUrl}/v1/certificates`, {
      method: "POST",
      headers: { authorization: `Bearer ${broker.adminToken}`, "content-type": "application/json" },
      body: JSON.stringify({ agent_id: agentId, certificate }),
      signal: AbortSignal.timeout(answerMsMax),
    });
  } catch (error) {
    throw new Failure(`The broker at ${broker.apiUrl} does not answer: ${messageOf(error)}.`);
  }
  const body: unknown = await answer.json().catch(() => undefined);
  if (!answer.ok) {
    const refused = Refused.safeParse(body);
    const why = refused.success ? sentenceOf(refused.data) : `HTTP ${answer.status}`;
    throw new Failure(`The broker at ${broker.apiUrl} does not register ${agentId}: ${why}`);
  }
  return Registered.parse(body);
}

/**
 * Issues a certificate by the development CA, registers it, and writes `agents/<agent id>/{cert,key}.pem` (key 0600).
 * Throws a Failure for a bad agent id, when no broker runs on the folder, and when the broker refuses.
 */
export async function certifyAgent({ stateDir, agentId, ...validity }: CertifyOptions): Promise<CertifiedAgent> {
  checkAgentId(agentId);
  const broker = await runningBroker(stateDir);
  const authority = await openAuthority(broker.stateDir);
  const credentials = await authority.issueAgent(agentId, validity);
  const registered = await register(broker, agentId, credentials.certificate);

  const dir = join(broker.stateDir, "agents", agentId);
  const certificateFile = join(dir, "cert.pem");
  const keyFile = join(dir, "key.pem");
  const drafts = { certificate: `${certificateFile}.${process.pid}.new`, key: `${keyFile}.${process.pid}.new` };
  await mkdir(dir, { recursive: true, mode: 0o700 });
  try {
    await writeFile(drafts.key, credentials.key, { mode: 0o600 });
    await writeFile(drafts.certificate, credentials.certificate);
    await rename(drafts.key, keyFile);
    await rename(drafts.certificate, certificateFile);
  } finally {
    await Promise.all([rm(drafts.key, { force: true }), rm(drafts.certificate, { force: true })]);
  }
  const { fingerprint, not_after: notAfter } = registered;
  const { agentsUrl, apiUrl } = broker;
  const caFile = authority.certificateFile;
  return { agentId, agentsUrl, apiUrl, caFile, certificateFile, keyFile, fingerprint, notAfter };
}

/**
 * Registers a certificate that another CA issued; the broker must trust that CA (`npm start -- --client-ca FILE`).
 * Failures as of `certifyAgent`, and for a file that cannot be read, a CA's own certificate, or one of a CA that is not trusted.
 */
export async function registerCertificate(options: {
  stateDir: string;
  agentId: string;
  certificateFile: string;
}): Promise<CertifiedAgent> {
  const { agentId, certificateFile } = options;
  checkAgentId(agentId);
  const broker = await runningBroker(options.stateDir);
  const pem = await readFile(certificateFile, "utf8").catch((error: unknown) => {
    throw new Failure(`Cannot read the certificate ${certificateFile}: ${messageOf(error)}.`);
  });
  checkIssuer(broker, agentId, certificateFile, pem);
  const { fingerprint, not_after: notAfter } = await register(broker, agentId, pem);
  const caFile = join(broker.stateDir, "ca.pem");
  const { agentsUrl, apiUrl } = broker;
  return { agentId, agentsUrl, apiUrl, caFile, certificateFile, fingerprint, notAfter };
}
