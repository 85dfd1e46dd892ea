// What came in and is not wholly taken, in the order of `seq`. Acknowledgement is cumulative, so a number is taken only when
// everything before it is: a message that nobody reads holds back the acknowledgement of all behind it, and nothing else.
import { Fifo } from "./fifo.ts";

/** One number of the peer's stream. Whoever handles it says `done`. */
export interface Slot {
  readonly seq: number;
  taken: boolean;
}

export class Inbox {
  readonly #open = new Fifo<Slot>();
  readonly #take: (seq: number) => void;

  /** @param take is told the highest number through which everything is taken */
  constructor(take: (seq: number) => void) {
    this.#take = take;
  }

  /** Numbers must come in order. */
  arrived<S extends Slot>(slot: S): S {
    this.#open.push(slot);
    return slot;
  }

  done(slot: Slot): void {
    if (slot.taken) return;
    slot.taken = true;
    let through = 0;
    for (let head = this.#open.peek(); head?.taken === true; head = this.#open.peek()) {
      through = head.seq;
      this.#open.shift();
    }
    if (through > 0) this.#take(through);
  }
}
