// An address on the edge: how many requests may come from there that prove nobody. In memory: an object that lost it had no flood.
import { DurableObject } from "cloudflare:workers";
import { Bucket } from "../protocol/wire/rate.ts";
import { bounds } from "../schema/bounds.ts";
import type { ObjectEnv } from "./env.ts";
import type { Allowance } from "./rpc.ts";

export class AddressObject extends DurableObject<ObjectEnv> {
  readonly #strangers = new Bucket(bounds.strangersPerSecond, bounds.strangersBurst, Date.now());

  /** Counts one request of a stranger. */
  admit(): Allowance {
    const now = Date.now();
    const admitted = this.#strangers.take(now);
    const resetSeconds = Math.ceil(this.#strangers.fullInMs(now) / 1000);
    return { admitted, limit: bounds.strangersBurst, remaining: this.#strangers.left(now), resetSeconds };
  }
}
