// How a session moves from state to state (`states.ts`), and who is told: the index, and the sides when it ends. Part of the
// broker half: changes the record, says what is to be said; no clock, no I/O.
import { errorBody } from "../wire/errors.ts";
import type { Uuid } from "../wire/ids.ts";
import { limits } from "../wire/limits.ts";
import type { Direction } from "./direction.ts";
import type { SessionRecord } from "./effects.ts";
import type { OpenTasks } from "./open-tasks.ts";
import type { Outbox } from "./outbox.ts";
import { afterStep, isEnded, isLive, type SessionStep } from "./states.ts";

export class Life {
  readonly #directions: readonly [Direction, Direction];
  readonly #tasks: OpenTasks;
  readonly #out: Outbox;
  readonly #mint: { id(): Uuid };

  constructor(directions: readonly [Direction, Direction], tasks: OpenTasks, out: Outbox, mint: { id(): Uuid }) {
    this.#directions = directions;
    this.#tasks = tasks;
    this.#out = out;
    this.#mint = mint;
  }

  /** Nothing happens where the step does not exist in the present state. */
  step(record: SessionRecord, step: SessionStep): void {
    const state = afterStep(record.state, step);
    if (state === undefined) return;
    record.state = state;
    const { offer: _, ...timers } = record.timers;
    record.timers = timers;
    this.tellIndex(record);
  }

  /** A step after which no work will flow: both sides, or the initiator of an offer, are told. */
  end(record: SessionRecord, step: SessionStep, ended: NonNullable<SessionRecord["ended"]>): void {
    const wasLive = isLive(record.state);
    if (afterStep(record.state, step) === undefined) return;
    this.#finish(record, step, ended);
    if (wasLive) {
      this.#out.cancelTasks();
      this.#tasks.clear();
      this.#sayClosed(record);
    } else this.sayRejected(record);
  }

  /** N16: a session that cannot go on without losing something ends, and says why; its rows stay as they are until it is forgotten. */
  condemn(record: SessionRecord): void {
    if (isEnded(record.state)) return;
    this.#finish(record, "expire", { reason: "session_damaged" });
    this.#out.cancelTasks();
    for (const side of [0, 1] as const) this.#out.error(record, side, "session_damaged");
  }

  #finish(record: SessionRecord, step: SessionStep, ended: NonNullable<SessionRecord["ended"]>): void {
    const { now } = this.#out;
    record.ended = { ...ended, at: now };
    this.step(record, step);
    const { index } = record.timers;
    record.timers = { forget: now + limits.tombstoneMs, ...(index !== undefined && { index }) };
  }

  /** Until the index answers, it is told again. */
  tellIndex(record: SessionRecord): void {
    record.timers.index = this.#out.now + limits.indexRetryMs;
    this.#out.changed();
    this.#out.index(record);
  }

  /** @param asReply as the answer to a SESSION_INIT that came again */
  sayRejected(record: SessionRecord, asReply = false): void {
    const { reason, message } = record.ended ?? { reason: "session_closed" };
    const envelope = {
      type: "SESSION_REJECT",
      id: this.#mint.id(),
      session_id: record.session_id,
      in_reply_to: record.init_id,
      data: {
        ...errorBody(reason === "closed" || reason === "session_expired" ? "session_closed" : reason),
        ...(message !== undefined && { message }),
      },
    } as const;
    if (asReply) this.#out.reply(envelope);
    else this.#out.line(record, 0, envelope);
  }

  #sayClosed(record: SessionRecord): void {
    for (const side of [0, 1] as const) {
      const { received, delivered } = this.#directions[side];
      this.#out.line(record, side, {
        type: "SESSION_CLOSED",
        id: this.#mint.id(),
        session_id: record.session_id,
        data: { state: record.state, received: received.last, delivered },
      });
    }
  }
}
