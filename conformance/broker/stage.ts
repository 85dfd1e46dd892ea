// Two agents of one account at the broker that is tried, and sessions between them. Envelopes are made here by hand, after
// PROTOCOL.md: no code of an SDK stands between a check and the wire.
import { randomUUID } from "node:crypto";
import { must } from "../check.ts";
import { type Identity, Peer, type Target } from "./peer.ts";

export const uuid = (): string => randomUUID();

export interface Stagehands {
  target: Target;
  /** Two agents of one account. */
  a: Identity;
  b: Identity;
}

/** An accepted session, and where both connections stand. */
export interface Opened {
  a: Peer;
  b: Peer;
  session_id: string;
  epoch: string;
  /** The first limit of `a`. */
  limit: number;
  /** The broker's SESSION_INIT as `b` got it. */
  offer: { from: string; to?: string | undefined; data: Record<string, unknown> };
}

export class Stage {
  readonly target: Target;
  readonly #hands: Stagehands;
  readonly #peers: Peer[] = [];
  /** Names, as REGISTER_ACK says them. */
  readonly names = { a: "", b: "" };

  constructor(hands: Stagehands) {
    this.#hands = hands;
    this.target = hands.target;
  }

  identity(who: "a" | "b"): Identity {
    return this.#hands[who];
  }

  /** A connection that has not registered. */
  async dial(who: "a" | "b", path = "/v1/connect"): Promise<Peer> {
    const peer = await Peer.dial(
      who === "a" ? "the first agent" : "the second agent",
      this.target,
      this.#hands[who],
      path,
    );
    this.#peers.push(peer);
    return peer;
  }

  /** A registered connection. */
  async connect(who: "a" | "b", capabilities: readonly object[] = []): Promise<Peer> {
    const peer = await this.dial(who);
    peer.say({ type: "REGISTER", id: uuid(), data: { capabilities, sdk: "conformance/1" } });
    const ack = await peer.next("REGISTER_ACK");
    this.names[who] = ack.data.agent;
    return peer;
  }

  /** Both connected. */
  async both(capabilities: readonly object[] = []): Promise<{ a: Peer; b: Peer }> {
    const a = await this.connect("a");
    return { a, b: await this.connect("b", capabilities) };
  }

  /** SESSION_INIT of the first agent for the second. */
  init(session_id: string, data: object = {}): object {
    return { type: "SESSION_INIT", id: uuid(), session_id, to: this.names.b, data };
  }

  /** An accepted session, with both sides attached. */
  async open(data: object = {}): Promise<Opened> {
    const { a, b } = await this.both();
    return this.openOn(a, b, data);
  }

  async openOn(a: Peer, b: Peer, data: object = {}): Promise<Opened> {
    const session_id = uuid();
    a.say(this.init(session_id, data));
    const offer = await b.next("SESSION_INIT", (one) => one.session_id === session_id);
    b.say({ type: "SESSION_ACCEPT", id: uuid(), session_id, in_reply_to: offer.id });
    const mine = await a.next("SESSION_ACCEPT", (one) => one.session_id === session_id);
    const theirs = await b.next("SESSION_ACCEPT", (one) => one.session_id === session_id);
    must("N2", mine.data.epoch === theirs.data.epoch, "both SESSION_ACCEPTs name the same epoch");
    return { a, b, session_id, epoch: mine.data.epoch, limit: mine.limit, offer };
  }

  /** Closes what the check left open. */
  end(): void {
    for (const peer of this.#peers) if (peer.isOpen) peer.cut();
  }
}

/** The contents of the next so many MESSAGEs, and their numbers. */
export async function hear(peer: Peer, count: number): Promise<{ seq: number; id: string; content: unknown }[]> {
  const heard: { seq: number; id: string; content: unknown }[] = [];
  while (heard.length < count) {
    const { seq, id, data } = await peer.next("MESSAGE");
    heard.push({ seq, id, content: data.content });
  }
  return heard;
}

// --- envelopes

type Members = Record<string, unknown>;

export const message = (session_id: string, seq: number, content: unknown = seq, more: Members = {}): Members => ({
  type: "MESSAGE",
  id: uuid(),
  session_id,
  seq,
  data: { content },
  ...more,
});

/** MESSAGEs first … last. */
export const messages = (session_id: string, first: number, last: number): Members[] =>
  Array.from({ length: last - first + 1 }, (_, i) => message(session_id, first + i));

export const ack = (session_id: string, through: number): Members => ({
  type: "MESSAGE_ACK",
  session_id,
  ack: through,
});

export const request = (session_id: string, seq: number, task_id: string, more: Members = {}): Members => ({
  type: "TASK_REQUEST",
  id: uuid(),
  session_id,
  seq,
  data: { task_id, capability: "conformance.echo", input: { n: 1 }, ...more },
});

export const response = (session_id: string, seq: number, task_id: string, status = "succeeded"): Members => ({
  type: "TASK_RESPONSE",
  id: uuid(),
  session_id,
  seq,
  data: { task_id, status, result: "done" },
});

export const close = (session_id: string, seq: number): Members => ({
  type: "SESSION_CLOSE",
  id: uuid(),
  session_id,
  seq,
  data: { reason: "done" },
});

export const resume = (
  { session_id, epoch }: Pick<Opened, "session_id" | "epoch">,
  received: number,
  first: number,
  next: number,
  more: Members = {},
): Members & { id: string } => ({
  type: "SESSION_RESUME",
  id: uuid(),
  session_id,
  data: { epoch, received, first, next },
  ...more,
});

export const recover = (session_id: string): Members & { id: string } => ({
  type: "SESSION_RESUME",
  id: uuid(),
  session_id,
  data: { received: null },
});
