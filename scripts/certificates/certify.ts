// Gives an agent an identity at the running embedded broker: a certificate, registered. What an agent had stays in place,
// and stays registered, until the new one is.

import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { AgentId } from "../../protocol/wire/ids.ts";
import { type BrokerRecord, runningBroker } from "../broker/state-folder.ts";
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
const Refused = z.object({ reason: z.string(), detail: z.string() });
const answerMsMax = 15_000;

function checkAgentId(agentId: string): void {
  const parsed = AgentId.safeParse(agentId);
  if (parsed.success) return;
  throw new Failure(`"${agentId}" is not an agent id: ${parsed.error.issues[0]?.message ?? "see PROTOCOL"}.`);
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
    const why = refused.success ? `${refused.data.reason}: ${refused.data.detail}` : `HTTP ${answer.status}`;
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
 * Failures as of `certifyAgent`, and for a file that cannot be read.
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
  const { fingerprint, not_after: notAfter } = await register(broker, agentId, pem);
  const caFile = join(broker.stateDir, "ca.pem");
  const { agentsUrl, apiUrl } = broker;
  return { agentId, agentsUrl, apiUrl, caFile, certificateFile, fingerprint, notAfter };
}
