// revocationP99Ms: from the moment at which somebody asks to revoke a certificate, or to suspend an agent, until that agent's socket is
// closed (4403) where the agent is, while 200 agents are connected. After each trial the same credentials are tried once more: they must
// be refused. Then the agent is let in again, so that there are always as many.
import type { Broker } from "../scripts/broker/broker.ts";
import { certifyAgent, operatorOf } from "../scripts/certificates/certify.ts";
import { Failure } from "../scripts/failure.ts";
import { type Agent, AgentworksError, type ConnectOptions, connect } from "../sdk/typescript/src/index.ts";

const closeRevoked = 4403;
const closedMsMax = 30_000;

export interface Revocation {
  agents: number;
  trials: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** Trials after which the same credentials were refused at once; all of them, or something is wrong. */
  refused: number;
}

interface Place {
  id: string;
  agent: Agent;
  options: ConnectOptions;
  fingerprint: string;
}

async function takePlace({ stateDir }: Broker, id: string): Promise<Place> {
  const {
    agentsUrl: url,
    caFile,
    certificateFile: certFile,
    keyFile,
    fingerprint,
  } = await certifyAgent({
    stateDir,
    agentId: id,
  });
  const options = { url, caFile, certFile, keyFile };
  return { id, agent: await connect(options), options, fingerprint };
}

/** When the agent's socket is closed, by the clock of `performance`. Throws where it was closed otherwise, or not at all. */
async function closing({ id, agent }: Place): Promise<number> {
  const timeout = AbortSignal.timeout(closedMsMax);
  const late = new Promise<never>((_, reject) => {
    timeout.onabort = () => reject(new Failure(`The socket of ${id} was still open after ${closedMsMax} ms.`));
  });
  const closed = (async () => {
    for await (const status of agent.status()) {
      if (status.type !== "disconnected") continue;
      if (status.code === closeRevoked) return performance.now();
      throw new Failure(`The socket of ${id} was closed with ${status.code}, not ${closeRevoked}.`);
    }
    throw new Failure(`${id} ended without a close.`);
  })();
  return Promise.race([closed, late]);
}

const isRefused = (options: ConnectOptions, reason: string): Promise<boolean> =>
  connect(options).then(
    async (agent) => {
      await agent.close();
      return false;
    },
    (error: unknown) => error instanceof AgentworksError && error.reason === reason,
  );

export async function measureRevocation(
  broker: Broker,
  { agents, trials }: { agents: number; trials: number },
  tell: (line: string) => void,
): Promise<Revocation> {
  const api = operatorOf(broker);
  const places: Place[] = [];
  try {
    while (places.length < agents) places.push(await takePlace(broker, `revocable${places.length}`));
    tell(`${agents} agents are connected`);
    const times: number[] = [];
    let refused = 0;
    for (let trial = 0; trial < trials; trial++) {
      const index = trial % agents;
      const place = places[index];
      if (place === undefined) break;
      const suspends = trial % 2 === 1;
      const change = (status: "active" | "suspended") =>
        api.request("PATCH /v1/agents/{agent_id}", { path: { agent_id: place.id }, body: { status } });
      const revoke = () =>
        api.request("DELETE /v1/certificates/{fingerprint}", { path: { fingerprint: place.fingerprint } });
      const closed = closing(place);
      const asked = performance.now();
      await Promise.all([closed, suspends ? change("suspended") : revoke()]);
      times.push((await closed) - asked);
      if (await isRefused(place.options, suspends ? "agent_suspended" : "certificate_revoked")) refused++;
      if (suspends) await change("active");
      places[index] = suspends ? { ...place, agent: await connect(place.options) } : await takePlace(broker, place.id);
      if ((trial + 1) % 50 === 0) tell(`${trial + 1} of ${trials} trials`);
    }
    const sorted = times.sort((a, b) => a - b);
    const at = (q: number) =>
      Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN).toFixed(1));
    return { agents, trials: times.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1), refused };
  } finally {
    await Promise.all(places.map(({ agent }) => agent.close()));
  }
}

export const revocationText = ({ agents, trials, p50Ms, p99Ms, maxMs, refused }: Revocation): string =>
  `From asking to the closed socket, ${trials} trials among ${agents} connected agents: p50 ${p50Ms} ms, p99 ${p99Ms} ms, most ${maxMs} ms; the same credentials were refused at once after ${refused} of ${trials}.`;
