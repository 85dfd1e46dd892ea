// What one agent's application knows of its session, over all its lives: what it said, what it heard and took, and which receipts
// it has seen. A life that begins without memory goes on where the broker says that it stands; what was said and not stored is gone.
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
    this.taken = taken;
    this.stored = received;
    this.delivered = delivered;
  }
}
