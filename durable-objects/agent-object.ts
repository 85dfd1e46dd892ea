// An agent on the edge: its one live connection, and a relay between that and its sessions. It holds no message state and may
// lose any frame without harm; whatever must not be lost is the session's. What it stores is in `agent-store.ts`.
import { DurableObject } from "cloudflare:workers";
import type { Offer } from "../protocol/session/effects.ts";
import { errorLine, packFrames } from "../protocol/wire/codec.ts";
import type { ClientEnvelope, FromClient } from "../protocol/wire/envelope.ts";
import { closeCodeOf, closeCodes, type ErrorReason } from "../protocol/wire/errors.ts";
import type { Uuid } from "../protocol/wire/ids.ts";
import { announcedLimits, limits } from "../protocol/wire/limits.ts";
import { LookupRate } from "../protocol/wire/rate.ts";
import { opensSession, routeFrame, type Step } from "../protocol/wire/route.ts";
import { Directory } from "./agent-directory.ts";
import { Places } from "./agent-places.ts";
import { Relay, refuseLines } from "./agent-relay.ts";
import { Router } from "./agent-router.ts";
import { AgentStore } from "./agent-store.ts";
import type { ObjectEnv } from "./env.ts";
import { freshId } from "./fresh-id.ts";
import { identityOf } from "./identity.ts";
import type { Room, SessionNotice } from "./rpc.ts";
import {
  acceptSocket,
  closeExpired,
  closeIfRevoked,
  closeSocket,
  expiryDue,
  Gate,
  isSilent,
  liveSocket,
  openSockets,
  reciprocate,
  type SocketFacts,
  say,
} from "./sockets.ts";

interface Connection extends SocketFacts {
  registered: boolean;
  /** REGISTER_ACK was said: offers go out. */
  welcomed?: boolean;
}

const factsOf = (socket: WebSocket) => socket.deserializeAttachment() as Connection;

/** What the account's policy does not let the agent offer. */
const capabilityDenied = (id: Uuid, names: readonly string[]): string =>
  errorLine({
    reason: "capability_denied",
    id,
    issues: names.map((name) => ({ path: name, message: "denied by the policy" })),
  });

export class AgentObject extends DurableObject<ObjectEnv> {
  readonly #store: AgentStore;
  readonly #places: Places;
  readonly #directory: Directory;
  readonly #relay: Relay;
  readonly #gate = new Gate();
  /** In memory: an object that lost it had no flood. */
  readonly #lookups = new LookupRate(Date.now());

  constructor(ctx: DurableObjectState, env: ObjectEnv) {
    super(ctx, env);
    this.#store = new AgentStore(ctx.storage.sql);
    this.#places = new Places(this.#store);
    this.#relay = new Relay(ctx, env, this.#store, new Router(env, this.#store));
    this.#directory = new Directory(env, this.#store);
  }

  // --- the connection

  override async fetch(request: Request): Promise<Response> {
    const identity = identityOf(request);
    const now = Date.now();
    const key = `c${this.#store.nextConnection(identity.account, identity.agent)}`;
    const facts: Connection = { ...identity, key, seenAt: now, registered: false };
    const response = acceptSocket(this.ctx, facts);
    this.ctx.waitUntil(closeIfRevoked(this.ctx, this.env.DB, facts, now));
    await this.#wakeAtExpiry(now);
    return response;
  }

