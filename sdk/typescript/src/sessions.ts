// Which sessions an agent has: those that are open, each with a direct connection where that is wanted; those that ended here; those
// that wait for somebody to read them; and those that an earlier life left. What happens in a session is decided elsewhere.
import { ClientSession } from "../../../protocol/session/client.ts";
import type { FromBroker } from "../../../protocol/wire/envelope.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import { Channel } from "./channel.ts";
import type { Connection } from "./connection.ts";
import type { AgentworksError } from "./error.ts";
import type { Host } from "./host.ts";
import type { SessionMemory } from "./journal-records.ts";
import { LiveSession } from "./live-session.ts";
import { mint } from "./mint.ts";
import { Recent } from "./recent.ts";

const normalClosure = 1000;
/** Ended sessions that are remembered, lest the broker's list bring one back: as many as may be open at all. */
const endedHereMax = limits.openSessionsMax;

export interface SessionsOptions {
  /** Why none may begin now. */
  refusal(): AgentworksError | undefined;
  /** Opens a session's direct connection; undefined: they have none. */
  dial: ((session: LiveSession) => Connection) | undefined;
}

export class Sessions implements Iterable<LiveSession> {
  /** Sessions that this program did not open. */
  readonly incoming = new Channel<LiveSession>();
  readonly #host: Host;
  readonly #options: SessionsOptions;
  readonly #open = new Map<string, LiveSession>();
  readonly #endedHere = new Recent(endedHereMax);
  readonly #directs = new Map<string, Connection>();

  constructor(host: Host, options: SessionsOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** Those that are open, or on their way there. */
  [Symbol.iterator](): IterableIterator<LiveSession> {
    return this.#open.values();
  }

  get(session_id: string): LiveSession | undefined {
    return this.#open.get(session_id);
  }

  /** Puts one on its way. Throws where none may begin. */
  begin(core: ClientSession, memory?: SessionMemory): LiveSession {
    const refusal = this.#options.refusal();
    if (refusal !== undefined) throw refusal;
    const session = new LiveSession(core, this.#host, memory);
    this.#open.set(session.id, session);
    this.#host.wake(session);
    return session;
  }

  /**
   * Sessions that this program knows nothing of were an earlier life's; those that it saw end are none of them. What the journal
   * remembers is resumed from there, whether or not the broker lists it: how it ended is told then.
   */
  recover(listed: FromBroker<"REGISTER_ACK">["data"]["sessions"]): void {
    const isKnown = (session_id: string) => this.#open.has(session_id) || this.#endedHere.has(session_id);
    for (const memory of this.#host.journal?.memory.sessions.values() ?? []) {
      if (!isKnown(memory.session)) this.begin(ClientSession.recall(memory.remembered, mint), memory);
    }
    for (const { session_id, peer } of listed) {
      if (!isKnown(session_id)) this.begin(ClientSession.recover(session_id, peer, mint));
    }
  }

  opened(session: LiveSession): void {
    this.#host.tell({ type: "session_opened", session });
    if (session.offered) this.incoming.push(session);
    if (this.#options.dial !== undefined) this.#directs.set(session.id, this.#options.dial(session));
  }

  ended(session: LiveSession): void {
    this.#open.delete(session.id);
    this.#endedHere.add(session.id);
    this.#directs.get(session.id)?.stop(normalClosure, "the session has ended");
    this.#directs.delete(session.id);
    // One that nobody asked for, and that left nothing to read, need not be kept for a reader.
    if (!session.hasUnread) this.incoming.remove((one) => one === session);
    void session.closed.then((end) => this.#host.tell({ type: "session_closed", session, ...end }));
  }

  /** Makes their direct connections anew. */
  renew(reason: string): void {
    for (const connection of this.#directs.values()) connection.renew(reason);
  }

  /** The agent is over, and they with it. */
  stop(error: AgentworksError): void {
    for (const session of [...this]) session.stop(error);
  }
}
