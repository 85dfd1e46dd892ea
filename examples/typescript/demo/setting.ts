// What the demos are set in, whatever agents play in them: a broker in a folder of its own, the two failures that people fear, the
// last line, and that nothing of it is left.
import type { ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BrokerProcess, killChild } from "../../../scripts/broker/child.ts";
import { type Cable, layCable } from "../../../scripts/cable.ts";
import { certifyAgent } from "../../../scripts/certificates/certify.ts";
import { readCommandLine } from "../../../scripts/command-line.ts";
import { runCommand } from "../../../scripts/failure.ts";
import { ownDocuments, readable } from "./documents.ts";
import type { Credentials, Tally } from "./report.ts";

const started = performance.now();
/** The agents' processes. None outlives the demo. */
export const children = new Set<ChildProcess>();

/** One line of the transcript. */
export function print(who: string, text: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(2).padStart(6);
  console.log(`${seconds}s  ${who.padEnd(8)} ${text}`);
}

export class Setting {
  readonly #state: string;
  readonly #files: number;
  readonly #broker: BrokerProcess;
  readonly #cable: Cable;
  #isCut = false;
  #restarted: Promise<void> | undefined;
  #restarts = 0;
  /** How many results the planner has. */
  done = 0;
  /** How often agents said that they were connected again. */
  reconnects = 0;

  private constructor(state: string, files: number, broker: BrokerProcess, cable: Cable) {
    this.#state = state;
    this.#files = files;
    this.#broker = broker;
    this.#cable = cable;
  }

  /** @param files so many tasks the planner has for the analyst */
  static async begin(state: string, broker: BrokerProcess, files: number): Promise<Setting> {
    await broker.start();
    print("broker", `runs behind mutual TLS on port ${broker.port}, state in a folder of its own`);
    return new Setting(state, files, broker, await layCable(broker.port));
  }

  /** @param by cable: what is cut on the way */
  async credentials(agentId: string, by: "broker" | "cable"): Promise<Credentials> {
    const { caFile, certificateFile, keyFile } = await certifyAgent({ stateDir: this.#state, agentId });
    const { port } = by === "cable" ? this.#cable : this.#broker;
    return { url: `wss://localhost:${port}`, caFile, certFile: certificateFile, keyFile };
  }

  /** The analyst has made progress: the cable is cut halfway, the broker killed after three quarters, both in the midst of a task. */
  progress(): void {
    const after = (share: number) => Math.min(Math.floor(this.#files * share), this.#files - 1);
    if (!this.#isCut && this.done >= after(1 / 2)) {
      this.#isCut = true;
      print("demo", `cuts the analyst's socket (${this.#cable.cut()} open)`);
    } else if (this.#isCut && this.done >= after(3 / 4)) this.#restarted ??= this.#restart();
  }

  async #restart(): Promise<void> {
    print("demo", "kills the broker with SIGKILL");
    await this.#broker.restart();
    this.#restarts++;
    print("broker", "runs again, from what it had stored");
  }

  /** The broker is there to stay. */
  get settled(): Promise<void> | undefined {
    return this.#restarted;
  }

  /**
   * Says what the agents' own code saw. Answers whether all tasks succeeded, in spite of both failures, and
   * nothing else happened.
   */
  end({ tasks, succeeded, messages, lost, duplicated, outOfOrder }: Tally, expected: number): boolean {
    this.#cable.close();
    const { reconnects } = this;
    const brokerRestarts = this.#restarts;
    console.log(
      `\n${succeeded} of ${tasks} tasks succeeded; lost ${lost}, repeated ${duplicated}, out of order ${outOfOrder}.`,
    );
    console.log(
      JSON.stringify({ tasks, succeeded, messages, reconnects, brokerRestarts, lost, duplicated, outOfOrder }),
    );
    return succeeded === expected && lost + duplicated + outOfOrder === 0 && reconnects >= 1 && brokerRestarts === 1;
  }
}

/**
 * Plays a demo over the files that its command line names, or this project's documents.
 * @param play begins when it has what it needs; answers whether all went as it must
 */
export async function runDemo(
  usage: string,
  play: (begin: () => Promise<Setting>, files: string[]) => Promise<boolean>,
): Promise<never> {
  await runCommand(async () => {
    const { positionals } = readCommandLine(usage, {});
    const files = await readable(positionals.length > 0 ? positionals : await ownDocuments());
    const state = await mkdtemp(join(tmpdir(), "agentworks-demo-"));
    const broker = new BrokerProcess(state);
    const clean = async () => {
      await broker.end();
      for (const child of children) await killChild(child);
      await rm(state, { recursive: true, force: true });
    };
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => void clean().finally(() => process.exit(130)));
    }
    try {
      if (!(await play(() => Setting.begin(state, broker, files.length), files))) process.exitCode = 1;
    } finally {
      await clean();
    }
  });
  process.exit();
}
