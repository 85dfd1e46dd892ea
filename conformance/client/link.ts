// One connection of the client under test, at the broker's end: what the client sends, what the script says. Receipts, heartbeats
// and announcements are answered by themselves, until a check wants to do it by hand.
import { randomUUID } from "node:crypto";
import type { WebSocket } from "ws";
import type { ClientEnvelope, FromClient } from "../../protocol/wire/envelope.ts";
import { isWork } from "../../protocol/wire/envelope.ts";
import { announcedLimits, limits } from "../../protocol/wire/limits.ts";
import { Broken, must } from "../check.ts";
import { Mailbox, patienceMs, sleep } from "../mailbox.ts";
import { agentName, type Witness } from "./witness.ts";

type Type = ClientEnvelope["type"];
type Heard<T extends Type> = FromClient<T> & { type: T };
export type Members = Record<string, unknown> & { type: string };

const isOf = <T extends Type>(envelope: ClientEnvelope, type: T): envelope is Heard<T> => envelope.type === type;

/** A client's WebSocket answers a ping when it has read what came before; its application may be a little behind. */
const pongMsMax = 1_000;
const settleMs = 50;

export class Link {
  readonly #socket: WebSocket;
  readonly #witness: Witness;
  readonly #mail = new Mailbox<ClientEnvelope>("the client");
  readonly #closed = Promise.withResolvers<{ code: number }>();
  /** Everything that came, with the time. */
  readonly heard: { at: number; envelope: ClientEnvelope }[] = [];
  /** What the client announced last. */
  capabilities: string[] = [];
  /** Work is acknowledged as it comes, with a window behind it. */
  acknowledges = true;
  /** Heartbeats are answered. */
  beats = true;

  constructor(socket: WebSocket, witness: Witness) {
    this.#socket = socket;
    this.#witness = witness;
    socket.on("message", (data: Buffer, isBinary: boolean) => this.#hear(data, isBinary));
    socket.on("error", () => {});
    socket.on("close", (code: number) => {
      this.#mail.end(`the client's connection ended (${code})`);
      this.#closed.resolve({ code });
    });
  }

  #hear(data: Buffer, isBinary: boolean): void {
    for (const envelope of this.#witness.heard(this, data, isBinary)) {
      this.heard.push({ at: performance.now(), envelope });
      this.#answer(envelope);
      this.#mail.put(envelope);
    }
    if (this.#witness.broken !== undefined) this.#mail.fail(this.#witness.broken);
  }

  #answer(envelope: ClientEnvelope): void {
    if (envelope.type === "HEARTBEAT") {
      if (this.beats) this.#socket.send('{"type":"HEARTBEAT_ACK"}');
    } else if (envelope.type === "REGISTER" || envelope.type === "CAPABILITY_ANNOUNCE") {
      this.capabilities = envelope.data.capabilities.map(({ name }) => name);
      if (envelope.type === "CAPABILITY_ANNOUNCE")
        this.say({ type: "CAPABILITY_ACK", in_reply_to: envelope.id, data: { capabilities: this.capabilities } });
    } else if (envelope.type === "AGENT_QUERY") {
      this.say({ type: "AGENT_LIST", in_reply_to: envelope.id, data: { agents: [] } });
    } else if (isWork(envelope) && this.acknowledges) this.receipt(envelope.session_id, envelope.seq);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  /** One frame. An envelope of the broker's own gets an id where it has none. */
  say(...envelopes: Members[]): void {
    for (const envelope of envelopes) this.#witness.said(this, envelope);
    this.raw(envelopes.map((envelope) => JSON.stringify(withId(envelope))).join("\n"));
  }

  raw(frame: string): void {
    if (this.isOpen) this.#socket.send(frame);
  }

  /** Stored through there, delivered too. */
  receipt(session_id: string, through: number, limit = through + limits.windowMessages): void {
    this.say({ type: "MESSAGE_ACK", session_id, ack: through, limit, data: { delivered: through } });
  }

  /** The oldest of that type that was not asked for yet. */
  next<T extends Type>(
    type: T,
    where: (envelope: Heard<T>) => boolean = () => true,
    ms = patienceMs,
  ): Promise<Heard<T>> {
    return this.#mail.next(type, (one) => (isOf(one, type) && where(one) ? one : undefined), ms);
  }

  /** REGISTER, answered. */
  async registered(sessions: readonly { session_id: string; peer: string }[] = []): Promise<Heard<"REGISTER">> {
    const register = await this.next("REGISTER");
    const data = {
      agent: agentName,
      account: "local",
      limits: announcedLimits,
      heartbeat_ms: limits.heartbeatIntervalMs,
      sessions,
    };
    this.say({ type: "REGISTER_ACK", in_reply_to: register.id, data });
    return register;
  }

  /** For so long nothing that fits comes. */
  async quiet(rule: string, what: string, is: (envelope: ClientEnvelope) => boolean, ms: number): Promise<void> {
    await sleep(ms);
    this.#mail.assertSound();
    const came = this.#mail.unread.find(is);
    must(rule, came === undefined, `${what}; came: ${JSON.stringify(came)?.slice(0, 300)}`);
  }

  /** The rules that hold always have held until now. */
  assertSound(): void {
    this.#mail.assertSound();
  }

  /** The client ends the connection by itself. */
  async ended(rule: string, what: string, ms = patienceMs): Promise<void> {
    const late = sleep(ms).then(() => undefined);
    if ((await Promise.race([this.#closed.promise, late])) === undefined) throw new Broken(rule, what);
  }

  /** Closes it from the broker's side. */
  close(code: number, reason = "conformance"): void {
    this.#socket.close(code, reason);
  }

  /** As a cable that is pulled, once the client has what was said before. */
  async cut(): Promise<void> {
    const answered = new Promise<void>((resolve) => this.#socket.once("pong", () => resolve()));
    this.#socket.ping();
    await Promise.race([answered, sleep(pongMsMax)]);
    await sleep(settleMs);
    this.drop();
  }

  /** The same, whatever is on its way. */
  drop(): void {
    this.#socket.terminate();
  }
}

const anonymous = new Set(["MESSAGE_ACK", "PAUSE", "RESUME", "HEARTBEAT_ACK", "ERROR"]);
const withId = (envelope: Members): Members =>
  anonymous.has(envelope.type) || "id" in envelope ? envelope : { ...envelope, id: randomUUID() };
