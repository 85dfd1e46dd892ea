// A link of real halves in memory: one BrokerSession, two ClientSessions, a store that outlives the broker's memory.
// Time and dice are the test's. It carries out effects exactly as `SessionObject` does.
import { BrokerSession } from "../../protocol/session/broker.ts";
import { ClientSession } from "../../protocol/session/client.ts";
import type { ClientEvent } from "../../protocol/session/client-events.ts";
import type { Effect, Output } from "../../protocol/session/effects.ts";
import { otherSide } from "../../protocol/session/tasks.ts";
import { conformClient, decodeBrokerFrame } from "../../protocol/wire/codec.ts";
import type { BrokerEnvelope, FromBroker, SessionEnvelope } from "../../protocol/wire/envelope.ts";
import { uuidv7 } from "../../protocol/wire/ids.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { isRowEffect, Store } from "./store.ts";

let counter = 0;
/** Dice that are the same in every run. */
export const mint = (): string => {
  const n = ++counter;
  return uuidv7(1_700_000_000_000 + n, new Uint8Array(10).fill(n & 255));
};

/** One agent's end: its client half, what it has heard, and whether its connection is up. */
export class End {
  readonly name: string;
  session: ClientSession | undefined;
  attach = "c1";
  up = true;
  /** Codes that the broker closed this end's connection with. */
  closes: number[] = [];
  heard: ClientEvent[] = [];
  got: BrokerEnvelope[] = [];
  /** Takes work as it comes, as a quick application does. */
  takes = true;
  #generation = 1;

  constructor(name: string) {
    this.name = name;
  }

  reconnect(): void {
    this.up = true;
    this.attach = `c${++this.#generation}`;
    this.session?.connected();
  }

  work(): unknown[] {
    return this.heard.flatMap((event) => (event.kind === "work" ? [event.envelope.data] : []));
  }
}

export interface LinkOptions {
  evicting?: boolean;
  answering?: boolean;
}

/** Every scenario of the broker runs with its memory kept, and with the memory lost before each event. */
export const memories = [{ evicting: false }, { evicting: true }] as const;

export class Link {
  readonly store = new Store();
  readonly a = new End("planner");
  readonly b = new End("analyst");
  readonly ends = [this.a, this.b] as const;
  broker: BrokerSession;
  now = 1_000;
  /** Forget the broker's memory before every event. */
  evicting = false;
  /** A frame towards an end that the pipe swallows, without anybody noticing. */
  loses: ((to: End, frame: string) => boolean) | undefined;
  /** Offers become client halves by themselves; without it a test speaks for the responder. */
  readonly answering: boolean;
  /** Why offers fail, when they do. */
  offers: "agent_offline" | "agent_unknown" | undefined;
  /** The index answers. */
  indexes = true;
  /** Every effect carried out, in order. */
  log: Effect[] = [];
  deadline: number | undefined;
  readonly session_id = mint();

  constructor(options: LinkOptions = {}) {
    this.evicting = options.evicting ?? false;
    this.answering = options.answering ?? true;
    this.broker = this.#wakeUp();
  }

