// Gives an agent an identity at the running embedded broker, as `agentworks agent create` does: for tests, benches and the demo.

import { join } from "node:path";
import { type AgentIdentity, certifyAgent as certify } from "../../sdk/typescript/src/certificates/certify.ts";
import { HttpApi } from "../../sdk/typescript/src/http/http-api.ts";
import { type BrokerRecord, runningBroker } from "../broker/state-folder.ts";
import { Failure, messageOf } from "../failure.ts";

export interface CertifiedAgent {
  agentId: string;
  agentsUrl: string;
  apiUrl: string;
  /** Paths. */
  caFile: string;
  certificateFile: string;
  keyFile: string;
  /** 64 lower-case hex digits. */
  fingerprint: string;
  /** RFC 3339. */
  notAfter: string;
}

/** The broker's API, as its operator. */
export const operatorOf = ({ apiUrl, adminToken }: Pick<BrokerRecord, "apiUrl" | "adminToken">): HttpApi =>
  new HttpApi({ url: apiUrl, credential: adminToken });

/**
 * Has a key certified that is made here, and writes `agents/<agent id>/{cert,key,ca}.pem` (0600) into the state folder.
 * Throws a Failure when no broker runs on the folder, and when the broker refuses.
 */
export async function certifyAgent(options: { stateDir: string; agentId: string }): Promise<CertifiedAgent> {
  const { agentId } = options;
  const broker = await runningBroker(options.stateDir);
  const dirOf = (agent: string): string => join(broker.stateDir, "agents", agent);
  let identity: AgentIdentity;
  try {
    identity = await certify({ api: operatorOf(broker), agent: agentId, dirOf });
  } catch (error) {
    throw new Failure(`The broker at ${broker.apiUrl} does not certify ${agentId}: ${messageOf(error)}`);
  }
  const { agentsUrl, apiUrl } = broker;
  const { certFile: certificateFile, keyFile, fingerprint, notAfter } = identity;
  const caFile = join(broker.stateDir, "ca.pem");
  return { agentId, agentsUrl, apiUrl, caFile, certificateFile, keyFile, fingerprint, notAfter };
}
