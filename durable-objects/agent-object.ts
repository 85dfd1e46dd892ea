// An agent on the edge: its one live connection, and a relay between that and its sessions. It holds no message state and may
// lose any frame without harm; whatever must not be lost is the session's. What it stores: which connection is the newest, what
// the agent announced, and its open sessions.
import { DurableObject } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { errorLine } from "../protocol/wire/codec.ts";
import type { Capability, ClientEnvelope, FromClient } from "../protocol/wire/envelope.ts";
import { closeCodeOf, closeCodes, type ErrorReason } from "../protocol/wire/errors.ts";
import { Uuid, uuidv7 } from "../protocol/wire/ids.ts";
import { announcedLimits, limits } from "../protocol/wire/limits.ts";
import { routeFrame, type Step } from "../protocol/wire/route.ts";
import { listAgents, replaceCapabilities } from "../schema/registry.ts";
import { AgentStore } from "./agent-store.ts";
import type { ObjectEnv } from "./env.ts";
import { identityOf } from "./identity.ts";
import type { SessionNotice } from "./rpc.ts";
import type { SessionObject } from "./session-object.ts";
import {
  acceptSocket,
  closeIfExpired,
  closeIfRevoked,
  closeSocket,
  openSocket,
  openSockets,
  reciprocate,
  type SocketFacts,
} from "./sockets.ts";

interface Connection extends SocketFacts {
  registered: boolean;
}

const factsOf = (socket: WebSocket) => socket.deserializeAttachment() as Connection;

export class AgentObject extends DurableObject<ObjectEnv> {
  readonly #store: AgentStore;
  readonly #sessions = new Map<string, DurableObjectStub<SessionObject>>();

  constructor(ctx: DurableObjectState, env: ObjectEnv) {
    super(ctx, env);
    this.#store = new AgentStore(ctx.storage.sql);
  }

  // --- the connection

  override fetch(request: Request): Response {
    const identity = identityOf(request);
    const facts: Connection = {
      ...identity,
      key: `c${this.#store.nextConnection(identity.account, identity.agent)}`,
      registered: false,
    };
    const response = acceptSocket(this.ctx, facts);
    this.ctx.waitUntil(closeIfRevoked(this.ctx, this.env.DB, facts, Date.now()));
    return response;
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    const facts = factsOf(socket);
    if (closeIfExpired(socket, facts, Date.now())) return;
    if (typeof message !== "string") return this.#say(socket, errorLine({ reason: "binary_frame" }));
    for (const step of routeFrame(message)) this.#take(socket, facts, step);
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    reciprocate(socket, code);
  }