  #wakeUp(): BrokerSession {
    return new BrokerSession(this.store, { id: mint, epoch: mint }, this.store.saved());
  }

  evict(): void {
    this.broker = this.#wakeUp();
  }

  /** Gives one event to the broker and carries its effects out. `replyTo` hears the replies. */
  event(give: (broker: BrokerSession) => Output, replyTo?: End, attach = replyTo?.attach): void {
    if (this.evicting) this.evict();
    const { effects, deadline } = give(this.broker);
    this.deadline = deadline;
    for (const effect of effects) this.#carryOut(effect, replyTo, attach);
  }

  #carryOut(effect: Effect, replyTo: End | undefined, attach: string | undefined): void {
    this.log.push(effect);
    if (isRowEffect(effect)) return this.store.apply(effect);
    switch (effect.do) {
      case "reply":
        if (replyTo && attach) this.carry(replyTo, attach, effect.lines, true);
        return;
      case "send":
        return this.#deliver(effect.to, effect.attach, effect.frames);
      case "replay":
        return this.#deliver(
          effect.to,
          effect.attach,
          this.store.frames(otherSide(effect.to), effect.first, effect.last),
        );
      case "close":
        if (this.ends[effect.to].attach !== effect.attach) return;
        this.ends[effect.to].up = false;
        this.ends[effect.to].closes.push(effect.code);
        return;
      case "offer": {
        const failed = this.offers ?? (this.b.up ? undefined : "agent_offline");
        if (failed) return this.event((broker) => broker.offerFailed(failed, this.now), this.a);
        const [offer] = decodeBrokerFrame(effect.line);
        if (!offer?.ok) throw new Error("the offer cannot be read");
        this.b.got.push(offer.envelope);
        if (this.answering) this.b.session ??= ClientSession.accept(offer.envelope as FromBroker<"SESSION_INIT">, mint);
        return;
      }
      case "index":
        if (!this.indexes) return;
        return this.event((broker) => broker.indexed(effect.record.state, this.now));
    }
  }

  /** The alarm rings now. */
  wake(): void {
    this.event((broker) => broker.wake(this.store.lastWorkAt(), this.now));
  }

  /** A day passes without work; whoever is asked before the end what it has (A9) says nothing. */
  expire(): void {
    this.now += limits.sessionIdleMs;
    this.wake();
    this.now += limits.ackStallMs;
    this.wake();
  }

  #deliver(to: 0 | 1, attach: string, frames: string[]): void {
    if (!this.carry(this.ends[to], attach, frames, false)) {
      this.event((broker) => broker.detached(to, attach, this.now));
    }
  }

  /** Frames to one connection; false when it is gone. Here they arrive at once, `Pipes` keeps them under way. */
  protected carry(end: End, attach: string, frames: string[], _isAnswer: boolean): boolean {
    if (!end.up || end.attach !== attach) return false;
    this.hear(end, frames);
    return true;
  }

  protected hear(end: End, frames: string[]): void {
    for (const frame of frames) {
      if (this.loses?.(end, frame)) continue;
      for (const decoded of decodeBrokerFrame(frame)) {
        if (!decoded.ok) throw new Error(`the broker sent ${decoded.fault.reason}: ${frame}`);
        end.got.push(decoded.envelope);
        for (const event of end.session?.receive(decoded.envelope) ?? []) {
          end.heard.push(event);
          if (event.kind === "work" && end.takes) end.session?.take(event.envelope.seq);
        }
      }
    }
  }

  /** Raw envelopes from an end, as a client of somebody else's would send them. */
  say(end: End, ...envelopes: object[]): void {
    this.arrive(end, end.attach, envelopes);
  }

  /** A frame that an end sent while its connection was `attach`. */
  protected arrive(end: End, attach: string, envelopes: object[]): void {
    const decoded = envelopes.map((envelope) => conformClient({ ...envelope }));
    const good = decoded.map((one) => {
      if (!one.ok) throw new Error(`the test sent ${one.fault.reason}: ${JSON.stringify(one.fault.issues)}`);
      return one.envelope as SessionEnvelope;
    });
    const { name: agent } = end;
    this.event((broker) => broker.receive({ agent, attach, envelopes: good }, this.now), end, attach);
  }

  /** Lets both ends send what they have until nothing moves any more. */
  run(rounds = 10_000): void {
    for (let quiet = 0; quiet < 2 && rounds > 0; rounds--) {
      quiet++;
      for (const end of this.ends) {
        const lines = end.up ? (end.session?.lines() ?? []) : [];
        if (lines.length === 0) continue;
        quiet = 0;
        this.say(end, ...lines.map((line) => JSON.parse(line)));
      }
    }
    if (rounds === 0) throw new Error("the link never came to rest");
  }

  /** Both ends in an accepted session. */
  static open(options: LinkOptions = {}): Link {
    const link = new Link(options);
    link.a.session = ClientSession.offer(link.session_id, "analyst", undefined, mint);
    link.run();
    return link;
  }
}
