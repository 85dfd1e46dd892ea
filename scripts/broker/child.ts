// The broker in a process of its own, so that it can be killed as machines and deploys kill: with SIGKILL, in the midst of
// whatever it does. For the demo and for the benches that break things.
import { type ChildProcess, spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Failure } from "../failure.ts";

const startScript = fileURLToPath(new URL("../start.ts", import.meta.url));

/** Kills a process that this one started, and waits for its end. */
export function killChild(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}

/** The broker on a state folder, as one process after the other: each is killed, and the next listens where it did. */
export class BrokerProcess {
  readonly #state: string;
  #port = 0;
  #child: ChildProcess | undefined;
  #isOver = false;

  /** @param state a folder that no broker runs on */
  constructor(state: string) {
    this.#state = state;
  }

  /** The agents' port: any free one at the first start, then the same. 0 before that. */
  get port(): number {
    return this.#port;
  }

  /** `npm start`. Resolves when it is ready. */
  async start(): Promise<void> {
    this.#port = await startBroker(this.#state, this.#port, (child) => {
      this.#child = child;
      if (this.#isOver) void killChild(child);
    });
  }

  /** SIGKILL. It may be started again. */
  async kill(): Promise<void> {
    if (this.#child !== undefined) await killChild(this.#child);
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** SIGKILL, also for one that is being started; there is no next. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.kill();
  }
}

/** @param started called with the process at once, so that its owner can end it whatever happens */
async function startBroker(state: string, port: number, started: (child: ChildProcess) => void): Promise<number> {
  const ready = join(state, "ready.json");
  await rm(ready, { force: true });
  const flags = ["--state", state, "--agents-port", String(port), "--api-port", "0", "--ready-file", ready];
  const child = spawn(process.execPath, [startScript, ...flags], { stdio: ["ignore", "ignore", "inherit"] });
  started(child);
  const abort = new AbortController();
  try {
    const failed = new Promise<never>((_, reject) =>
      child.once("exit", (code) => reject(new Failure(`The broker ended before it was ready (${code}).`))),
    );
    const { agentsUrl } = await Promise.race([failed, whenThere(ready, abort.signal)]);
    return Number(new URL(agentsUrl).port);
  } finally {
    abort.abort();
  }
}

/** The workerd of the broker that runs on a state folder, as its lock names it; `undefined` while there is none. */
export async function workerdPidOf(state: string): Promise<number | undefined> {
  const lock = JSON.parse(await readFile(join(state, "lock"), "utf8")) as { workerd?: { pid: number } };
  return lock.workerd?.pid;
}

async function whenThere(file: string, signal: AbortSignal): Promise<{ agentsUrl: string }> {
  while (!signal.aborted) {
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text !== undefined) return JSON.parse(text);
    await sleep(50);
  }
  throw signal.reason;
}
