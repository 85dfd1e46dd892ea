// Writing a vector of the broker: two agents, what they say when; what comes of it is the core's. Read it before committing it.
import { brokerEpoch, replayBroker } from "../broker-half.ts";
import type { BrokerCase, BrokerStep } from "../broker-steps.ts";
import { own, session_id, theirs } from "./script.ts";

type Members = Record<string, unknown>;

/** A planner on connection `p1`, an analyst on `a1`; a second connection is `p2` and `a2`. */
const agentOf = (on: string): string => (on.startsWith("p") ? "planner" : on.startsWith("a") ? "analyst" : "stranger");

export class Talk {
  readonly #name: string;
  readonly #rules: string[];
  readonly #steps: BrokerStep[] = [];
  #now = 1_000;
  #made = 0;

  constructor(name: string, rules: string[]) {
    this.#name = name;
    this.#rules = rules;
  }

  /** Offered and accepted. */
  static open(name: string, rules: string[]): Talk {
    return new Talk(name, rules).init().accept();
  }

  #step(step: BrokerStep): this {
    this.#steps.push(step);
    return this;
  }

  /** Time passes. */
  after(ms: number): this {
    this.#now += ms;
    return this;
  }

  wake(): this {
    return this.#step({ do: "wake", at: this.#now, said: [], wake_at: null });
  }

  unoffered(reason: string): this {
    return this.#step({ do: "unoffered", at: this.#now, reason, said: [], wake_at: null });
  }

  gone(on: string): this {
    return this.#step({ do: "gone", at: this.#now, agent: agentOf(on), on, said: [], wake_at: null });
  }

  /** One frame of these on a connection. */
  frame(on: string, ...envelopes: Members[]): this {
    const whole = envelopes.map((envelope) => ({ session_id, ...envelope }));
    const step = { do: "frame", at: this.#now, agent: agentOf(on), on, envelopes: whole } as const;
    return this.#step({ ...step, said: [], wake_at: null });
  }

  init(on = "p1", more: Members = {}): this {
    return this.frame(on, { type: "SESSION_INIT", id: own(900), to: "analyst", ...more });
  }

  accept(on = "a1", id = theirs(900)): this {
    return this.frame(on, { type: "SESSION_ACCEPT", id });
  }

  /** Work of one type. */
  work(on: string, seq: number, type: string, data: Members, more: Members = {}): this {
    return this.frame(on, { type, id: own(++this.#made), seq, data, ...more });
  }

  /** MESSAGEs first … last in one frame. */
  say(on: string, first: number, last = first): this {
    const all = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    return this.frame(
      on,
      ...all.map((seq) => ({ type: "MESSAGE", id: own(++this.#made), seq, data: { content: `${on} ${seq}` } })),
    );
  }

  ack(on: string, ack: number): this {
    return this.frame(on, { type: "MESSAGE_ACK", ack });
  }

  close(on: string, seq: number): this {
    return this.work(on, seq, "SESSION_CLOSE", { reason: "done" });
  }

  resume(on: string, received: number, first: number, next: number, more: Members = {}): this {
    const { epoch = brokerEpoch, ...rest } = more;
    const data = { epoch, received, first, next };
    return this.frame(on, { type: "SESSION_RESUME", id: own(++this.#made), data, ...rest });
  }

  recover(on: string): this {
    return this.frame(on, { type: "SESSION_RESUME", id: own(++this.#made), data: { received: null } });
  }

  /** The vector, with what the core makes of it. */
  written(): BrokerCase {
    return replayBroker({ name: this.#name, rules: this.#rules, steps: this.#steps });
  }
}
