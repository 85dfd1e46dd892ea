// The lives of one program with a journal: each a process, ended by SIGKILL; and what all of them noted.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { vi } from "vitest";
import { killChild } from "../../scripts/broker/child.ts";
import type { ConnectOptions } from "../../sdk/typescript/src/index.ts";
import type { Plan } from "./journal-program.ts";

const program = fileURLToPath(new URL("./journal-program.ts", import.meta.url));
const patienceMs = 30_000;

/** A command line for a program whose files find no room beyond so many bytes, a multiple of 512: what a full disk says, it is told. */
export function withRoom(bytes: number, ...words: string[]): [command: string, args: string[]] {
  return ["sh", ["-c", `ulimit -f ${bytes / 512} && exec "$@"`, "sh", ...words]];
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

  /** Starts the next life. `room` in bytes, as `withRoom` has it. */
  async begin(
    plan: Omit<Plan, "options" | "notes">,
    { room, ...options }: Partial<ConnectOptions> & { room?: number } = {},
  ): Promise<void> {
    const words = [process.execPath, program] as const;
    const [command, args] = room === undefined ? [words[0], [words[1]]] : withRoom(room, ...words);
    const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
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

  /** Waits until its journal has that. */
  async written(what: RegExp): Promise<void> {
    await vi.waitUntil(() => what.test(readFileSync(this.journal, "utf8")), { timeout: patienceMs, interval: 2 });
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
