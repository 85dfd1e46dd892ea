// What came in and is not wholly taken, in the order of `seq`. Acknowledgement is cumulative, so a number is taken only when
// everything before it is: a message that nobody reads holds back the acknowledgement of all behind it, and nothing else.
import type { DeliveredEnvelope } from "../../../protocol/wire/envelope.ts";
import { Fifo } from "./fifo.ts";

/** One number of the peer's stream. Whoever handles it says `done`. */
export interface Slot {
  readonly seq: number;
  taken: boolean;
  /** What came, where more than its number is to be remembered. */
  readonly envelope?: DeliveredEnvelope;
}

/** Is told of each number before it is taken. False: it must not be. */
export type Note = (slot: Slot, through: number) => boolean;

export class Inbox {
  readonly #open = new Fifo<Slot>();
  readonly #take: (seq: number) => void;
  readonly #note: Note | undefined;
  /** Numbers that an earlier life took before what precedes them. */
  #before: ReadonlySet<number> = new Set();

  /** @param take is told the highest number through which everything is taken */
  constructor(take: (seq: number) => void, note?: Note) {
    this.#take = take;
    this.#note = note;
  }

  /** These were taken already, and come again because something before them was not. */
  recall(taken: ReadonlySet<number>): void {
    this.#before = new Set(taken);
  }

  /** Whether it was taken in an earlier life: then it only keeps its place. Instead of `arrived`. */
  hadBefore(seq: number): boolean {
    if (!this.#before.has(seq)) return false;
    this.#open.push({ seq, taken: true });
    return true;
  }

  /** Numbers must come in order. */
  arrived<S extends Slot>(slot: S): S {
    this.#open.push(slot);
    return slot;
  }

  /** @returns false: the application must not have it */
  done(slot: Slot): boolean {
    if (slot.taken) return true;
    slot.taken = true;
    let through = 0;
    for (let head = this.#open.peek(); head?.taken === true; head = this.#open.peek()) {
      through = head.seq;
      this.#open.shift();
    }
    if (this.#note?.(slot, through) === false) return false;
    if (through > 0) this.#take(through);
    return true;
  }
}
