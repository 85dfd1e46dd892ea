// Load in processes of its own, so that it shares no event loop with the edge. The parent asks, the child answers; in between it
// may tell things. One question at a time.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Failure } from "../scripts/failure.ts";

interface Question {
  what: string;
  argument: unknown;
}
type Said = { told: string } | { answer: unknown };

/** What a child can be asked; `tell` says something before the answer. */
export type Work<Argument = never> = (argument: Argument, tell: (said: string) => void) => Promise<unknown>;

/** The child's side: answers by name, until it is ended. A failure ends it, with its stack. */
export function serve(work: Record<string, Work>): void {
  const say = (said: Said) => process.send?.(said);
  process.on("message", ({ what, argument }: Question) => {
    const asked = work[what];
    if (asked === undefined) throw new Error(`nobody does ${what}`);
    asked(argument as never, (told) => say({ told })).then(
      (answer) => say({ answer }),
      (error) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.once("disconnect", () => process.exit(0));
}

export class Child {
  readonly #process: ChildProcess;
  #hear: (said: string) => void = () => undefined;
  #waiting: PromiseWithResolvers<unknown> | undefined;

  /** @param script path relative to this folder */
  constructor(script: string) {
    const path = fileURLToPath(new URL(script, import.meta.url));
    this.#process = fork(path, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#process.on("message", (said: Said) => {
      if ("told" in said) this.#hear(said.told);
      else this.#waiting?.resolve(said.answer);
    });
    this.#process.once("exit", (code) =>
      this.#waiting?.reject(new Failure(`The load (${script}) ended before it was measured (${code}).`)),
    );
  }

  /** The answer is what the child's script says it is: both are ours. */
  ask<Answer>(what: string, argument: object = {}, hear: (said: string) => void = () => undefined): Promise<Answer> {
    this.#hear = hear;
    this.#waiting = Promise.withResolvers();
    this.#process.send({ what, argument } satisfies Question);
    return this.#waiting.promise as Promise<Answer>;
  }

  end(): void {
    this.#waiting = undefined;
    if (this.#process.connected) this.#process.disconnect();
  }
}
