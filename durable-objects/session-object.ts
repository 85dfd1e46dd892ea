// A session on the edge: frames in, the protocol core in the middle, effects out. Everything reliable is decided by the core
// (protocol/session); this file converts and forwards, and it does so without an await between a frame and its rows.
import { DurableObject } from "cloudflare:workers";
import { BrokerSession, type Inbound } from "../protocol/session/broker.ts";
import type { AttachKey, Effect, Offer, Output, SessionRecord, UsageReport } from "../protocol/session/effects.ts";
import type { Letter, Redriven } from "../protocol/session/redrive.ts";
import { type RedriveAnswer, type RedriveStanding, sideOf, standingFor } from "../protocol/session/redriving.ts";
import { isEnded } from "../protocol/session/states.ts";
import { otherSide } from "../protocol/session/tasks.ts";
import { packFrames } from "../protocol/wire/codec.ts";
import type { ObjectEnv } from "./env.ts";
import { freshId } from "./fresh-id.ts";
import { identityOf } from "./identity.ts";
import { decodeDirect, decodeRelayed, type Read } from "./reading.ts";
import type { Answer, Sender } from "./rpc.ts";
import { Delivery, freshDirectKey } from "./session-delivery.ts";
import { factsOf, type HistoryPage, type HistoryQuery, readHistory, type SessionFacts } from "./session-history.ts";
import { makeOffer, tellForgotten, tellState } from "./session-notices.ts";
import { type DeadLetterPage, readDeadLetters, redrive } from "./session-redrive.ts";
import { SessionStore } from "./session-store.ts";
import {
  acceptSocket,
  closeExpired,
  closeIfRevoked,
  closeSocket,
  expiryDue,
  Gate,
  openSockets,
  reciprocate,
  type SocketFacts,
  say,
  socketFacts,
} from "./sockets.ts";

const mint = { id: freshId, epoch: () => crypto.randomUUID() };

const soonest = (a: number | undefined, b: number | undefined) =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);

/** Where the answers of one event go. */
interface Answering {
  attach: AttachKey;
  reply(lines: string[]): void;
  close(code: number, reason: string): void;
}

