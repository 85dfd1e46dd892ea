// The client's end of one WebSocket: says lines, keeps all it heard, waits for what a test expects. It knows no protocol but
// the decoding: whatever the broker sends has to fit the broker's own schemas, or the next wait fails. It runs on workerd's
// WebSocket and on that of `ws` alike.
import { decodeBrokerFrame } from "../../protocol/wire/codec.ts";
import type { BrokerEnvelope, FromBroker } from "../../protocol/wire/envelope.ts";

export type Type = BrokerEnvelope["type"];
export type Said<T extends Type> = FromBroker<T> & { type: T };
/** An envelope, or a line that is none. */
export type Line = object | string;

/** How long a test waits for an envelope before it fails. */
const patienceMs = 5_000;

/** Lines as one text frame. */
export const frameOf = (lines: readonly Line[]): string =>
  lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n");

const isOf = <T extends Type>(envelope: BrokerEnvelope, type: T): envelope is Said<T> => envelope.type === type;

/** What both kinds of WebSocket have. */
export interface Wire {
  send(data: string | ArrayBuffer): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
}

export class Socket {
  readonly name: string;
  /** Everything that came, in order. */
  readonly heard: BrokerEnvelope[] = [];
  /** How many frames it came in. */
  frames = 0;
  /** How the broker closed it (or 1006: it was cut); undefined while it is open. */
  end: { code: number; reason: string } | undefined;
  readonly #socket: Wire;
  readonly #unread: BrokerEnvelope[] = [];
  #fault: string | undefined;
  #changed = Promise.withResolvers<void>();

  /** Listens from now on: nothing may have come before. */
  constructor(name: string, socket: Wire) {
    this.name = name;
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#hear(data));
    socket.addEventListener("close", ({ code, reason }) => {
      this.end ??= { code, reason };
      this.#change();
    });
  }

  #hear(data: unknown): void {
    this.frames++;
    if (typeof data !== "string") this.#fault ??= "the broker sent a binary frame";
    else {
      for (const decoded of decodeBrokerFrame(data)) {
        if (decoded.ok) {
          this.heard.push(decoded.envelope);
          this.#unread.push(decoded.envelope);
        } else this.#fault ??= `the broker sent ${JSON.stringify(decoded.fault)}: ${data.slice(0, 500)}`;
      }
    }
    this.#change();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** One frame of these lines. */
  say(...lines: Line[]): void {
    this.#socket.send(frameOf(lines));
  }

  /** A frame as it is, binary too. */
  sayRaw(frame: string | ArrayBuffer): void {
    this.#socket.send(frame);
  }

  /** Closes from the client's side. */
  close(code = 1000): void {
    this.end ??= { code, reason: "closed by the test" };
    this.#socket.close(code);
  }

  /** The oldest envelope of that type that was not asked for yet, when it comes. Others stay where they are. */
  async next<T extends Type>(type: T, where: (envelope: Said<T>) => boolean = () => true): Promise<Said<T>> {
    const found = await this.#until(`${type}`, () => {
      const at = this.#unread.findIndex((envelope) => isOf(envelope, type) && where(envelope));
      return at < 0 ? undefined : this.#unread.splice(at, 1)[0];
    });
    return found as Said<T>;
  }

  /** That many MESSAGEs (one by default): their contents, in the order in which they came. */
  async contents(count = 1): Promise<unknown[]> {
    const contents: unknown[] = [];
    while (contents.length < count) contents.push((await this.next("MESSAGE")).data.content);
    return contents;
  }

  /** How it was closed, when it is. */
  async closed(): Promise<{ code: number; reason: string }> {
    return this.#until("the close", () => this.end);
  }

  /** Envelopes of that type that came and were not asked for. */
  unread<T extends Type>(type: T): Said<T>[] {
    return this.#unread.filter((envelope) => isOf(envelope, type));
  }

  /** All envelopes of that type, in order. */
  all<T extends Type>(type: T): Said<T>[] {
    return this.heard.filter((envelope) => isOf(envelope, type));
  }

  async #until<T>(what: string, look: () => T | undefined): Promise<T> {
    const late = Promise.withResolvers<"late">();
    const timer = setTimeout(() => late.resolve("late"), patienceMs);
    try {
      for (;;) {
        if (this.#fault !== undefined) throw new Error(`${this.name}: ${this.#fault}`);
        const found = look();
        if (found !== undefined) return found;
        if (this.end !== undefined) throw new Error(`${this.#waiting(what)}: closed by ${JSON.stringify(this.end)}`);
        if ((await Promise.race([this.#changed.promise, late.promise])) === "late")
          throw new Error(`${this.#waiting(what)}: it did not come`);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #waiting(what: string): string {
    return `${this.name} waits for ${what}, and has ${JSON.stringify(this.#unread).slice(0, 2_000)}`;
  }
}
