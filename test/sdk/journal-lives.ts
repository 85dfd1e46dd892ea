// The lives of one program with a journal: each a process, ended by SIGKILL; and what all of them noted.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { killChild } from "../../scripts/broker/child.ts";
import type { ConnectOptions } from "../../sdk/typescript/src/index.ts";
import type { Plan } from "./journal-program.ts";

const program = fileURLToPath(new URL("./journal-program.ts", import.meta.url));
const patienceMs = 30_000;

/** From now on what this process writes to the file that it has open by that name finds no room. (Linux.) */
export function fillUp(path: string): void {
  const mine = readdirSync("/proc/self/fd").find((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      // The folder was read by a file of its own, which is closed by now.
      return false;
    }
  });
  if (mine === undefined) throw new Error(`${path} is not open here`);
  closeSync(Number(mine));
  // The next file that is opened has the number of the one that was closed.
  const full = openSync("/dev/full", "w");
  if (full !== Number(mine)) throw new Error(`/dev/full is ${full} and not ${mine}`);
}

export class Lives implements AsyncDisposable {
  readonly journal: string;
  readonly #dir: string;
  readonly #options: ConnectOptions;
  #child: ChildProcess | undefined;

  private constructor(dir: string, options: ConnectOptions) {
    this.#dir = dir;
    this.journal = join(dir, "journal");
    this.#options = { reconnect: { baseMs: 5, maxMs: 50 }, ...options, journal: this.journal };
  }

  static async of(options: ConnectOptions): Promise<Lives> {
    return new Lives(await mkdtemp(join(tmpdir(), "agentworks-journal-")), options);
  }

  get #notes(): string {
    return join(this.#dir, "notes");
  }

  /** Starts the next life. */
  async begin(plan: Omit<Plan, "options" | "notes">, options: Partial<ConnectOptions> = {}): Promise<void> {
    const child = fork(program, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child = child;
    await once(child, "spawn");
    child.send({ ...plan, options: { ...this.#options, ...options }, notes: this.#notes });
  }

  /** Its handlers that wait may end. */
  tell(): void {
    this.#child?.send("end");
  }

  async kill(): Promise<void> {
    if (this.#child !== undefined) await killChild(this.#child);
    this.#child = undefined;
  }

  /** What was noted under that word, in order: the words after it. */
  noted(word: string): string[] {
    let text = "";
    try {
      text = readFileSync(this.#notes, "utf8");
    } catch {
      // It has noted nothing yet.
    }
    const lines = text.split("\n").slice(0, -1);
    return lines.flatMap((line) => (line.split(" ")[0] === word ? [line.slice(word.length + 1)] : []));
  }

  /** Waits until so much is noted under that word. */
  async until(word: string, count = 1): Promise<string[]> {
    for (const end = performance.now() + patienceMs; performance.now() < end; await sleep(2)) {
      const noted = this.noted(word);
      if (noted.length >= count) return noted;
    }
    throw new Error(`${count} × ${word} were not noted in time, only ${this.noted(word).length}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
