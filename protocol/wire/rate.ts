// How fast an agent may send frames (L23) and ask for what the registry answers (L29): token buckets. Pure: the caller brings the
// time (epoch milliseconds) and carries out the verdict.
import { limits } from "./limits.ts";

/**
 * take: nothing is said · warn: the frame is taken, and the sender is told that it is too fast · close: it was told often
 * enough.
 */
export type RateVerdict = "take" | "warn" | "close";

/** Fills by so much a second, up to `burst`. */
export class Bucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, burst: number, now: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Whether there was one to take. */
  take(now: number): boolean {
    if (this.left(now) < 1) return false;
    this.#tokens--;
    return true;
  }

  /** How many could be taken at once, now. */
  left(now: number): number {
    // A clock that went back gives nothing, and takes nothing.
    const passedMs = Math.max(0, now - this.#at);
    this.#at = now;
    this.#tokens = Math.min(this.#burst, this.#tokens + (passedMs / 1000) * this.#perSecond);
    return Math.floor(this.#tokens);
  }

  /** Milliseconds until it is full, if nothing is taken. */
  fullInMs(now: number): number {
    this.left(now);
    return ((this.#burst - this.#tokens) / this.#perSecond) * 1000;
  }
}

/** Questions of one agent that cost the registry something, over all of its connections (L29). */
export class LookupRate {
  readonly #bucket: Bucket;

  constructor(now: number) {
    this.#bucket = new Bucket(limits.lookupsPerSecond, limits.lookupsBurst, now);
  }

  /** Whether one more may be asked now. */
  admits(now: number): boolean {
    return this.#bucket.take(now);
  }
}

export class FrameRate {
  readonly #bucket: Bucket;
  /** When the latest warnings were given; only those that still count. */
  #warnings: number[] = [];

  constructor(now: number) {
    this.#bucket = new Bucket(limits.framesPerSecond, limits.framesBurst, now);
  }

  /** A frame came. */
  frame(now: number): RateVerdict {
    if (this.#bucket.take(now)) return "take";
    const latest = this.#warnings.at(-1);
    if (latest !== undefined && now - latest < limits.rateWarningEveryMs) return "take";
    this.#warnings = this.#warnings.filter((at) => now - at < limits.rateWarningsWithinMs);
    if (this.#warnings.length >= limits.rateWarningsMax) return "close";
    this.#warnings.push(now);
    return "warn";
  }
}