export class SessionObject extends DurableObject<ObjectEnv> {
  #store: SessionStore;
  #session: BrokerSession;
  #account: string | undefined;
  readonly #gate = new Gate();
  /** The alarm as it is set, so that it is written only when it changes. */
  #alarm: number | undefined;
  /** When the certificate of a direct socket ends: such a socket may say nothing until then. */
  #expiry: number | undefined;
  readonly #delivery = new Delivery(this.ctx, {
    session_id: () => this.#session.record?.session_id,
    agent: (side) => this.env.AGENTS.getByName(`${this.#account}/${this.#session.record?.agents[side] ?? ""}`),
    lost: (side, attach) => this.#perform(() => this.#session.detached(side, attach, Date.now())),
  });

  constructor(ctx: DurableObjectState, env: ObjectEnv) {
    super(ctx, env);
    this.#store = new SessionStore(ctx.storage.sql);
    const saved = this.#store.load();
    this.#session = new BrokerSession(this.#store, mint, saved);
    this.#account = this.#store.account;
    if (this.#session.isDamaged) console.error(JSON.stringify({ event: "session_damaged", object: ctx.id.name }));
    this.#expiry = expiryDue(ctx, Date.now());
    this.#alarm = soonest(this.#session.deadline, this.#expiry);
  }

  // --- the multiplexed path

  /** Lines of this session out of one frame of an agent's connection. */
  receive(sender: Sender, text: string): Answer {
    this.#account ??= sender.account;
    const answer: Answer = { frames: [], open: false };
    if (sender.toAll && !this.#isAttached(sender)) return answer;
    const answering: Answering = {
      attach: sender.connection,
      reply: (lines) => answer.frames.push(...packFrames(lines)),
      close: (code, reason) => {
        answer.close = { code, reason };
      },
    };
    this.#receive(decodeRelayed(text, sender.agent), { ...sender, attach: sender.connection }, answering);
    const { record } = this.#session;
    answer.open = record?.agents.includes(sender.agent) === true && !isEnded(record.state);
    return answer;
  }

  #isAttached({ agent, connection }: Sender): boolean {
    const { record } = this.#session;
    return record?.attach[record.agents.indexOf(agent)] === connection;
  }

  /**
   * The agent's certificate was revoked, or the agent suspended: its sockets here are closed, attached or not.
   * @param fingerprints only those that these certificates opened
   */
  expel(agent: string, code: number, reason: string, fingerprints?: readonly string[]): void {
    if (fingerprints === undefined) this.#perform(() => this.#session.expel(agent, code, reason, Date.now()));
    for (const socket of openSockets(this.ctx)) {
      const facts = socketFacts(socket);
      if (facts.agent !== agent || fingerprints?.includes(facts.fingerprint) === false) continue;
      if (fingerprints !== undefined) this.#detached(facts);
      closeSocket(socket, code, reason);
    }
  }

  // --- the direct path

  override fetch(request: Request): Response {
    const identity = identityOf(request);
    // An offer has nothing to attach to; and an agent's list, by which a revocation finds its sockets, begins with the session.
    const isOpen = this.#session.isParticipant(identity.agent) && this.#session.record?.state !== "pending";
    if (!isOpen) return new Response(null, { status: 404 });
    const now = Date.now();
    const facts: SocketFacts = { ...identity, key: freshDirectKey(), seenAt: now };
    const response = acceptSocket(this.ctx, facts);
    this.ctx.waitUntil(closeIfRevoked(this.ctx, this.env.DB, facts, now));
    this.#expiry = soonest(this.#expiry, expiryDue(this.ctx, now));
    this.#wakeAt(this.#session.deadline);
    return response;
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    const facts = socketFacts(socket);
    if (!this.#gate.admits(socket, facts, Date.now())) return;
    const answering: Answering = {
      attach: facts.key,
      reply: (lines) => {
        for (const frame of packFrames(lines)) say(socket, frame);
      },
      close: (code, reason) => closeSocket(socket, code, reason),
    };
    const read = decodeDirect(message, facts.agent, this.#session.record?.session_id);
    this.#receive(read, { agent: facts.agent, attach: facts.key }, answering);
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    reciprocate(socket, code);
    this.#detached(socketFacts(socket));
  }

  override webSocketError(socket: WebSocket): void {
    this.#detached(socketFacts(socket));
  }

  #detached(facts: SocketFacts): void {
    const { agent, key } = facts;
    this.#gate.forget(facts);
    const side = this.#session.record?.agents.indexOf(agent);
    if (side === 0 || side === 1) this.#perform(() => this.#session.detached(side, key, Date.now()));
  }

  // --- what is asked over HTTP, by an agent or by whoever may look at all of the account (no agent): undefined where there is no
  // session, or it is not the agent's, which looks the same

  describe(agent?: string): SessionFacts | undefined {
    const { record, progress } = this.#session;
    return record && this.#isOf(agent) ? factsOf(record, progress, this.#store.lastWorkAt()) : undefined;
  }

  #isOf(agent: string | undefined): boolean {
    return agent === undefined ? this.#session.record !== undefined : this.#session.isParticipant(agent);
  }

  /** Ends it, whatever is under way (N17). Answers how it stands then. */
  end(): SessionFacts | undefined {
    this.#perform(() => this.#session.end(Date.now()));
    return this.describe();
  }

  deadLetters(query: HistoryQuery, agent?: string): DeadLetterPage | undefined {
    return this.#isOf(agent) ? readDeadLetters(this.ctx.storage.sql, this.#store, this.#session, query) : undefined;
  }

  timeline(query: HistoryQuery, agent?: string): HistoryPage | undefined {
    if (!this.#isOf(agent)) return undefined;
    const [a, b] = this.#session.progress;
    return readHistory(this.ctx.storage.sql, [a.acked, b.acked], query);
  }

  // --- dead letters on their way

  /** Sends the agent's dead letters here into another session, as far as that has room. */
  redrive(agent: string, target: string): Promise<RedriveAnswer> {
    return redrive(
      {
        session: this.#session,
        store: this.#store,
        note: (side, to, after, through) =>
          this.#perform(() => this.#session.redriving(side, to, after, through, Date.now())),
        other: (session_id) => this.env.SESSIONS.getByName(`${this.#account}/${session_id}`),
      },
      agent,
      target,
    );
  }

  /** To the source: how this session stands as a target. Undefined where it is not the agent's. */
  redriveStanding(agent: string, source: string): RedriveStanding | undefined {
    return standingFor(this.#session.record, this.#store, agent, source);
  }

  /** From the source: dead letters of the agent's. Undefined where the session is not active. */
  takeLetters(agent: string, source: string, letters: Letter[]): Redriven | undefined {
    const side = sideOf(this.#session.record, agent);
    if (side === undefined) return undefined;
    const before = this.#store.redrivenThrough(source, side);
    return this.#perform(() => this.#session.redrive(side, source, letters, before, Date.now())).answer;
  }

  // --- time

  override async alarm(): Promise<void> {
    this.#alarm = undefined;
    const now = Date.now();
    const expired = closeExpired(this.ctx, now);
    this.#expiry = expiryDue(this.ctx, now);
    for (const facts of expired) this.#detached(facts);
    this.#perform(() => this.#session.wake(this.#session.record && this.#store.lastWorkAt(), now));
  }

  // --- events in, effects out

  #receive(read: Read, from: Omit<Inbound, "envelopes">, answering: Answering): void {
    if (read.faults.length > 0) answering.reply(read.faults);
    if (read.envelopes.length > 0) this.#take(read, from, answering);
    if (read.close !== undefined) answering.close(read.close, "see the ERROR before this");
  }

  #take(read: Read, from: Omit<Inbound, "envelopes">, answering: Answering): void {
    this.#perform(() => this.#session.receive({ ...from, envelopes: read.envelopes }, Date.now()), answering);
  }

  /**
   * One event, from the core to rows and frames. What throws on its way leaves memory ahead of storage: nothing of it is kept, no
   * frame of it leaves, and the object begins anew from what is stored.
   */
  #perform<O extends Output>(event: () => O, answering?: Answering): O {
    try {
      const output = event();
      for (const effect of output.effects) this.#carryOut(effect, answering);
      this.#wakeAt(output.deadline);
      return output;
    } catch (cause) {
      console.error(JSON.stringify({ event: "session_reset", object: this.ctx.id.name, cause: String(cause) }));
      this.ctx.abort(String(cause));
      throw cause;
    }
  }

  /** At the core's deadline, or before it, where a certificate ends before it: usually not one row more. */
  #wakeAt(deadline: number | undefined): void {
    const due = soonest(deadline, this.#expiry);
    if (due === this.#alarm) return;
    this.#alarm = due;
    if (due === undefined) void this.ctx.storage.deleteAlarm();
    else void this.ctx.storage.setAlarm(due);
  }

  #carryOut(effect: Effect, answering: Answering | undefined): void {
    switch (effect.do) {
      case "store":
        return this.#store.saveRow(effect.row);
      case "forget":
        return this.#store.forgetRows(effect.stream, effect.rows);
      case "task":
        return this.#store.saveTask(effect.task);
      case "cancelTasks":
        return this.#store.cancelTasks();
      case "redriven":
        return this.#store.saveRedriven(effect.source, effect.stream, effect.through);
      case "record":
        return this.#store.saveRecord(effect.record, this.#account ?? "");
      case "cursors":
        return this.#store.saveCursors(effect.cursors);
      case "reply":
        return answering?.reply(effect.lines);
      case "send":
        return this.#delivery.send(effect.to, effect.attach, effect.frames);
      case "replay":
        return this.#delivery.send(effect.to, effect.attach, [
          ...this.#store.frames(otherSide(effect.to), effect.first, effect.last),
        ]);
      case "close":
        if (answering?.attach === effect.attach) return answering.close(effect.code, effect.reason);
        return this.#delivery.close(effect.attach, effect.code, effect.reason);
      case "offer":
        return this.ctx.waitUntil(this.#offer(effect.to, effect));
      case "index":
        return this.ctx.waitUntil(this.#index(effect.record, effect.report));
      case "erase":
        return this.ctx.waitUntil(this.#erase(effect.session_id));
    }
  }

  async #offer(to: string, offer: Offer): Promise<void> {
    const refusal = await makeOffer(this.env, this.#account ?? "", this.#session.record?.agents[0] ?? "", to, offer);
    const now = Date.now();
    this.#perform(() =>
      refusal === undefined ? this.#session.offerMade(now) : this.#session.offerFailed(refusal, now),
    );
  }

  async #index(record: SessionRecord, usage: UsageReport): Promise<void> {
    if (!(await tellState(this.env, this.#account ?? "", record, usage))) return;
    this.#perform(() => this.#session.indexed(record.state, Date.now()));
  }

  /** Everything that is stored here, the alarm too, once D1 has forgotten it. What fails is repeated by the forget timer. */
  async #erase(session_id: string): Promise<void> {
    if (!(await tellForgotten(this.env, this.#account ?? "", session_id))) return;
    await this.ctx.storage.deleteAll();
    this.#store = new SessionStore(this.ctx.storage.sql);
    this.#session = new BrokerSession(this.#store, mint);
    this.#account = undefined;
    this.#alarm = undefined;
    this.#expiry = expiryDue(this.ctx, Date.now());
    this.#wakeAt(undefined);
    this.#delivery.forget();
  }
}
