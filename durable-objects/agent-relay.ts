// The relay between an agent's connection and its sessions: which agent a session is with, whether there may be one more, and
// lines there and answers back. It may lose any frame; it says so, and the client attaches again (A5).
import { isLive } from "../protocol/session/states.ts";
import { errorLine } from "../protocol/wire/codec.ts";
import { type ErrorReason, errorBody } from "../protocol/wire/errors.ts";
import { isUuid } from "../protocol/wire/ids.ts";
import { addressedTo, type SessionLines } from "../protocol/wire/route.ts";
import type { Router } from "./agent-router.ts";
import type { AgentStore } from "./agent-store.ts";
import type { ObjectEnv } from "./env.ts";
import { freshId } from "./fresh-id.ts";
import type { SessionNotice } from "./rpc.ts";
import type { SessionFacts } from "./session-history.ts";
import type { SessionObject } from "./session-object.ts";
import { closeSocket, type SocketFacts, say } from "./sockets.ts";

type Seeks = NonNullable<SessionLines["seeks"]>;

export class Relay {
  readonly #ctx: DurableObjectState;
  readonly #env: ObjectEnv;
  readonly #store: AgentStore;
  readonly #router: Router;
  readonly #sessions = new Map<string, DurableObjectStub<SessionObject>>();
  /** Sessions for which an agent is being found: what else comes of them waits. */
  readonly #routing = new Map<string, Promise<void>>();
  /** Sessions that are asked how they stand, each by its newest notice. */
  readonly #asking = new Map<string, SessionNotice>();

  constructor(ctx: DurableObjectState, env: ObjectEnv, store: AgentStore, router: Router) {
    this.#ctx = ctx;
    this.#env = env;
    this.#store = store;
    this.#router = router;
  }