  #take(socket: WebSocket, facts: Connection, step: Step): void {
    if (step.to === "sender") {
      this.#say(socket, errorLine(step.fault));
      const close = closeCodeOf(step.fault.reason);
      if (close !== undefined) closeSocket(socket, close, "see the ERROR before this");
    } else if (step.to === "connection") this.#takeOwn(socket, facts, step.envelope);
    else if (!facts.registered) this.#refuseLines(socket, step.lines, "not_registered");
    else if (step.opens && this.#store.isFull(step.session_id)) {
      this.#refuseLines(socket, step.lines, "too_many_sessions");
    } else this.#relay(socket, facts, step.session_id, step.lines, step.opens ? "opens" : "work");
  }

  #takeOwn(socket: WebSocket, facts: Connection, envelope: ClientEnvelope): void {
    if (envelope.type === "HEARTBEAT") return this.#say(socket, '{"type":"HEARTBEAT_ACK"}');
    const id = envelope.id === undefined ? {} : { id: envelope.id };
    if (envelope.from !== undefined && envelope.from !== facts.agent) {
      return this.#say(socket, errorLine({ reason: "from_mismatch", ...id }));
    }
    if (envelope.type === "REGISTER") return this.#register(socket, facts, envelope);
    if (!facts.registered) return this.#say(socket, errorLine({ reason: "not_registered", ...id }));
    if (envelope.type === "CAPABILITY_ANNOUNCE") return this.#announce(socket, facts, envelope);
    if (envelope.type === "AGENT_QUERY") return this.#answer(socket, this.#query(facts, envelope));
    if (envelope.type === "PAUSE" || envelope.type === "RESUME") {
      for (const { session_id } of this.#store.sessions()) {
        this.#relay(socket, facts, session_id, [JSON.stringify({ type: envelope.type, session_id })], "to all");
      }
    }
  }

  // --- registration

  #register(socket: WebSocket, facts: Connection, { id, data }: FromClient<"REGISTER">): void {
    if (facts.registered) return this.#say(socket, errorLine({ reason: "already_registered", id }));
    for (const other of openSockets(this.ctx)) {
      if (other !== socket && factsOf(other).registered) closeSocket(other, closeCodes.superseded, "superseded");
    }
    facts.registered = true;
    socket.serializeAttachment(facts);
    const { agent, account } = facts;
    const ack = () => ({
      type: "REGISTER_ACK",
      id: this.#id(),
      in_reply_to: id,
      data: {
        agent,
        account,
        limits: announcedLimits,
        heartbeat_ms: limits.heartbeatIntervalMs,
        sessions: this.#store.sessions(),
      },
    });
    // The usual reconnect announces what was announced before: answered at once, no query.
    if (this.#store.hasCapabilities(data.capabilities)) this.#say(socket, JSON.stringify(ack()));
    else this.#answer(socket, this.#publish(facts, data.capabilities).then(ack));
  }

  #announce(socket: WebSocket, facts: Connection, { id, data }: FromClient<"CAPABILITY_ANNOUNCE">): void {
    const capabilities = data.capabilities.map(({ name }) => name);
    const ack = () => ({ type: "CAPABILITY_ACK", id: this.#id(), in_reply_to: id, data: { capabilities } });
    this.#answer(socket, this.#publish(facts, data.capabilities).then(ack));
  }

  /** To the registry first: what was acknowledged can be found there. */
  async #publish({ account, agent }: Connection, capabilities: Capability[]): Promise<void> {
    this.#store.saveCapabilities(capabilities, false);
    await replaceCapabilities(drizzle(this.env.DB), account, agent, capabilities);
    this.#store.saveCapabilities(capabilities, true);
  }

  async #query({ account, agent: self }: Connection, { id, data }: FromClient<"AGENT_QUERY">): Promise<object> {
    const page = await listAgents(drizzle(this.env.DB), account, { ...data, schemas: false });
    const agents = await Promise.all(
      page.agents.map(async ({ agent, capabilities, last_connected_at: at }) => ({
        agent,
        capabilities,
        connected: agent === self || (at !== null && (await this.#isConnected(account, agent))),
      })),
    );
    return { type: "AGENT_LIST", id: this.#id(), in_reply_to: id, data: { ...page, agents } };
  }

  async #isConnected(account: string, agent: string): Promise<boolean> {
    return (await this.env.AGENTS.getByName(`${account}/${agent}`).presence()).connected;
  }

  // --- the relay

  #relay(
    socket: WebSocket,
    facts: Connection,
    session_id: string,
    lines: string[],
    what: "work" | "opens" | "to all",
  ): void {
    const { account, agent, key: connection } = facts;
    const capabilities = what === "opens" ? { capabilities: this.#store.capabilities() } : {};
    const sender = { account, agent, connection, ...capabilities, toAll: what === "to all" };
    const answered = this.#session(account, session_id).receive(sender, lines.join("\n"));
    this.ctx.waitUntil(
      answered.then(
        ({ frames, close }) => {
          for (const frame of frames) this.#say(socket, frame);
          if (close !== undefined) closeSocket(socket, close.code, close.reason);
        },
        () => {
          // After an exception a stub is broken; and nobody knows what arrived. The client attaches again (A5).
          this.#sessions.delete(session_id);
          this.#say(socket, errorLine({ reason: "relay_lost", session_id }));
        },
      ),
    );
  }

  #session(account: string, session_id: string): DurableObjectStub<SessionObject> {
    let stub = this.#sessions.get(session_id);
    if (stub === undefined) {
      stub = this.env.SESSIONS.getByName(`${account}/${session_id}`);
      this.#sessions.set(session_id, stub);
    }
    return stub;
  }

  #refuseLines(socket: WebSocket, lines: string[], reason: ErrorReason): void {
    for (const line of lines) {
      const { id, session_id } = JSON.parse(line);
      this.#say(socket, errorLine({ reason, ...(Uuid.safeParse(id).success && { id }), session_id }));
    }
  }

  // --- what sessions and the Worker ask

  /** Frames of a session for one connection. False when that connection is not there any more: nothing was sent. */
  deliver(connection: string, frames: string[]): boolean {
    const socket = openSocket(this.ctx, connection);
    if (socket === undefined || !factsOf(socket).registered) return false;
    for (const frame of frames) socket.send(frame);
    return true;
  }

  /** An offer (a SESSION_INIT line) for whatever connection is live. False when there is none. */
  offer(line: string): boolean {
    const socket = this.#live();
    socket?.send(line);
    return socket !== undefined;
  }

  /** A session became live, or ended. */
  sessionChanged({ session_id, peer, live }: SessionNotice): void {
    if (live) return this.#store.addSession(session_id, peer);
    this.#store.removeSession(session_id);
    this.#sessions.delete(session_id);
  }

  presence(): { connected: boolean } {
    return { connected: this.#live() !== undefined };
  }

  /** Closes every socket of the agent, here and in its sessions. Answers how many were open here. */
  async disconnect(code: number, reason: string): Promise<number> {
    const open = openSockets(this.ctx);
    const first = open[0];
    for (const socket of open) closeSocket(socket, code, reason);
    const identity = this.#store.identity() ?? (first && factsOf(first));
    if (identity !== undefined) {
      const { account, agent } = identity;
      const told = this.#store
        .sessions()
        .map(({ session_id }) => this.#session(account, session_id).expel(agent, code, reason));
      await Promise.all(told);
    }
    return open.length;
  }

  // --- small things

  #live(): WebSocket | undefined {
    return openSockets(this.ctx).find((socket) => factsOf(socket).registered);
  }

  #say(socket: WebSocket, text: string): void {
    if (socket.readyState === WebSocket.OPEN) socket.send(text);
  }

  #answer(socket: WebSocket, made: Promise<object>): void {
    this.ctx.waitUntil(
      made.then(
        (envelope) => this.#say(socket, JSON.stringify(envelope)),
        (cause) => {
          console.error(JSON.stringify({ event: "answer_failed", cause: String(cause) }));
          this.#say(socket, errorLine({ reason: "internal" }));
          closeSocket(socket, closeCodes.internal, "internal");
        },
      ),
    );
  }

  #id(): string {
    return uuidv7(Date.now(), crypto.getRandomValues(new Uint8Array(10)));
  }
}
