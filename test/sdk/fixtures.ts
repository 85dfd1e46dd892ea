// What the SDK's tests share: one real broker behind its edge, agents certified on demand, and ways to wait for events.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Broker, startBroker } from "../../scripts/broker/broker.ts";
import { type CertifiedAgent, certifyAgent } from "../../scripts/certificates/certify.ts";
import { connectWith } from "../../sdk/typescript/src/connect.ts";
import { type Agent, type ConnectOptions, connect, type Session, type Status } from "../../sdk/typescript/src/index.ts";
import type { Timing } from "../../sdk/typescript/src/socket.ts";

export class Stage implements AsyncDisposable {
  readonly broker: Broker;
  /** For what a test writes. It goes with the stage. */
  readonly dir: string;
  readonly #certified = new Map<string, Promise<CertifiedAgent>>();
  readonly #agents: Agent[] = [];

  private constructor(broker: Broker, dir: string) {
    this.broker = broker;
    this.dir = dir;
  }

  static async set(): Promise<Stage> {
    const dir = await mkdtemp(join(tmpdir(), "agentworks-sdk-"));
    return new Stage(await startBroker({ stateDir: join(dir, "state") }), dir);
  }

  /** Certifies an agent, once. */
  certified(agentId: string): Promise<CertifiedAgent> {
    const before = this.#certified.get(agentId);
    if (before !== undefined) return before;
    const made = certifyAgent({ stateDir: this.broker.stateDir, agentId });
    this.#certified.set(agentId, made);
    return made;
  }

  async options(agentId: string): Promise<ConnectOptions> {
    const { agentsUrl: url, caFile, certificateFile, keyFile } = await this.certified(agentId);
    return { url, caFile, certFile: certificateFile, keyFile };
  }

  async connect(agentId: string, more: Partial<ConnectOptions> = {}, timing?: Timing): Promise<Agent> {
    // What one test leaves open must not come back in the next.
    const options = { reconnect: { baseMs: 5, maxMs: 50 }, recover: false, ...(await this.options(agentId)), ...more };
    const agent = await (timing === undefined ? connect(options) : connectWith(options, timing));
    this.keep(agent);
    return agent;
  }

  /** Closes it with the others of the test. */
  keep(agent: Agent): void {
    this.#agents.push(agent);
  }

  /** Cuts an agent's connections on `path`, as a failing network would. Answers how many there were. */
  cut(agentId: string, path: RegExp = /./): Promise<number> {
    return this.broker.edge.cut({ commonName: agentId, path });
  }

  /** Closes what the test connected. */
  async clear(): Promise<void> {
    await Promise.all(this.#agents.splice(0).map((agent) => agent.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clear();
    await this.broker.close();
    await rm(this.dir, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The next value of an iterator; a test that gets none has failed. */
export async function next<T>(values: AsyncIterator<T>): Promise<T> {
  const result = await values.next();
  if (result.done) throw new Error("the iterator ended");
  return result.value;
}

export async function take<T>(values: AsyncIterator<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  while (taken.length < count) taken.push(await next(values));
  return taken;
}

/** Reads on until a status of that type comes. */
export async function until<K extends Status["type"]>(
  statuses: AsyncIterator<Status>,
  type: K,
): Promise<Extract<Status, { type: K }>> {
  for (;;) {
    const status = await next(statuses);
    if (status.type === type) return status as Extract<Status, { type: K }>;
  }
}

/** Why a promise rejected. */
export async function reasonOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof Error && "reason" in error ? String(error.reason) : String(error);
  }
  return "resolved";
}

/** A session seen from both ends. */
export async function sessionBetween(from: Agent, to: Agent): Promise<{ here: Session; there: Session }> {
  const offered = to.sessions();
  const here = await from.open(to.id);
  const there = await next(offered);
  await offered.return?.();
  return { here, there };
}

export const numbers = (from: number, through: number): number[] =>
  Array.from({ length: through - from + 1 }, (_, i) => from + i);

/** What the next messages of a session carry. */
export async function contentsOf(session: Session, count: number): Promise<unknown[]> {
  return (await take(session.messages(), count)).map(({ content }) => content);
}
