// Whether a session gets through to the broker, and whether its peer may get through to it: small states that say when to
// attach again, when not to send yet, and when to say PAUSE. Attaching and sending are the session's.
import { limits } from "../../../protocol/wire/limits.ts";
import { backoffMs } from "./backoff.ts";

/** L15, L28: notices when what waits for an answer has not moved for too long. */
export class Stall {
  #mark: string | undefined;
  #sinceMs = 0;

  /**
   * @param mark names what is waited for; undefined: nothing
   * @returns whether the same has been waited for since `stallMs`; the clock then starts again
   */
  isStalled(mark: string | undefined, nowMs: number, stallMs: number): boolean {
    const stalled = mark !== undefined && mark === this.#mark && nowMs - this.#sinceMs >= stallMs;
    if (stalled || mark !== this.#mark) this.#sinceMs = nowMs;
    this.#mark = mark;
    return stalled;
  }
}

/** Holds a session's lines back after its relay failed: not again at once, and ever less often. */
export class Hold {
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;

  get isHeld(): boolean {
    return this.#timer !== undefined;
  }

  /** @param released is told when lines may go again */
  hold(random: number, released: () => void): void {
    if (this.#timer !== undefined) return;
    const bounds = { baseMs: limits.reconnectBaseMs, maxMs: limits.reconnectMaxMs };
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        released();
      },
      backoffMs(bounds, this.#failures++, random),
    );
  }

  release(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** It works again. */
  healed(): void {
    this.#failures = 0;
  }
}

/** PAUSE and RESUME as the application wishes: said once, and again after an attachment, which starts without. */
export class Pausing {
  #wanted = false;
  #unsaid = false;

  want(paused: boolean): void {
    if (this.#wanted === paused) return;
    this.#wanted = paused;
    this.#unsaid = true;
  }

  attached(): void {
    this.#unsaid = this.#wanted;
  }

  /** The type of what is to be said now, once. */
  take(): "PAUSE" | "RESUME" | undefined {
    if (!this.#unsaid) return undefined;
    this.#unsaid = false;
    return this.#wanted ? "PAUSE" : "RESUME";
  }
}
