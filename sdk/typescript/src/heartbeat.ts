// When a connection says HEARTBEAT, and when it is given up (H2): clocks only, no socket. What the client sent is what proves to
// the broker that it lives, and what it hears proves that the broker does.

export interface HeartbeatTiming {
  heartbeatIntervalMs: number;
  heartbeatTimeoutMs: number;
}

export class Heartbeat {
  readonly #timing: HeartbeatTiming;
  readonly #beat: () => void;
  readonly #giveUp: () => void;
  #sentAt = 0;
  #heardAt = 0;
  /** A heartbeat went out since something was heard. */
  #asked = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param does `beat` sends a heartbeat; `giveUp` is called once, and last */
  constructor(timing: HeartbeatTiming, does: { beat: () => void; giveUp: () => void }) {
    this.#timing = timing;
    this.#beat = does.beat;
    this.#giveUp = does.giveUp;
  }

  /** The connection is up. */
  start(): void {
    this.sent();
    this.heard();
    this.#watch();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  sent(): void {
    this.#sentAt = performance.now();
  }

  heard(): void {
    this.#heardAt = performance.now();
    this.#asked = false;
  }

  #watch(): void {
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.#timing;
    const now = performance.now();
    if (now - this.#heardAt >= heartbeatTimeoutMs) return this.#giveUp();
    const unheard = !this.#asked && now - this.#heardAt >= heartbeatIntervalMs;
    if (unheard || now - this.#sentAt >= heartbeatIntervalMs) {
      this.#beat();
      this.sent();
      this.#asked = true;
    }
    const beatAt = (this.#asked ? this.#sentAt : Math.min(this.#sentAt, this.#heardAt)) + heartbeatIntervalMs;
    const nextAt = Math.min(beatAt, this.#heardAt + heartbeatTimeoutMs);
    this.#timer = setTimeout(() => this.#watch(), Math.max(1, nextAt - now));
  }
}
