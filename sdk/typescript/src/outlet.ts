// Gathers what the sessions of an agent and the agent itself have to send, and sends it once per turn of the event loop: all
// that one turn brings shares frames.
import { packFrames } from "../../../protocol/wire/codec.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import type { Connection } from "./connection.ts";
import type { LiveSession } from "./live-session.ts";

/** Between frames while the broker finds them too many. */
const slowFlushMs = 5;

export class Outlet {
  readonly #connection: () => Connection;
  #sessions = new Set<LiveSession>();
  /** They have taken what came, and have not said so yet. */
  #owing = new Set<LiveSession>();
  #timer: NodeJS.Timeout | undefined;
  #lines: string[] = [];
  #flushing = false;
  #slowUntilMs = 0;

  /** @param connection the agent's own: for everything that has no route of its own */
  constructor(connection: () => Connection) {
    this.#connection = connection;
  }

  /** The session has lines. */
  wake(session: LiveSession): void {
    this.#sessions.add(session);
    this.#flushSoon();
  }

  forget(session: LiveSession): void {
    this.#sessions.delete(session);
    this.#owing.delete(session);
  }

  /** A line that is no session's: sent once, lost with the connection. */
  line(line: string): void {
    this.#lines.push(line);
    this.#flushSoon();
  }

  /** A new connection begins with lines of its own making. */
  dropLines(): void {
    this.#lines = [];
  }

  /** The broker says that frames come too fast: for a while they wait for company. */
  slowDown(): void {
    this.#slowUntilMs = performance.now() + limits.rateWarningsWithinMs;
  }

  // Not a microtask: a reader that takes a whole frame of messages would acknowledge each by a frame of its own.
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    if (performance.now() < this.#slowUntilMs) setTimeout(() => this.#flush(), slowFlushMs);
    else setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    const sessions = this.#sessions;
    this.#sessions = new Set();
    const lines = this.#lines;
    this.#lines = [];
    this.#send(sessions, "later", lines);
    if (this.#owing.size > 0) this.#timer ??= setTimeout(() => this.#settleOwing(), limits.receiptDelayMs);
  }

  /** L17: receipts that found no company in time go alone. */
  #settleOwing(): void {
    this.#timer = undefined;
    const owing = this.#owing;
    this.#owing = new Set();
    this.settle(owing);
  }

  /** What these sessions have goes at once, their receipts too. */
  settle(sessions: Iterable<LiveSession>): void {
    this.#send(sessions, "now", []);
  }

  #send(sessions: Iterable<LiveSession>, receipts: "now" | "later", lines: string[]): void {
    const connection = this.#connection();
    for (const session of sessions) {
      // What waits for a connection that is down is asked for again when it is up.
      if (!session.keep() || !(session.route ?? connection).isOpen) continue;
      if (session.route === undefined) lines.push(...session.lines(receipts));
      else session.route.send(packFrames(session.lines(receipts)));
      if (session.owesReceipt) this.#owing.add(session);
    }
    if (lines.length > 0 && connection.isOpen) connection.send(packFrames(lines));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
