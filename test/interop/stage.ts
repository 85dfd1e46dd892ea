// The broker that all pairs share, in a process of its own, and who has which certificate. It is killed and started again for
// everybody at once: when every pair that plays has come to that point.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BrokerProcess } from "../../scripts/broker/child.ts";
import { runningBroker } from "../../scripts/broker/state-folder.ts";
import { type Authority, openAuthority } from "../../scripts/certificates/authority.ts";
import { certifyAgent } from "../../scripts/certificates/certify.ts";

/** Paths of PEM files, as `connect` takes them. */
export interface Papers {
  ca: string;
  certificate: string;
  key: string;
}

export class Stage {
  readonly #dir: string;
  readonly #broker: BrokerProcess;
  #players = 0;
  #waiting: PromiseWithResolvers<void>[] = [];
  #forged = 0;
  #stranger: Promise<Authority> | undefined;

  private constructor(dir: string) {
    this.#dir = dir;
    this.#broker = new BrokerProcess(this.#state);
  }

  static async set(): Promise<Stage> {
    const stage = new Stage(await mkdtemp(join(tmpdir(), "agentworks-interop-")));
    try {
      await stage.#broker.start();
      return stage;
    } catch (error) {
      await stage.strike();
      throw error;
    }
  }

  get #state(): string {
    return join(this.#dir, "state");
  }

  get port(): number {
    return this.#broker.port;
  }

  /** A certificate that the broker knows. */
  async certify(agentId: string): Promise<Papers> {
    const { caFile, certificateFile, keyFile } = await certifyAgent({ stateDir: this.#state, agentId });
    if (keyFile === undefined) throw new Error("a new certificate comes with its key");
    return { ca: caFile, certificate: certificateFile, key: keyFile };
  }

  async #forge(agentId: string, by: Authority): Promise<Papers> {
    const { certificate, key } = await by.issueAgent(agentId);
    const file = join(this.#dir, `forged-${++this.#forged}`);
    await Promise.all([writeFile(`${file}.pem`, certificate), writeFile(`${file}.key`, key, { mode: 0o600 })]);
    return { ca: join(this.#state, "ca.pem"), certificate: `${file}.pem`, key: `${file}.key` };
  }

  /** A CA that has nothing to do with the broker. */
  #strangers(): Promise<Authority> {
    this.#stranger ??= openAuthority(this.#dir);
    return this.#stranger;
  }

  /** A certificate for somebody's name, signed by a CA that the broker does not know. */
  async ofUnknownCa(agentId: string): Promise<Papers> {
    return this.#forge(agentId, await this.#strangers());
  }

  /** A certificate for somebody's name, signed by the broker's own CA, and registered by nobody. */
  async ofUnknownHolder(agentId: string): Promise<Papers> {
    return this.#forge(agentId, await openAuthority(this.#state));
  }

  /** A CA that did not sign the broker's certificate. */
  async strangersCa(): Promise<string> {
    return (await this.#strangers()).certificateFile;
  }

  /** As before a deploy: the broker asks an agent to connect anew. */
  async moveAgent(agentId: string): Promise<void> {
    const { apiUrl, adminToken } = await runningBroker(this.#state);
    const headers = { authorization: `Bearer ${adminToken}` };
    const answer = await fetch(`${apiUrl}/v1/agents/${agentId}/drain`, { method: "POST", headers });
    if (!answer.ok) throw new Error(`the broker does not drain ${agentId}: HTTP ${answer.status}`);
  }

  /** A file of a pair's own. */
  file(name: string): string {
    return join(this.#dir, name);
  }

  /** Plays; who fails or ends keeps nobody waiting. */
  async play<T>(play: () => Promise<T>): Promise<T> {
    this.#players++;
    try {
      return await play();
    } finally {
      this.#players--;
      this.#restartIfAllWait();
    }
  }

  /** SIGKILL for the broker, and its start on the same state; one for all who wait for it. */
  restartBroker(): Promise<void> {
    const waiting = Promise.withResolvers<void>();
    this.#waiting.push(waiting);
    this.#restartIfAllWait();
    return waiting.promise;
  }

  #restartIfAllWait(): void {
    if (this.#waiting.length === 0 || this.#waiting.length < this.#players) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    const done = this.#broker.restart();
    for (const { resolve } of waiting) resolve(done);
  }

  async strike(): Promise<void> {
    await this.#broker.end();
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 3 });
  }
}
