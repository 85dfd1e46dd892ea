// What came in and is not wholly taken, in the order of `seq`. Acknowledgement is cumulative, so a number is taken only when
// everything before it is: a message that nobody reads holds back the acknowledgement of all behind it, and nothing else.
import type { FromBroker } from "../../../protocol/wire/envelope.ts";
import type { Message } from "./api.ts";
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

/** A message for the application, and its place in the inbox. */
export class Incoming implements Slot, Message {
  readonly content: unknown;
  readonly id: string;
  readonly seq: number;
  readonly timestamp?: string;
  // Private, so that a program that prints or compares messages sees only what was sent.
  #taken = false;

  constructor({ data, id, seq, timestamp }: FromBroker<"MESSAGE">) {
    this.content = data.content;
    this.id = id;
    this.seq = seq;
    if (timestamp !== undefined) this.timestamp = timestamp;
  }

  get taken(): boolean {
    return this.#taken;
  }

  set taken(taken: boolean) {
    this.#taken = taken;
  }
}
