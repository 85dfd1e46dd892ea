// The sending half of a session: what may still be queued, the receipts of what was, and when there is room for more.
import type { ClientSession } from "../../../protocol/session/client.ts";
import type { WorkType } from "../../../protocol/wire/envelope.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import { type Deferred, deferred, noop, rejected } from "./deferred.ts";
import { AgentworksError, clientError, wireError } from "./error.ts";
import { mint } from "./mint.ts";
import { Receipts, type Sent } from "./receipts.ts";
import type { SessionJournal } from "./session-journal.ts";

const closeReasonCharsMax = 1024;

export class Outgoing {
  readonly #core: ClientSession;
  readonly #wake: () => void;
  readonly #journal: SessionJournal | undefined;
  readonly #receipts = new Receipts();
  #ready: Deferred<void> | undefined;
  #storing: Deferred<void> | undefined;
  #shut: AgentworksError | undefined;
  /** Messages that were queued. */
  messages = 0;

  constructor(core: ClientSession, wake: () => void, journal: SessionJournal | undefined) {
    this.#core = core;
    this.#wake = wake;
    this.#journal = journal;
  }

  /** Everything queued is stored at the broker. */
  get isStored(): boolean {
    return this.#core.backlog.messages === 0;
  }

  /** Resolves when everything that is queued now is stored, or never will be because the session ended. */
  get stored(): Promise<void> {
    if (this.isStored) return Promise.resolve();
    this.#storing ??= deferred();
    return this.#storing.promise;
  }

  /** Nothing more can be queued. */
  get isShut(): boolean {
    return this.#shut !== undefined;
  }

  /** Queues one envelope: see `Say`. */
  say(type: WorkType, data: string, bounded = true): Sent {
    if (this.#shut !== undefined) throw this.#shut;
    const { messages, bytes } = this.#core.backlog;
    const full = messages >= limits.outboxMessagesMax || bytes + data.length > limits.outboxBytesMax;
    if (bounded && full) throw clientError("resource_exhausted");
    const id = mint();
    const sent = this.#receipts.add(id, this.#core.sendText(type, id, data));
    if (type === "MESSAGE") this.messages++;
    this.#journal?.queued(this.#core.newestLine ?? "");
    this.#wake();
    return sent;
  }

  /** Says SESSION_CLOSE, the last that can be said. Resolves when it is stored, or when the peer's close was faster. */
  close(reason: string): Promise<void> {
    const data = JSON.stringify({ reason: reason.slice(0, closeReasonCharsMax) });
    const stored = this.say("SESSION_CLOSE", data, false).stored.then(noop, (error: unknown) => {
      if (!(error instanceof AgentworksError && error.reason === "session_closed")) throw error;
    });
    stored.catch(noop);
    this.shut(wireError("session_closed"));
    return stored;
  }

  get ready(): Promise<void> {
    if (this.#shut !== undefined) return rejected(this.#shut);
    if (this.#hasRoom) return Promise.resolve();
    this.#ready ??= deferred();
    return this.#ready.promise;
  }

  get #hasRoom(): boolean {
    const { messages, bytes } = this.#core.backlog;
    return messages < limits.windowMessages && bytes < limits.windowBytes;
  }

  /** Nothing more can be queued; what is queued still goes. */
  shut(error: AgentworksError): void {
    this.#shut ??= error;
    this.#ready?.reject(this.#shut);
    this.#ready = undefined;
  }

  /** Receipts came. */
  settle(stored: number, delivered: number): void {
    this.#receipts.settle(stored, delivered);
    if (this.isStored) this.#storing?.resolve();
    if (this.#ready === undefined || !this.#hasRoom) return;
    this.#ready.resolve();
    this.#ready = undefined;
  }

  /** The session ended: no receipt will come any more. */
  fail(error: AgentworksError): void {
    this.shut(error);
    this.#storing?.resolve();
    this.#receipts.fail(error);
  }
}
