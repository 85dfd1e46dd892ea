// One connection of an agent to the broker that is tried: raw envelopes out, decoded ones in. Whatever the broker says must be
// readable by PROTOCOL.md; the rest is the checks' business.
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import { decodeBrokerFrame } from "../../protocol/wire/codec.ts";
import type { BrokerEnvelope, FromBroker } from "../../protocol/wire/envelope.ts";
import { Broken, Missing, must } from "../check.ts";
import { Mailbox, patienceMs, sleep } from "../mailbox.ts";

/** PEM texts. */
export interface Identity {
  certificate: string;
  key: string;
}

export interface Target {
  /** `wss://host:port`. */
  url: string;
  ca: string;
}

type Type = BrokerEnvelope["type"];
type Said<T extends Type> = FromBroker<T> & { type: T };
type Line = object | string;
const isOf = <T extends Type>(envelope: BrokerEnvelope, type: T): envelope is Said<T> => envelope.type === type;

const frameBytesMax = 1024 * 1024;
const handshakeMsMax = 10_000;

const socketTo = (target: Target, identity: Identity | undefined, path: string, protocols: string[]): WebSocket =>
  new WebSocket(`${target.url}${path}`, protocols, {
    ca: target.ca,
    ...(identity && { cert: identity.certificate, key: identity.key }),
    handshakeTimeout: handshakeMsMax,
    perMessageDeflate: false,
  });

/** How an upgrade was refused. */
export interface Refusal {
  status: number;
  problem: Record<string, unknown>;
}

/** An upgrade that must be refused: its answer. */
export async function refusal(
  target: Target,
  identity: Identity | undefined,
  path = "/v1/connect",
  protocols = ["agentworks.v1"],
): Promise<Refusal> {
  const socket = socketTo(target, identity, path, protocols);
  const { promise, resolve } = Promise.withResolvers<Error | "open" | IncomingMessage>();
  socket.on("error", resolve);
  socket.on("open", () => resolve("open"));
  socket.on("unexpected-response", (_, response) => resolve(response));
  const answer = await promise;
  try {
    if (answer === "open") throw new Missing("the upgrade was not refused");
    if (answer instanceof Error) throw new Missing(`no HTTP answer came: ${answer.message}`);
    let body = "";
    for await (const chunk of answer.setEncoding("utf8")) body += chunk;
    try {
      return { status: answer.statusCode ?? 0, problem: JSON.parse(body) };
    } catch {
      throw new Broken("X1", `HTTP ${answer.statusCode} without a problem document: ${body.slice(0, 200)}`);
    }
  } finally {
    socket.terminate();
  }
}

export class Peer {
  readonly #socket: WebSocket;
  readonly #mail: Mailbox<BrokerEnvelope>;
  readonly #closed = Promise.withResolvers<{ code: number; reason: string }>();
  /** Everything that came: raw frames, and envelopes. */
  readonly frames: string[] = [];
  readonly heard: BrokerEnvelope[] = [];
  isOpen = true;

  private constructor(name: string, socket: WebSocket) {
    this.#socket = socket;
    this.#mail = new Mailbox(name);
    socket.on("message", (data: Buffer, isBinary: boolean) => this.#hear(data, isBinary));
    socket.on("error", () => {});
    socket.on("close", (code: number, reason: Buffer) => {
      this.isOpen = false;
      this.#mail.end(`the connection was closed with ${code} ${reason}`);
      this.#closed.resolve({ code, reason: reason.toString() });
    });
  }

  /** Dials; throws Missing when the broker does not let it in. */
  static async dial(name: string, target: Target, identity: Identity, path = "/v1/connect"): Promise<Peer> {
    const socket = socketTo(target, identity, path, ["agentworks.v1"]);
    const peer = new Peer(name, socket);
    try {
      await once(socket, "open");
    } catch (error) {
      throw new Missing(`${name} could not connect to ${path}: ${error instanceof Error ? error.message : error}`);
    }
    must("C2", socket.protocol === "agentworks.v1", `the broker chose subprotocol "${socket.protocol}"`);
    return peer;
  }

  #hear(data: Buffer, isBinary: boolean): void {
    const text = data.toString("utf8");
    this.frames.push(text);
    if (isBinary) return this.#mail.fail(new Broken("F1", "the broker sent a binary message"));
    if (data.length > frameBytesMax) this.#mail.fail(new Broken("F7", `a frame of ${data.length} bytes`));
    const lines = decodeBrokerFrame(text);
    if (lines.length > 256) this.#mail.fail(new Broken("F7", `a frame of ${lines.length} envelopes`));
    for (const decoded of lines) {
      if (decoded.ok) {
        this.heard.push(decoded.envelope);
        this.#mail.put(decoded.envelope);
      } else
        this.#mail.fail(new Broken("E6", `the broker sent ${JSON.stringify(decoded.fault)}: ${text.slice(0, 300)}`));
    }
  }

  /** One frame of these lines. */
  say(...lines: Line[]): void {
    this.raw(lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
  }

  raw(frame: string | Uint8Array): void {
    this.#socket.send(frame);
  }

  /** The oldest of that type that was not asked for yet. */
  next<T extends Type>(type: T, where: (envelope: Said<T>) => boolean = () => true, ms = patienceMs): Promise<Said<T>> {
    return this.#mail.next(type, (one) => (isOf(one, type) && where(one) ? one : undefined), ms);
  }

  /** The next ERROR, whose reason must be that one: else that rule is broken. */
  async error(rule: string, reason: string): Promise<Said<"ERROR">> {
    const error = await this.next("ERROR").catch((failure: unknown) => {
      throw failure instanceof Missing ? new Broken(rule, failure.message) : failure;
    });
    must(rule, error.data.reason === reason, `ERROR ${error.data.reason} came, not ${reason}: ${error.data.detail}`);
    return error;
  }

  /** What came and was not asked for. */
  unread<T extends Type>(type: T): Said<T>[] {
    return this.#mail.unread.filter((one) => isOf(one, type));
  }

  /** For so long nothing of these types comes. */
  async quiet(rule: string, types: readonly Type[], what: string, ms = 400): Promise<void> {
    await sleep(ms);
    this.#mail.assertSound();
    const came = this.#mail.unread.find((one) => types.includes(one.type));
    must(rule, came === undefined, `${what}; came: ${JSON.stringify(came)?.slice(0, 300)}`);
  }

  /** Anything that was still to come has come: the broker answers a heartbeat after it. */
  async settled(): Promise<void> {
    this.raw('{"type":"HEARTBEAT"}');
    await this.next("HEARTBEAT_ACK");
  }

  async closed(rule: string, code: number): Promise<void> {
    const late = sleep(patienceMs).then(() => undefined);
    const end = await Promise.race([this.#closed.promise, late]);
    must(rule, end !== undefined, `the broker did not close the connection with ${code}`);
    must(rule, end.code === code, `the broker closed the connection with ${end.code}, not with ${code}`);
  }

  /** As a cable that is pulled. */
  cut(): void {
    this.isOpen = false;
    this.#socket.terminate();
  }
}
