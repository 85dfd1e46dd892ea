// What one agent's application knows of its session, over all its lives: what it said, what it heard and took, and which receipts
// it has seen. A life that begins without memory goes on where the broker says that it stands; what was said and not stored is gone.
import type { DeliveredEnvelope } from "../../protocol/wire/envelope.ts";
import type { SessionMemory } from "../../sdk/typescript/src/journal-records.ts";
import type { Sent } from "./ledger.ts";

/** Where an end stands that lost its memory, as the broker tells it (A8). */
export interface Standing {
  received: number;
  delivered: number;
  taken: number;
  sent: number;
  requested: readonly string[];
}

/** SESSION_RESUMED's `data`, as far as it says so. */
export type Told = { [K in keyof Standing]?: Standing[K] | undefined };

export const standingOf = ({ received = 0, delivered = 0, taken = 0, sent = 0, requested = [] }: Told): Standing => ({
  received,
  delivered,
  taken,
  sent,
  requested,
});

export class Diary {
  /** What it said; the first has `seq` 1. */
  said: Sent[] = [];
  /** What it heard, by id; the first has `seq` 1. */
  heard: string[] = [];
  /** The application has taken everything through this. */
  taken = 0;
  /** The receipts that it has seen. */
  stored = 0;
  delivered = 0;
  /** With a journal: of `said`, what was written. */
  written = 0;
  /** What the application was given, by id: with a journal, when it took it. What it is taking now. */
  readonly given = new Set<string>();
  readonly givenSeqs = new Set<number>();
  taking: DeliveredEnvelope | undefined;
  /** Tasks that it was given, and how much it had said then. */
  readonly begun = new Map<string, number>();
  /** Why its session ended, once it has. */
  end = "";
  /** A life without memory has begun, and does not know yet where it stands. */
  isBlank = false;
  /** The most that any of its lives heard. */
  heardMost = 0;
  /** What earlier lives heard, and the present one may hear again. */
  readonly #before = new Set<string>();

  hears(id: string): void {
    this.heard.push(id);
    this.heardMost = Math.max(this.heardMost, this.heard.length);
  }

  /** Whether an earlier life heard it, and nobody knows whether it took it. */
  mayKnow(id: string): boolean {
    return this.#before.has(id);
  }

  /** @param heard the ids of everything through `taken`, where that is not what it heard itself: older storage came back */
  recover({ received, delivered, taken }: Standing, heard: readonly string[] = this.heard): void {
    for (const id of this.heard.slice(taken)) this.#before.add(id);
    this.isBlank = false;
    this.said = this.said.slice(0, received);
    this.heard = heard.slice(0, taken);
    for (let seq = 1; seq <= taken; seq++) this.givenSeqs.add(seq);
    this.taken = taken;
    this.stored = received;
    this.delivered = delivered;
  }

  gives(envelope: DeliveredEnvelope): void {
    this.given.add(envelope.id);
    this.givenSeqs.add(envelope.seq);
    if (envelope.type === "TASK_REQUEST") this.begun.set(envelope.data.task_id, this.said.length);
    if (envelope.type === "SESSION_CLOSE") this.begun.clear();
  }

  /** Tasks that were begun and not answered, with so much of what was said. */
  running(said: readonly Sent[]): string[] {
    const closedAt = said.findIndex(({ type }) => type === "SESSION_CLOSE");
    const isRunning = ([task_id, at]: [string, number]) =>
      at > closedAt && !said.slice(at).some(({ type, data }) => type === "TASK_RESPONSE" && data.includes(task_id));
    return [...this.begun].filter(isRunning).map(([task_id]) => task_id);
  }

  /** A life goes on from what was written. */
  recall({ next, taken, stored }: SessionMemory): void {
    this.isBlank = false;
    this.said = this.said.slice(0, next - 1);
    this.written = this.said.length;
    this.heard = this.heard.slice(0, taken);
    this.taken = taken;
    this.stored = stored;
    this.delivered = 0;
  }
}
