// The broker half as the vectors see it: it carries out effects over a store as `SessionObject` does, and says what leaves.
import { BrokerSession } from "../../protocol/session/broker.ts";
import type { Effect, Output } from "../../protocol/session/effects.ts";
import { otherSide, type Side } from "../../protocol/session/tasks.ts";
import { conformClient } from "../../protocol/wire/codec.ts";
import type { SessionEnvelope } from "../../protocol/wire/envelope.ts";
import type { ErrorReason } from "../../protocol/wire/errors.ts";
import { isRowEffect, Store } from "../protocol/store.ts";
import type { BrokerCase, BrokerStep, Said } from "./broker-steps.ts";

type Json = Record<string, unknown>;

/** The storage of a session in the vectors is always this one. */
export const brokerEpoch = "6f1b0c52-8a3e-4f0e-9d55-b1c0ffee0001";
const ownId = "00000000-0000-7000-8000-";

/** An envelope of the broker's; an id of its own making is any id: `*`. */
const plain = (line: string): Json => {
  const envelope: Json = JSON.parse(line);
  return String(envelope.id).startsWith(ownId) ? { ...envelope, id: "*" } : envelope;
};

class BrokerHalf {
  readonly #store = new Store();
  readonly #core: BrokerSession;
  #made = 0;

  constructor() {
    const id = () => `${ownId}${(++this.#made).toString(16).padStart(12, "0")}`;
    this.#core = new BrokerSession(this.#store, { id, epoch: () => brokerEpoch });
  }

  #side(agent: string): Side {
    return this.#core.record?.agents[0] === agent ? 0 : 1;
  }

  #give(step: BrokerStep): Output {
    switch (step.do) {
      case "frame": {
        const envelopes = step.envelopes.map((envelope) => {
          const decoded = conformClient({ ...envelope });
          if (!decoded.ok) throw new Error(`no envelope of an agent's: ${JSON.stringify(decoded.fault)}`);
          return decoded.envelope as SessionEnvelope;
        });
        return this.#core.receive({ agent: step.agent, attach: step.on, envelopes }, step.at);
      }
      case "wake":
        return this.#core.wake(this.#store.lastWorkAt(), step.at);
      case "unoffered":
        return this.#core.offerFailed(step.reason as ErrorReason, step.at);
      case "gone":
        return this.#core.detached(this.#side(step.agent), step.on, step.at);
    }
  }

  #said(effect: Effect, on: string): Said[] {
    switch (effect.do) {
      case "reply":
        return [{ to: on, envelopes: effect.lines.map(plain), reply: true }];
      case "send":
        return effect.frames.map((frame) => ({ to: effect.attach, envelopes: frame.split("\n").map(plain) }));
      case "replay":
        return this.#store
          .frames(otherSide(effect.to), effect.first, effect.last)
          .map((frame) => ({ to: effect.attach, envelopes: frame.split("\n").map(plain) }));
      case "close":
        return [{ close: effect.attach, code: effect.code }];
      case "offer":
        return [{ offer: plain(effect.line) }];
      default:
        return [];
    }
  }

  /** Does a step; the answer is in the step that is returned, whatever was expected. */
  do(step: BrokerStep): BrokerStep {
    const said: Said[] = [];
    let { effects, deadline } = this.#give(step);
    const on = step.do === "frame" ? step.on : "";
    for (const effect of effects) {
      if (isRowEffect(effect)) this.#store.apply(effect);
      else said.push(...this.#said(effect, on));
    }
    // The index has the state at once: nobody waits for it here.
    const told = effects.findLast((effect) => effect.do === "index");
    if (told !== undefined) {
      ({ effects, deadline } = this.#core.indexed(told.record.state, step.at));
      for (const effect of effects) if (isRowEffect(effect)) this.#store.apply(effect);
    }
    return { ...step, said, wake_at: deadline ?? null };
  }
}

/** The same vector, with what the core does now. */
export function replayBroker({ steps, ...rest }: BrokerCase): BrokerCase {
  const half = new BrokerHalf();
  return { ...rest, steps: steps.map((step) => half.do(step)) };
}
