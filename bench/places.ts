// Where the bench's brokers live, and who dials them.
import { certifyAgent } from "../scripts/certificates/certify.ts";
import type { Dial } from "./lanes.ts";

/** A certificate of that agent for a running broker. */
export async function dialOf(broker: { stateDir: string; agentsUrl: string }, agentId: string): Promise<Dial> {
  const { caFile, certificateFile, keyFile } = await certifyAgent({ stateDir: broker.stateDir, agentId });
  return { url: broker.agentsUrl, caFile, certificateFile, keyFile };
}

/** Certificates of the two agents that most sections have. */
export const dialsOf = async (broker: { stateDir: string; agentsUrl: string }): Promise<[Dial, Dial]> => [
  await dialOf(broker, "sender"),
  await dialOf(broker, "receiver"),
];

/** A row of a table: the first cell to the left, figures to the right. */
export const row = (...cells: (string | number)[]): string =>
  cells.map((cell, i) => (i === 0 ? String(cell).padEnd(13) : String(cell).padStart(13))).join("");
