// What a session says that it has carried, from both ends of the report: the oracle's own count of what was accepted, and the
// receiver that applies the reports as they come — late, repeated, in another order, or not at all.
import type { Cursors, Usage, UsageReport } from "../../protocol/session/effects.ts";
import type { Sent } from "./ledger.ts";

const isSame = (a: Usage, b: Usage): boolean => a.messages === b.messages && a.bytes === b.bytes && a.tasks === b.tasks;

const told = ({ messages, bytes, tasks }: Usage): string => `${messages} messages, ${bytes} bytes, ${tasks} tasks`;

/** What was accepted, counted from the rows that are durable. */
export class Tally {
  #messages = 0;
  #bytes = 0;
  /** What the stored cursors said, by their version. */
  #stored = new Map<number, Usage>();

  accept({ type, data }: Sent): void {
    if (type === "SESSION_CLOSE") return;
    this.#messages++;
    this.#bytes += data.length;
  }

  /** @param tasks how many were opened so far */
  usage(tasks: number): Usage {
    return { messages: this.#messages, bytes: this.#bytes, tasks };
  }

  /** Cursors became durable, with the rows that they count. @returns what is wrong with them */
  stores({ version, usage }: Cursors, tasks: number): string | undefined {
    this.#stored.set(version, usage);
    const truth = this.usage(tasks);
    return isSame(usage, truth) ? undefined : `counted are ${told(usage)}; accepted ${told(truth)}`;
  }

  /** @returns what is wrong with a report that leaves */
  reports({ number, ...usage }: UsageReport): string | undefined {
    const stored = this.#stored.get(number) ?? { messages: 0, bytes: 0, tasks: 0 };
    return isSame(usage, stored) ? undefined : `report ${number} says ${told(usage)}; stored are ${told(stored)}`;
  }

  copy(): Tally {
    const copy = new Tally();
    copy.#messages = this.#messages;
    copy.#bytes = this.#bytes;
    copy.#stored = new Map(this.#stored);
    return copy;
  }
}

/** Who is told: of two reports the one with the higher number has the later totals. */
export class Meter {
  #latest: UsageReport = { number: 0, messages: 0, bytes: 0, tasks: 0 };

  receive(report: UsageReport): void {
    if (report.number >= this.#latest.number) this.#latest = report;
  }

  /** What it has wrong of the truth, when everything was told. */
  misses(truth: Usage): string | undefined {
    return isSame(this.#latest, truth) ? undefined : `it was told of ${told(this.#latest)}; accepted ${told(truth)}`;
  }
}