  /** Lines of one session, out of one frame of a registered connection. */
  take(socket: WebSocket, facts: SocketFacts, step: SessionLines): void {
    const { session_id, lines, opens, peer = "", seeks } = step;
    const routing = this.#routing.get(session_id);
    if (routing !== undefined) return this.#ctx.waitUntil(routing.then(() => this.take(socket, facts, step)));
    if (!opens) return this.#relay(socket, facts, step);
    const now = Date.now();
    if (this.#store.isFull(session_id, now)) return refuseLines(socket, lines, "too_many_sessions");
    if (seeks !== undefined) return this.#route(socket, facts, step, seeks);
    this.#store.addSession(session_id, peer, now);
    this.#relay(socket, facts, step);
  }

  /** PAUSE or RESUME for every session that is attached to this connection (W7). */
  toAll(socket: WebSocket, facts: SocketFacts, type: "PAUSE" | "RESUME"): void {
    for (const { session_id } of this.#store.sessions()) {
      const lines = [JSON.stringify({ type, session_id })];
      this.#relay(socket, facts, { session_id, lines, opens: false }, true);
    }
  }

  /** Closes the agent's sockets in all its sessions. */
  async expel(
    { account, agent }: { account: string; agent: string },
    code: number,
    reason: string,
    fingerprints?: readonly string[],
  ): Promise<void> {
    const ids = this.#store.sessionIds();
    await Promise.all(ids.map((id) => this.#session(account, id).expel(agent, code, reason, fingerprints)));
  }

  /**
   * A session became live, or ended. Notices may overtake each other, and an end must not be undone by what is older: one that is not
   * on the list, where it was put when it was offered or accepted, is asked how it stands now.
   * @throws when it cannot be asked; the session tells again
   */
  async changed(notice: SessionNotice): Promise<void> {
    const { account, session_id, peer, live, capability } = notice;
    this.#asking.delete(session_id);
    if (!live) return this.forget(session_id);
    if (this.#store.hasSession(session_id)) return this.#store.liveSession(session_id, peer, capability);
    this.#asking.set(session_id, notice);
    let facts: SessionFacts | undefined;
    try {
      facts = await this.#session(account, session_id).describe();
      // A notice that came meanwhile has decided, or asks for itself.
      if (this.#asking.get(session_id) !== notice) return;
    } finally {
      if (this.#asking.get(session_id) === notice) this.#asking.delete(session_id);
      // It may be broken, or for a session that is over: the next one that needs it makes its own.
      this.#sessions.delete(session_id);
    }
    if (facts !== undefined && isLive(facts.state)) this.#store.liveSession(session_id, peer, capability);
  }

  /** The session is over, or never was. */
  forget(session_id: string): void {
    this.#store.removeSession(session_id);
    this.#sessions.delete(session_id);
  }

  /** A session with whoever can do something: asked again, it is with the same agent. */
  #route(socket: WebSocket, facts: SocketFacts, step: SessionLines, seeks: Seeks): void {
    const { session_id } = step;
    const known = this.#store.peerOf(session_id);
    if (known !== undefined) return this.#relay(socket, facts, addressed(step, known));
    const { account, agent } = facts;
    const routing = this.#router.find({ account, agent, session_id, capability: seeks.capability }).then(
      (found) => {
        this.#routing.delete(session_id);
        if ("to" in found) this.take(socket, facts, addressed(step, found.to));
        else refuseSearch(socket, step, seeks, found.refused);
      },
      (cause) => {
        this.#routing.delete(session_id);
        console.error(JSON.stringify({ event: "routing_failed", account, agent, cause: String(cause) }));
        say(socket, errorLine({ reason: "relay_lost", session_id }));
      },
    );
    this.#routing.set(session_id, routing);
    this.#ctx.waitUntil(routing);
  }

  /** @param toAll the lines are for every session that is attached to this connection */
  #relay(
    socket: WebSocket,
    facts: SocketFacts,
    { session_id, lines, opens }: Pick<SessionLines, "session_id" | "lines" | "opens">,
    toAll = false,
  ): void {
    const { account, agent, key: connection } = facts;
    const capabilities = opens ? { capabilities: this.#store.capabilities() } : {};
    const sender = { account, agent, connection, ...capabilities, toAll };
    const answered = this.#session(account, session_id).receive(sender, lines.join("\n"));
    this.#ctx.waitUntil(
      answered.then(
        ({ frames, close, open }) => {
          // What an agent calls a session need not be one: nothing is kept of names.
          if (!open && opens) this.forget(session_id);
          else if (!open && !toAll) this.#sessions.delete(session_id);
          for (const frame of frames) say(socket, frame);
          if (close !== undefined) closeSocket(socket, close.code, close.reason);
        },
        () => {
          // After an exception a stub is broken; and nobody knows what arrived. The client attaches again (A5).
          this.#sessions.delete(session_id);
          say(socket, errorLine({ reason: "relay_lost", session_id }));
        },
      ),
    );
  }

  #session(account: string, session_id: string): DurableObjectStub<SessionObject> {
    let stub = this.#sessions.get(session_id);
    if (stub === undefined) {
      stub = this.#env.SESSIONS.getByName(`${account}/${session_id}`);
      this.#sessions.set(session_id, stub);
    }
    return stub;
  }
}

/** Each line is answered by that ERROR. */
export function refuseLines(socket: WebSocket, lines: readonly string[], reason: ErrorReason): void {
  for (const line of lines) {
    const { id, session_id } = JSON.parse(line);
    say(socket, errorLine({ reason, ...(isUuid(id) && { id }), session_id }));
  }
}

/** No agent was found: there is no session, and what else came for it is refused. */
function refuseSearch(socket: WebSocket, { session_id, lines }: SessionLines, seeks: Seeks, reason: ErrorReason): void {
  const head = { type: "SESSION_REJECT", id: freshId(), session_id, in_reply_to: seeks.id };
  say(socket, JSON.stringify({ ...head, data: errorBody(reason) }));
  const others = lines.filter((line) => JSON.parse(line).type !== "SESSION_INIT");
  refuseLines(socket, others, "session_unknown");
}

/** The step with an agent in place of what was sought. */
function addressed({ seeks: _, ...step }: SessionLines, peer: string): SessionLines {
  return { ...step, peer, lines: addressedTo(step.lines, peer) };
}
