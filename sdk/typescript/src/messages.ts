// The messages of a session on their way to the application: each keeps its place in the inbox until a reader takes it.
import type { FromBroker } from "../../../protocol/wire/envelope.ts";
import type { Message } from "./api.ts";
import { Channel } from "./channel.ts";
import type { Inbox, Slot } from "./inbox.ts";

class Incoming implements Slot, Message {
  readonly content: unknown;
  readonly id: string;
  readonly seq: number;
  readonly timestamp?: string;
  readonly redelivered?: true;
  // Private, so that a program that prints or compares messages sees only what was sent.
  #taken = false;

  constructor({ data, id, seq, timestamp }: FromBroker<"MESSAGE">, redelivered: boolean) {
    this.content = data.content;
    this.id = id;
    this.seq = seq;
    if (timestamp !== undefined) this.timestamp = timestamp;
    if (redelivered) this.redelivered = true;
  }

  get taken(): boolean {
    return this.#taken;
  }

  set taken(taken: boolean) {
    this.#taken = taken;
  }
}

export class Messages {
  readonly #inbox: Inbox;
  readonly #channel: Channel<Incoming>;

  constructor(inbox: Inbox) {
    this.#inbox = inbox;
    this.#channel = new Channel((incoming) => inbox.done(incoming));
  }

  get hasUnread(): boolean {
    return this.#channel.size > 0;
  }

  read(): AsyncIterableIterator<Message> {
    return this.#channel[Symbol.asyncIterator]();
  }

  arrived(envelope: FromBroker<"MESSAGE">, redelivered: boolean): void {
    this.#channel.push(this.#inbox.arrived(new Incoming(envelope, redelivered)));
  }

  /** This side closed: what nobody reads now, nobody will. Otherwise the session would wait for a reader to end. */
  unwanted(): void {
    this.#channel.unwanted();
  }

  /** No more will come; what is there can be read. Then readers end, or throw `error`. */
  end(error?: unknown): void {
    this.#channel.end(error);
  }
}
