// How much room an agent has: for offers as such, and for sessions that want one of its capabilities (`max_concurrency`). What
// counts is what is stored; places that are kept for offers on their way are in memory, and to lose them costs a refusal.
import type { Offer } from "../protocol/session/effects.ts";
import type { ErrorReason } from "../protocol/wire/errors.ts";
import { limits } from "../protocol/wire/limits.ts";
import type { AgentStore } from "./agent-store.ts";
import type { Room } from "./rpc.ts";

export class Places {
  readonly #store: AgentStore;
  readonly #kept = new Map<string, { capability: string; until: number }>();

  constructor(store: AgentStore) {
    this.#store = store;
  }

  /** For one more session of that capability, besides `except`. Undefined: the agent has not announced it. */
  room(capability: string, now: number, except = ""): Room | undefined {
    const announced = this.#store.capabilities().find(({ name }) => name === capability);
    if (announced === undefined) return undefined;
    const { here, all } = this.#store.engaged(capability, now, except);
    const kept = this.#countKept(now, capability, except);
    const most = announced.max_concurrency ?? Number.POSITIVE_INFINITY;
    return { free: Math.max(0, most - here - kept), sessions: all + kept };
  }

  #countKept(now: number, capability: string, except: string): number {
    let count = 0;
    for (const [session_id, kept] of this.#kept) {
      if (kept.until <= now) this.#kept.delete(session_id);
      else if (kept.capability === capability && session_id !== except) count++;
    }
    return count;
  }

  /** Keeps a place for an offer that will come at once. */
  keep(session_id: string, capability: string, now: number): boolean {
    const room = this.room(capability, now, session_id);
    if (room === undefined || room.free === 0 || this.#kept.size >= limits.offersMax) return false;
    this.#kept.set(session_id, { capability, until: now + limits.reservationMs });
    return true;
  }

  /** Takes an offer in. Answers why not. */
  take(offer: Offer, now: number): ErrorReason | undefined {
    const { session_id, capability } = offer;
    if (capability !== undefined) {
      const room = this.room(capability, now, session_id);
      if (room === undefined) return "capability_unknown";
      if (room.free === 0) return "capability_busy";
      this.#kept.delete(session_id);
    }
    return this.#store.addOffer(offer, now) ? undefined : "too_many_offers";
  }
}
