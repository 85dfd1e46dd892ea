// The judge of a run: it knows nothing of sockets or sessions, only what the agents' applications noted. Whatever was stored
// must have been taken, once, in order; whatever was sent by one that lived on must have come to its end.
import type { Entry } from "./ledger.ts";

export interface Verdict {
  /** Numbers that receivers took. */
  messages: number;
  /** Acknowledged as stored, or followed by later numbers, and never taken. */
  lost: number;
  /** Taken again, or taken and never sent. */
  duplicated: number;
  /** Taken after a later number of the same stream. */
  outOfOrder: number;
  /** Sent by an application that lived on, and neither stored nor taken; streams without an end. */
  unfinished: number;
  /** The first of each kind, for people. */
  findings: string[];
}

const findingsMax = 40;

class Stream {
  readonly name: string;
  sent = 0;
  stored = 0;
  ended: number | undefined;
  /** The ledger of the one who took it. */
  receiver: number | undefined;
  readonly #missing = new Set<number>();
  #taken = 0;

  constructor(name: string) {
    this.name = name;
  }

  take(n: number): "fine" | "duplicated" | "outOfOrder" {
    if (n > this.#taken) {
      for (let skipped = this.#taken + 1; skipped < n; skipped++) this.#missing.add(skipped);
      this.#taken = n;
      return "fine";
    }
    return this.#missing.delete(n) ? "outOfOrder" : "duplicated";
  }

  /**
   * Numbers that never came, though others came after them or they were stored.
   * @param refused whether the tail may have been refused after it was stored
   */
  lost(refused: boolean): number {
    return this.#missing.size + (refused ? 0 : Math.max(0, this.stored - this.#taken));
  }

  /** Numbers that came from nowhere. */
  get invented(): number {
    return Math.max(0, this.#taken - this.sent);
  }

  /** Numbers that were sent and of which nobody can say anything. */
  get open(): number {
    return Math.max(0, this.sent - Math.max(this.stored, this.#taken));
  }

  describe(): string {
    const missing = [...this.#missing].slice(0, 5).join(", ");
    const end = this.ended === undefined ? "no end" : `ended at ${this.ended}`;
    return `${this.name}: sent ${this.sent}, stored ${this.stored}, taken ${this.#taken}, ${end}${missing && `, missing ${missing}`}`;
  }
}

/**
 * @param ledgers one per agent, each in its own order (that of all its incarnations)
 * @param excuse what of a stream nobody can be blamed for, because somebody was killed: see `excuseOf`, and `holesOf` for how
 * many may be missing; `receiver` is the index of the ledger in which it was taken
 */
export function judge(
  ledgers: Iterable<Iterable<Entry>>,
  excuse: (stream: string, receiver: number | undefined) => { open: boolean; lost: boolean; holes?: number },
): Verdict {
  const streams = new Map<string, Stream>();
  const verdict: Verdict = { messages: 0, lost: 0, duplicated: 0, outOfOrder: 0, unfinished: 0, findings: [] };
  /** Beginnings of the names of streams whose task was cancelled. */
  const cancelled = new Set<string>();
  const find = (text: string) => verdict.findings.length < findingsMax && verdict.findings.push(text);
  let index = -1;
  for (const ledger of ledgers) {
    index++;
    for (const { fact, stream: name, n } of ledger) {
      if (fact === "cancelled") cancelled.add(`${name}/${n}`);
      if (fact === "cancelled" || fact === "finished") continue;
      const stream = streams.get(name) ?? new Stream(name);
      streams.set(name, stream);
      if (fact === "ended") stream.ended = n;
      else if (fact !== "taken") stream[fact] = Math.max(stream[fact], n);
      else {
        verdict.messages++;
        stream.receiver = index;
        const how = stream.take(n);
        if (how === "fine") continue;
        verdict[how]++;
        find(`${how}: ${name} ${n}`);
      }
    }
  }
  for (const stream of streams.values()) {
    const refused = cancelled.has(stream.name.slice(0, stream.name.lastIndexOf("/")));
    const excused = excuse(stream.name, stream.receiver);
    const lost = excused.lost ? 0 : Math.max(0, stream.lost(refused) - (excused.holes ?? 0));
    const unfinished = refused || excused.open ? 0 : stream.open + (stream.ended === undefined ? 1 : 0);
    verdict.lost += lost;
    verdict.duplicated += stream.invented;
    verdict.unfinished += unfinished;
    if (lost + stream.invented + unfinished > 0) find(stream.describe());
  }
  return verdict;
}
