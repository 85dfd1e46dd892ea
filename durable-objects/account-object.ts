// An account on the edge: how many requests each of its callers may still make. In memory: an object that lost it had no flood.
import { DurableObject } from "cloudflare:workers";
import { Bucket } from "../protocol/wire/rate.ts";
import { bounds } from "../schema/bounds.ts";
import type { ObjectEnv } from "./env.ts";
import type { Allowance } from "./rpc.ts";

export class AccountObject extends DurableObject<ObjectEnv> {
  readonly #buckets = new Map<string, Bucket>();

  /** Counts one request of a caller. */
  admit(actor: string): Allowance {
    const now = Date.now();
    const bucket = this.#bucketOf(actor, now);
    const admitted = bucket.take(now);
    const resetSeconds = Math.ceil(bucket.fullInMs(now) / 1000);
    return { admitted, limit: bounds.requestsBurst, remaining: bucket.left(now), resetSeconds };
  }

  #bucketOf(actor: string, now: number): Bucket {
    const known = this.#buckets.get(actor);
    if (known !== undefined) return known;
    if (this.#buckets.size >= bounds.callersMax) this.#forgetFull(now);
    const bucket = new Bucket(bounds.requestsPerSecond, bounds.requestsBurst, now);
    this.#buckets.set(actor, bucket);
    return bucket;
  }

  /** A full bucket is as good as none. */
  #forgetFull(now: number): void {
    for (const [actor, bucket] of this.#buckets) {
      if (bucket.fullInMs(now) === 0) this.#buckets.delete(actor);
    }
  }
}
