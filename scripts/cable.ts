// A cable that can be pulled: a TCP port that passes bytes on to the broker, until somebody cuts it. TLS runs through it
// untouched, so what the agent behind it sees is what a broken network looks like. Nothing here knows what passes.
import { connect, createServer, type Server, type Socket } from "node:net";
import { Transform, type TransformCallback } from "node:stream";

/** How one connection is broken at an exact byte. */
export interface Cut {
  /** Bytes that still get through in that direction; whatever follows them is swallowed. */
  bytes: number;
  towards: "broker" | "agent";
  /** How long the ends may go on without noticing, in milliseconds, before the connection breaks. */
  silenceMs: number;
  /** When the bytes do not come in this time, the connection breaks all the same. */
  withinMs: number;
}

export interface Cable {
  readonly port: number;
  /** Live connections. */
  readonly connections: number;
  /** Breaks every connection in the middle of whatever it was doing. Answers how many there were. */
  cut(): number;
  /**
   * Breaks one connection at a byte.
   * @param pick any number in [0, 1): which one
   * @returns when it is broken: whether it was by this cut. False when there is none, or when it went some other way before.
   */
  cutAt(pick: number, cut: Cut): Promise<boolean>;
  close(): void;
}

/** Lets bytes through until it is told how many are left. */
class Valve extends Transform {
  #left = Number.POSITIVE_INFINITY;
  #spent: () => void = () => {};

  shutAfter(bytes: number, spent: () => void): void {
    this.#left = bytes;
    this.#spent = spent;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (chunk.length < this.#left) {
      this.#left -= chunk.length;
      return done(null, chunk);
    }
    if (this.#left > 0) this.push(chunk.subarray(0, this.#left));
    this.#left = 0;
    this.#spent();
    done();
  }
}

/** One connection through the cable. */
class Strand {
  readonly #near: Socket;
  readonly #valves = { broker: new Valve(), agent: new Valve() };
  readonly #broken: Promise<void>;
  #cutting = false;

  constructor(near: Socket, far: Socket) {
    this.#near = near;
    near.setNoDelay(true);
    far.setNoDelay(true);
    near.on("error", () => far.destroy()).on("close", () => far.destroy());
    far.on("error", () => near.destroy()).on("close", () => near.destroy());
    near.pipe(this.#valves.broker).pipe(far);
    far.pipe(this.#valves.agent).pipe(near);
    this.#broken = new Promise((resolve) => near.once("close", () => resolve()));
  }

  break(): void {
    this.#near.destroy();
  }

  /** Whether nobody is about to cut it. */
  get isWhole(): boolean {
    return !this.#cutting;
  }

  async cut({ bytes, towards, silenceMs, withinMs }: Cut): Promise<boolean> {
    this.#cutting = true;
    let reached = false;
    const end = () => {
      if (reached) return;
      reached = true;
      setTimeout(() => this.break(), silenceMs);
    };
    this.#valves[towards].shutAfter(bytes, end);
    const timer = setTimeout(end, withinMs);
    await this.#broken;
    clearTimeout(timer);
    return reached;
  }
}

/** A cable to a local port. */
export async function layCable(to: number): Promise<Cable> {
  const live = new Set<Strand>();
  const server: Server = createServer((near) => {
    const strand = new Strand(near, connect(to, "127.0.0.1"));
    live.add(strand);
    near.once("close", () => live.delete(strand));
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the cable has no port");
  const cut = () => {
    const count = live.size;
    for (const strand of live) strand.break();
    return count;
  };
  return {
    port: address.port,
    get connections() {
      return live.size;
    },
    cut,
    async cutAt(pick, how) {
      const whole = [...live].filter((strand) => strand.isWhole);
      return (await whole[Math.floor(pick * whole.length)]?.cut(how)) ?? false;
    },
    close() {
      server.close();
      cut();
    },
  };
}
