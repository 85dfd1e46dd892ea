// How a session closes, from either side: what this side says last and when that is stored, and that the peer's close counts as
// taken only once nothing of this side's is on its way (N8). What stops with it, handlers and readers, is the session's to say.
import { noop } from "./deferred.ts";
import { wireError } from "./error.ts";
import type { Inbox, Slot } from "./inbox.ts";
import type { Outgoing } from "./outgoing.ts";

export class SessionClose {
  readonly #outgoing: Outgoing;
  readonly #inbox: Inbox;
  /** This side closes. */
  #own: { reason: string; stored: Promise<void> } | undefined;
  /** The peer closed, and has nothing more to say. */
  #peers: { reason: string; slot: Slot } | undefined;

  constructor(outgoing: Outgoing, inbox: Inbox) {
    this.#outgoing = outgoing;
    this.#inbox = inbox;
  }

  /** Why the session ends, when nothing else ends it. */
  get reason(): string {
    return this.#peers?.reason ?? this.#own?.reason ?? "closed";
  }

  /**
   * Resolves when all that this side has said is stored; undefined while this side does not close. It never waits for the peer, which
   * may be gone for good: the session ends when both have everything, whoever is there to see it.
   */
  get stored(): Promise<void> | undefined {
    return this.#own?.stored;
  }

  /** This side has closed, and all that it said is stored: nothing that comes can make a failure of that. */
  get isDone(): boolean {
    return this.#own !== undefined && this.#outgoing.isShut && this.#outgoing.isStored;
  }

  /**
   * This side closes.
   * @param known where the stream of an earlier life stands is known when this resolves; undefined: it is known
   * @returns `stored`
   */
  say(reason: string, known: Promise<void> | undefined): Promise<void> {
    const stored = known === undefined ? this.#sayLast(reason) : known.then(() => this.#sayLast(reason)).catch(noop);
    this.#own = { reason, stored };
    return stored;
  }

  /** After the peer's close, or an earlier life's, ours has nothing to add. */
  #sayLast(reason: string): Promise<void> {
    return this.#outgoing.isShut ? this.#outgoing.stored : this.#outgoing.close(reason);
  }

  /** An earlier life of this program had closed it, or had heard the peer's close. */
  recall(reason: string): void {
    this.#own = { reason, stored: this.#outgoing.stored };
    this.#outgoing.shut(wireError("session_closed"));
  }

  /** The peer closes. What is still queued goes first: once its close is acknowledged, this side has no more to say. */
  hear(reason: string, slot: Slot): void {
    this.#peers = { reason, slot };
    this.#outgoing.shut(wireError("session_closed"));
  }

  /** Takes the peer's close as soon as that may be: after it was heard, and after each receipt. */
  settle(): void {
    if (this.#peers !== undefined && this.#outgoing.isStored) this.#inbox.done(this.#peers.slot);
  }
}
