// What one session notes in the journal of its agent, in the session's own words. It decides what a record says; when it is said
// is the session's business, and the file is the journal's.
import type { Remembered } from "../../../protocol/session/client-events.ts";
import type { DeliveredEnvelope } from "../../../protocol/wire/envelope.ts";
import type { Uuid } from "../../../protocol/wire/ids.ts";
import type { Journal } from "./journal.ts";
import type { JournalRecord } from "./journal-records.ts";

/** What is kept of an envelope beyond that it was taken. */
function traceOf(envelope: DeliveredEnvelope | undefined): Partial<JournalRecord> | undefined {
  switch (envelope?.type) {
    case "TASK_REQUEST":
    case "TASK_CANCEL":
      return { task: envelope };
    case "TASK_RESPONSE":
      return { answered: envelope.data.task_id };
    case "SESSION_CLOSE":
      return { closed: envelope.data.reason ?? "closed" };
    default:
      return undefined;
  }
}

/** Where a session notes: as much of the journal as it needs. */
export type Notes = Pick<Journal, "note" | "commit">;

export class SessionJournal {
  readonly #journal: Notes;
  readonly #session: Uuid;

  constructor(journal: Notes, session: Uuid) {
    this.#journal = journal;
    this.#session = session;
  }

  #note(record: Omit<JournalRecord, "session">): void {
    this.#journal.note({ session: this.#session, ...record });
  }

  /** It is open, or found again without a memory of it. A session may be closed before it is open: then that is queued. */
  opened(remembered: Remembered, redelivered: number, requested: readonly Uuid[]): void {
    const { peer, epoch, taken, stored, lines, isClosing } = remembered;
    // Unless that line says it: who closed it, nobody knows any more.
    const closing = isClosing && lines.length === 0 && { closing: { reason: "closed", own: false } };
    this.#note({ peer, epoch, taken, stored, redelivered, requested, ...closing });
    for (const line of lines) this.queued(line);
  }

  queued(line: string): void {
    this.#note({ line });
  }

  stored(through: number): void {
    this.#note({ stored: through });
  }

  /**
   * Before the application has it.
   * @param through everything through there is taken by that; 0: something before it is not
   * @returns false: it could not be written, and the application must not have it
   */
  taken(seq: number, through: number, envelope: DeliveredEnvelope | undefined): boolean {
    this.#note({ ...(through > 0 ? { taken: through } : { ahead: seq }), ...traceOf(envelope) });
    return this.#journal.commit();
  }

  /** A task that this agent asked for will have no response. */
  refused(task_id: Uuid): void {
    this.#note({ answered: task_id });
  }

  /** It is not worth while to be told so again. */
  ended(): void {
    this.#note({ ended: true });
    this.#journal.commit();
  }

  /** Before anything leaves by a socket. @returns false: nothing may leave */
  commit(): boolean {
    return this.#journal.commit();
  }
}
