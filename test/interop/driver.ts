// A driver's process, and the commands that it is led by. It may be killed at any moment; whoever waits for an answer then hears so.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { killChild } from "../../scripts/broker/child.ts";
import type { Language } from "./languages.ts";
import type { Answer, Failing, Name, Parameters, Values } from "./protocol.ts";

const answerMsMax = 60_000;
const leaveMsMax = 5_000;

/** A command that the driver answered with an error. */
export class Refused extends Error {
  readonly reason: string;
  readonly retryable: boolean | undefined;

  constructor(who: string, command: string, { reason, detail, retryable }: Failing) {
    super(`${who} answered \`${command}\`: ${reason}: ${detail}`);
    this.reason = reason;
    this.retryable = retryable;
  }
}

interface Waiting {
  name: Name;
  settle: (answer: Answer) => void;
  fail: (error: Error) => void;
}

export class Driver {
  /** In messages of failures: `python b`. */
  readonly who: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #complaints = "";
  #gone: Error | undefined;

  constructor(language: Language, role: string) {
    const [program, ...rest] = language.command;
    this.who = `${language.name} ${role}`;
    this.#child = spawn(program, rest, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...language.env },
    });
    this.#child.on("error", (error) => this.#end(error));
    this.#child.once("close", (code, signal) => this.#end(new Error(`${this.who} ended (${code ?? signal})`)));
    this.#child.stdin.on("error", () => undefined);
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#complaints += text;
    });
    let begun = "";
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => {
      // Not readline, which also ends lines where JSON does not.
      const lines = (begun + text).split("\n");
      begun = lines.pop() ?? "";
      for (const line of lines) this.#hear(line);
    });
  }

  /** What it wrote to stderr, which a driver in good health does not. */
  get complaints(): string {
    return this.#complaints;
  }

  #end(error: Error): void {
    this.#gone ??= error;
    for (const { fail } of this.#waiting.values()) fail(this.#gone);
    this.#waiting.clear();
  }

  #hear(line: string): void {
    let answer: Answer;
    try {
      answer = JSON.parse(line);
    } catch {
      this.#complaints += `on stdout, and no answer: ${line}\n`;
      return;
    }
    this.#waiting.get(answer.id)?.settle(answer);
    this.#waiting.delete(answer.id);
  }

  /** One command. Rejects with Refused when that is its answer, and when there is none in time. */
  ask<N extends Name>(name: N, parameters: Parameters[N], msMax = answerMsMax): Promise<Values[N]> {
    const answered = this.#ask(name, parameters, msMax);
    // A scenario that failed before it came to this answer has said why.
    answered.catch(() => undefined);
    return answered;
  }

  async #ask<N extends Name>(name: N, parameters: Parameters[N], msMax: number): Promise<Values[N]> {
    if (this.#gone !== undefined) throw this.#gone;
    const id = ++this.#lastId;
    const { promise, resolve: settle, reject: fail } = Promise.withResolvers<Answer>();
    this.#waiting.set(id, { name, settle, fail });
    this.#child.stdin.write(`${JSON.stringify({ id, do: name, ...parameters })}\n`);
    const late = new AbortController();
    const timeout = sleep(msMax, undefined, { signal: late.signal }).then(() => {
      throw new Error(`${this.who} did not answer \`${name} ${JSON.stringify(parameters)}\` in ${msMax / 1000} s`);
    });
    // Once it is answered nobody waits for this any more.
    timeout.catch(() => undefined);
    try {
      const answer = await Promise.race([promise, timeout]);
      if ("error" in answer) throw new Refused(this.who, name, answer.error);
      return answer.value as Values[N];
    } finally {
      late.abort();
      this.#waiting.delete(id);
    }
  }

  /** SIGKILL, in the midst of whatever it does. */
  async kill(): Promise<void> {
    await killChild(this.#child);
  }

  /** The end of stdin: it must leave by itself, with exit code 0. */
  async leave(): Promise<void> {
    const ended = new Promise<number | null>((resolve) => this.#child.once("close", resolve));
    this.#child.stdin.end();
    const code = await Promise.race([ended, sleep(leaveMsMax).then(() => undefined)]);
    if (code === undefined) throw new Error(`${this.who} still runs ${leaveMsMax / 1000} s after the end of its stdin`);
    if (code !== 0) throw new Error(`${this.who} ended with exit code ${code}`);
  }
}
