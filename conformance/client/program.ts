// The program under test: a process that gets its broker and its certificate by environment variables, and is killed in the end.
import { type ChildProcess, spawn } from "node:child_process";

/** Paths, and where the broker is. */
export interface ProgramSetup {
  /** The program and its arguments. */
  command: readonly string[];
  url: string;
  caFile: string;
  certFile: string;
  keyFile: string;
}

const outputMax = 2_000;

export class Program {
  readonly #child: ChildProcess;
  #output = "";
  /** How it ended by itself, or undefined while it runs. */
  ended: string | undefined;

  /** @param gone is told when it ended by itself */
  constructor({ command: [file = "", ...args], url, caFile, certFile, keyFile }: ProgramSetup, gone: () => void) {
    const env = {
      ...process.env,
      AGENTWORKS_URL: url,
      AGENTWORKS_CA: caFile,
      AGENTWORKS_CERT: certFile,
      AGENTWORKS_KEY: keyFile,
    };
    this.#child = spawn(file, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-outputMax);
      });
    this.#child.on("error", (error) => {
      this.ended = `it could not be started: ${error.message}`;
      gone();
    });
    this.#child.on("close", (code, signal) => {
      this.ended ??= `it ended with ${signal ?? code}`;
      gone();
    });
  }

  /** The last that it printed, for people. */
  get output(): string {
    return this.#output.trim();
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
