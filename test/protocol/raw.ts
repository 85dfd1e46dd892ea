// A client of somebody else's making: envelopes written by hand, so that tests can say what our own client half never would.
// The session is accepted, both ends attached; neither has a ClientSession.
import type { BrokerEnvelope, FromBroker } from "../../protocol/wire/envelope.ts";
import { type End, Link, type LinkOptions, mint } from "./link.ts";

export class Raw extends Link {
  constructor(options: LinkOptions = {}) {
    super({ ...options, answering: false });
  }

  init(end: End = this.a, more: object = {}): void {
    this.say(end, this.of("SESSION_INIT", { to: "analyst", ...more }));
  }

  #accept = this.of("SESSION_ACCEPT");

  accept(end: End = this.b): void {
    this.#accept = this.of("SESSION_ACCEPT");
    this.say(end, this.#accept);
  }

  /** The same ACCEPT once more, as a client that has no answer yet. */
  acceptAgain(end: End = this.b): void {
    this.say(end, this.#accept);
  }

  static accepted(options: LinkOptions = {}): Raw {
    const link = new Raw(options);
    link.init();
    link.accept();
    return link;
  }

  of(type: string, more: object = {}): object {
    return { type, id: mint(), session_id: this.session_id, ...more };
  }

  message(seq: number, content: unknown = seq): object {
    return this.of("MESSAGE", { seq, data: { content } });
  }

  /** MESSAGEs first … last. */
  messages(first: number, last: number): object[] {
    return Array.from({ length: last - first + 1 }, (_, i) => this.message(first + i));
  }

  ack(ack: number): object {
    return { type: "MESSAGE_ACK", session_id: this.session_id, ack };
  }

  close(seq: number, reason?: string): object {
    return this.of("SESSION_CLOSE", { seq, data: reason === undefined ? {} : { reason } });
  }

  resume(received: number, first: number, next: number, more: { ack?: number; epoch?: string } = {}): object {
    const epoch = more.epoch ?? this.store.record?.epoch ?? "";
    const { ack } = more;
    return this.of("SESSION_RESUME", { ...(ack !== undefined && { ack }), data: { epoch, received, first, next } });
  }
}

export const said = <T extends BrokerEnvelope["type"]>(end: End, type: T): FromBroker<T>[] =>
  end.got.filter((envelope): envelope is FromBroker<T> & BrokerEnvelope => envelope.type === type) as FromBroker<T>[];

/** The last envelope of that type; a test that asks for it fails when there is none. */
export function last<T extends BrokerEnvelope["type"]>(end: End, type: T): FromBroker<T> {
  const envelope = said(end, type).at(-1);
  if (envelope === undefined) throw new Error(`${end.name} never got ${type}`);
  return envelope;
}

/** Reasons of the ERRORs an end got. */
export const errorsOf = (end: End): string[] => said(end, "ERROR").map(({ data }) => data.reason);

/** Forgets what an end heard so far. */
export function deafen(...ends: End[]): void {
  for (const end of ends) {
    end.got = [];
    end.heard = [];
  }
}

/** The contents of the MESSAGEs an end got, in order, repetitions included. */
export const contents = (end: End): unknown[] => said(end, "MESSAGE").map(({ data }) => data.content);
