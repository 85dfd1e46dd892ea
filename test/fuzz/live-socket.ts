// One live socket under fuzz: it judges all that it hears, keeps count, and waits for the one answer that shows it is alive.
import { once } from "node:events";
import type { WebSocket } from "ws";
import type { BrokerEnvelope } from "../../protocol/wire/envelope.ts";
import { judgeClose, judgeFrame, must, Undocumented } from "./oracle.ts";

/** A shared machine may be slow; a broker that hangs is found all the same. */
const patienceMs = 30_000;

export const uuid = (): string => crypto.randomUUID();

export class LiveSocket {
  readonly name: string;
  readonly #socket: WebSocket;
  /** Characters heard so far. */
  heardChars = 0;
  /** The code that the broker closed it with; undefined while it is open. */
  closed: number | undefined;
  #fault: Error | undefined;
  #closing = false;
  #waiting: { test: (envelope: BrokerEnvelope) => boolean; settle: (envelope?: BrokerEnvelope) => void }[] = [];

  constructor(name: string, socket: WebSocket, hear: (envelope: BrokerEnvelope) => void = () => undefined) {
    this.name = name;
    this.#socket = socket;
    socket.on("error", () => undefined);
    socket.on("message", (data, binary) => {
      try {
        must(!binary, "the broker sent a binary frame");
        const text = String(data);
        this.heardChars += text.length;
        for (const envelope of judgeFrame(text)) {
          hear(envelope);
          this.#waiting = this.#waiting.filter(({ test, settle }) => {
            if (!test(envelope)) return true;
            settle(envelope);
            return false;
          });
        }
      } catch (error) {
        this.#fail(error);
      }
    });
    socket.on("close", (code) => {
      this.closed = code;
      try {
        if (!this.#closing) judgeClose(code);
      } catch (error) {
        this.#fail(error);
      }
      this.#giveUp();
    });
  }

  #fail(error: unknown): void {
    this.#fault ??= error instanceof Error ? error : new Error(String(error));
    this.#giveUp();
  }

  #giveUp(): void {
    for (const { settle } of this.#waiting.splice(0)) settle();
  }

  /** Throws what was undocumented so far. */
  judge(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }

  async opened(): Promise<this> {
    await once(this.#socket, "open");
    return this;
  }

  /** Text that may be no UTF-8, or binary. */
  send(data: string | Uint8Array, binary = false): void {
    if (this.#socket.readyState === 1) this.#socket.send(data, { binary });
  }

  say(...envelopes: object[]): void {
    this.send(envelopes.map((envelope) => JSON.stringify(envelope)).join("\n"));
  }

  /** The envelope that fits, once it comes; undefined when the socket closed before. */
  async hears(what: string, test: (envelope: BrokerEnvelope) => boolean): Promise<BrokerEnvelope | undefined> {
    if (this.closed !== undefined) return undefined;
    const { promise, resolve, reject } = Promise.withResolvers<BrokerEnvelope | undefined>();
    const timer = setTimeout(() => reject(new Undocumented(`${this.name} never heard ${what}`)), patienceMs);
    this.#waiting.push({ test, settle: resolve });
    try {
      const envelope = await promise;
      this.judge();
      return envelope;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Says one envelope; its answer, or undefined when the socket closed first. */
  ask(envelope: object & { id: string }): Promise<BrokerEnvelope | undefined> {
    const answer = this.hears(
      `an answer to ${JSON.stringify(envelope).slice(0, 80)}`,
      (one) => "in_reply_to" in one && one.in_reply_to === envelope.id,
    );
    this.say(envelope);
    return answer;
  }

  close(): void {
    this.#closing = true;
    this.#socket.terminate();
  }
}
