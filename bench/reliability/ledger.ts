// What an agent's application knows, in a file that only grows and outlives its process: one line per fact, written before
// anything else happens. (`write` hands it to the operating system: it survives SIGKILL of the process, which is what is tested.)
import { openSync, readFileSync, writeSync } from "node:fs";

/**
 * `sent`: given to the SDK. `stored`: the SDK said that the broker has it. `taken`: the application has it. `ended`: nothing
 * more will be sent in that stream, and `n` is its last number. `cancelled`: the task that was request `n` of the stream ended
 * so; steps that came too late for it were refused. `finished`: the handler of request `n` had ended some time ago.
 */
export const facts = ["sent", "stored", "taken", "ended", "cancelled", "finished"] as const;
export type Fact = (typeof facts)[number];

export interface Entry {
  fact: Fact;
  /** Unique in the whole run: names the session's link, the sender and its incarnation, and the kind. Without spaces. */
  stream: string;
  /** 1, 2, 3 … in its stream. */
  n: number;
}

export class Ledger {
  readonly #file: number;
  readonly counts: Record<Fact, number> = { sent: 0, stored: 0, taken: 0, ended: 0, cancelled: 0, finished: 0 };
  /** The last number that earlier incarnations took, by stream. */
  readonly #takenBefore = new Map<string, number>();
  readonly #finishedBefore = new Set<string>();

  constructor(path: string) {
    this.#file = openSync(path, "a+");
    for (const { fact, stream, n } of readLedger(path)) {
      this.counts[fact]++;
      if (fact === "finished") this.#finishedBefore.add(`${stream} ${n}`);
      if (fact === "taken") this.#takenBefore.set(stream, Math.max(n, this.#takenBefore.get(stream) ?? 0));
    }
  }

  note(fact: Fact, stream: string, n: number): void {
    writeSync(this.#file, `${fact} ${stream} ${n}\n`);
    this.counts[fact]++;
  }

  /** Whether an earlier incarnation had finished that request. */
  hadFinished(stream: string, n: number): boolean {
    return this.#finishedBefore.has(`${stream} ${n}`);
  }

  /**
   * Notes that it was taken.
   * @param redelivered whether the SDK said that an earlier incarnation may have had it: one that was noted is then no news
   */
  take(stream: string, n: number, redelivered: boolean): void {
    if (redelivered && n <= (this.#takenBefore.get(stream) ?? 0)) return;
    this.note("taken", stream, n);
  }
}

/** The facts of a ledger in the order in which they were noted. A line that a kill tore apart is no fact. */
export function readLedger(path: string): Entry[] {
  const entries: Entry[] = [];
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const [fact, stream, n] = line.split(" ");
    const known = facts.find((one) => one === fact);
    if (known === undefined || stream === undefined || !/^\d+$/.test(n ?? "")) continue;
    entries.push({ fact: known, stream, n: Number(n) });
  }
  return entries;
}
