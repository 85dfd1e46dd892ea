// How fast a connection may send frames (L23): a token bucket that warns before it closes. Pure: the caller brings the time
// (epoch milliseconds) and carries out the verdict.
import { limits } from "./limits.ts";

/**
 * take: nothing is said · warn: the frame is taken, and the sender is told that it is too fast · close: it was told often
 * enough.
 */
export type RateVerdict = "take" | "warn" | "close";

export class FrameRate {
  #tokens: number = limits.framesBurst;
  #at: number;
  /** When the latest warnings were given; only those that still count. */
  #warnings: number[] = [];

  constructor(now: number) {
    this.#at = now;
  }

  /** A frame came. */
  frame(now: number): RateVerdict {
    // A clock that went back gives nothing, and takes nothing.
    const passedMs = Math.max(0, now - this.#at);
    this.#at = now;
    this.#tokens = Math.min(limits.framesBurst, this.#tokens + (passedMs / 1000) * limits.framesPerSecond);
    if (this.#tokens >= 1) {
      this.#tokens--;
      return "take";
    }
    const latest = this.#warnings.at(-1);
    if (latest !== undefined && now - latest < limits.rateWarningEveryMs) return "take";
    this.#warnings = this.#warnings.filter((at) => now - at < limits.rateWarningsWithinMs);
    if (this.#warnings.length >= limits.rateWarningsMax) return "close";
    this.#warnings.push(now);
    return "warn";
  }
}