  /** The alarm is for this alone. It is set once for a certificate, not for each connection: one row in all of its life. */
  async #wakeAtExpiry(now: number): Promise<void> {
    const set = await this.ctx.storage.getAlarm();
    const due = expiryDue(this.ctx, now);
    if (due !== undefined && (set === null || due < set)) await this.ctx.storage.setAlarm(due);
  }

  override async alarm(): Promise<void> {
    const now = Date.now();
    closeExpired(this.ctx, now);
    await this.#wakeAtExpiry(now);
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    const facts = factsOf(socket);
    if (!this.#gate.admits(socket, facts, Date.now())) return;
    if (typeof message !== "string") return say(socket, errorLine({ reason: "binary_frame" }));
    for (const step of routeFrame(message)) this.#take(socket, facts, step);
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    this.#gate.forget(factsOf(socket));
    reciprocate(socket, code);
  }

  override webSocketError(socket: WebSocket): void {
    this.#gate.forget(factsOf(socket));
  }

  #take(socket: WebSocket, facts: Connection, step: Step): void {
    if (step.to === "sender") {
      say(socket, errorLine(step.fault));
      const close = closeCodeOf(step.fault.reason);
      if (close !== undefined) closeSocket(socket, close, "see the ERROR before this");
    } else if (step.to === "connection") this.#takeOwn(socket, facts, step.envelope);
    else if (!facts.registered) refuseLines(socket, step.lines, "not_registered");
    else if (opensSession(step) && !this.#lookups.admits(Date.now()))
      refuseLines(socket, step.lines, "too_many_lookups");
    else this.#relay.take(socket, facts, step);
  }

  #takeOwn(socket: WebSocket, facts: Connection, envelope: ClientEnvelope): void {
    if (envelope.type === "HEARTBEAT") return say(socket, '{"type":"HEARTBEAT_ACK"}');
    const id = envelope.id === undefined ? {} : { id: envelope.id };
    if (envelope.from !== undefined && envelope.from !== facts.agent) {
      return say(socket, errorLine({ reason: "from_mismatch", ...id }));
    }
    if (envelope.type === "REGISTER") return this.#register(socket, facts, envelope);
    if (!facts.registered) return say(socket, errorLine({ reason: "not_registered", ...id }));
    if (envelope.type === "CAPABILITY_ANNOUNCE" || envelope.type === "AGENT_QUERY") {
      if (!this.#lookups.admits(Date.now())) return say(socket, errorLine({ reason: "too_many_lookups", ...id }));
      if (envelope.type === "AGENT_QUERY") return this.#query(socket, facts, envelope);
      return this.#announce(socket, facts, envelope);
    }
    if (envelope.type === "PAUSE" || envelope.type === "RESUME") this.#relay.toAll(socket, facts, envelope.type);
  }

  // --- registration

  #register(socket: WebSocket, facts: Connection, { id, data }: FromClient<"REGISTER">): void {
    if (facts.registered) return say(socket, errorLine({ reason: "already_registered", id }));
    for (const other of openSockets(this.ctx)) {
      if (other !== socket && factsOf(other).registered) closeSocket(other, closeCodes.superseded, "superseded");
    }
    facts.registered = true;
    socket.serializeAttachment(facts);
    // The usual reconnect announces what was announced before: answered at once, no query.
    if (this.#store.hasCapabilities(data.capabilities)) return this.#welcome(socket, id);
    this.#after(socket, this.#directory.publishAllowed(facts, data.capabilities), (denied) => {
      this.#welcome(socket, id);
      if (denied.length > 0) say(socket, capabilityDenied(id, denied));
    });
  }

  /** Says who the agent is and what is open, then hands over the offers that waited. */
  #welcome(socket: WebSocket, in_reply_to: Uuid): void {
    if (socket.readyState !== WebSocket.OPEN) return;
    const facts = factsOf(socket);
    const { agent, account } = facts;
    const heartbeat_ms = limits.heartbeatIntervalMs;
    const data = { agent, account, limits: announcedLimits, heartbeat_ms, sessions: this.#store.sessions() };
    say(socket, JSON.stringify({ type: "REGISTER_ACK", id: freshId(), in_reply_to, data }));
    socket.serializeAttachment({ ...facts, welcomed: true });
    for (const frame of packFrames(this.#store.offers(Date.now()))) say(socket, frame);
  }

  #announce(socket: WebSocket, facts: Connection, { id, data }: FromClient<"CAPABILITY_ANNOUNCE">): void {
    const capabilities = data.capabilities.map(({ name }) => name);
    const announcing = this.#directory.denied(facts, data.capabilities).then(async (denied) => {
      if (denied.length > 0) return capabilityDenied(id, denied);
      await this.#directory.publish(facts, data.capabilities);
      return JSON.stringify({ type: "CAPABILITY_ACK", id: freshId(), in_reply_to: id, data: { capabilities } });
    });
    this.#after(socket, announcing, (answer) => say(socket, answer));
  }

  #query(socket: WebSocket, facts: Connection, { id, data }: FromClient<"AGENT_QUERY">): void {
    this.#after(socket, this.#directory.query(facts, data), (page) =>
      say(socket, JSON.stringify({ type: "AGENT_LIST", id: freshId(), in_reply_to: id, data: page })),
    );
  }

  // --- what sessions, other agents and the Worker ask

  /** Frames of a session for one connection. False when that connection is not there any more: nothing was sent. */
  deliver(connection: string, frames: string[]): boolean {
    const socket = liveSocket(this.ctx, connection, Date.now());
    if (socket === undefined || !factsOf(socket).registered) return false;
    for (const frame of frames) socket.send(frame);
    return true;
  }

  /**
   * An offer for this agent: it is kept until it is answered or ends, and goes to whatever connection is live then.
   * @param known the registry has the agent; needed only where it was never connected
   * @returns why it was not taken; `agent_unknown` where nobody but the registry can tell
   */
  offer(offer: Offer, known: boolean): ErrorReason | undefined {
    const now = Date.now();
    const socket = this.#live(now);
    if (socket === undefined) {
      if (!known && this.#store.identity() === undefined) return "agent_unknown";
      if (!offer.waits) return "agent_offline";
    }
    const refusal = this.#places.take(offer, now);
    if (refusal === undefined && socket !== undefined && factsOf(socket).welcomed) say(socket, offer.line);
    return refusal;
  }

  /** The room for one more session with a capability. Undefined: not connected, or not announced. */
  room(capability: string): Room | undefined {
    const now = Date.now();
    return this.#live(now) && this.#places.room(capability, now);
  }

  /** Keeps a place for an offer that will come at once; false when there is none left. */
  keepPlace(session_id: string, capability: string): boolean {
    const now = Date.now();
    return this.#live(now) !== undefined && this.#places.keep(session_id, capability, now);
  }

  /** A session became live, or ended. */
  sessionChanged(notice: SessionNotice): Promise<void> {
    return this.#relay.changed(notice);
  }

  presence(): { connected: boolean } {
    return { connected: this.#live(Date.now()) !== undefined };
  }

  /** Sends the agent to connect anew, here and in its sessions. Answers how many sockets were open here. */
  async drain(): Promise<number> {
    const line = () => JSON.stringify({ type: "GOAWAY", id: freshId(), data: { reason: "draining" } });
    for (const socket of openSockets(this.ctx)) say(socket, line());
    return this.disconnect(closeCodes.draining, "draining");
  }

  /**
   * Closes every socket of the agent, here and in its sessions. Answers how many were open here.
   * @param fingerprints only if one of these certificates opened a socket here; if none did, those in sessions that they opened
   */
  async disconnect(code: number, reason: string, fingerprints?: readonly string[]): Promise<number> {
    const found = openSockets(this.ctx);
    const isElsewhere = fingerprints && !found.some((socket) => fingerprints.includes(factsOf(socket).fingerprint));
    const open = isElsewhere ? [] : found;
    const first = open[0];
    for (const socket of open) closeSocket(socket, code, reason);
    const identity = this.#store.identity() ?? (first && factsOf(first));
    const only = isElsewhere ? fingerprints : undefined;
    if (identity !== undefined) await this.#relay.expel(identity, code, reason, only);
    return open.length;
  }

  // --- small things

  /** The registered connection, if its client is there. */
  #live(now: number): WebSocket | undefined {
    return openSockets(this.ctx).find((socket) => {
      const facts = factsOf(socket);
      return facts.registered && !isSilent(this.ctx, socket, facts, now);
    });
  }

  #after<T>(socket: WebSocket, made: Promise<T>, then: (made: T) => void): void {
    this.ctx.waitUntil(
      made.then(then).catch((cause) => {
        console.error(JSON.stringify({ event: "answer_failed", cause: String(cause) }));
        say(socket, errorLine({ reason: "internal" }));
        closeSocket(socket, closeCodes.internal, "internal");
      }),
    );
  }
}
