// Frames of the broker's own making, in the same streams as the agents' work: responses that are replayed, tasks that are due,
// requests that are delivered again. Each is a row of its own; how many may wait is bounded (`limits.brokerRowsMax`).
import { encodeWork, utf8Length } from "../wire/codec.ts";
import type { WorkType } from "../wire/envelope.ts";
import type { Uuid } from "../wire/ids.ts";
import { limits } from "../wire/limits.ts";
import type { Direction } from "./direction.ts";
import type { SessionRecord } from "./effects.ts";
import type { OpenTasks } from "./open-tasks.ts";
import type { Outbox } from "./outbox.ts";
import { expiredTask, otherSide, type Side, type TaskRecord } from "./tasks.ts";

/** Appends lines as one row of a direction. */
export function storeRow(
  direction: Direction,
  stream: Side,
  lines: readonly string[],
  origin: number,
  own: boolean,
  out: Outbox,
): void {
  const body = lines.join("\n");
  const { span, forget } = direction.append(lines.length, origin, utf8Length(body), own);
  const { row, slot, first, last, bytes } = span;
  out.store({ stream, row, slot, first, last, origin, bytes, body }, forget);
}

export class OwnFrames {
  readonly #directions: readonly [Direction, Direction];
  readonly #tasks: OpenTasks;
  readonly #mint: { id(): Uuid };

  constructor(directions: readonly [Direction, Direction], tasks: OpenTasks, mint: { id(): Uuid }) {
    this.#directions = directions;
    this.#tasks = tasks;
    this.#mint = mint;
  }

  /**
   * Whether one more task may be opened. Each open task keeps room for two frames in either direction: delivered again,
   * and its end; so that no task can ever end without being able to say so.
   */
  get hasRoomForTask(): boolean {
    const { count } = this.#tasks;
    const waiting = Math.max(...this.#directions.map((direction) => direction.ownWaiting));
    return count < limits.openTasksMax && waiting + 2 * (count + 1) <= limits.brokerRowsMax;
  }

  /** Stores the record of a task. */
  save(task: TaskRecord, out: Outbox): void {
    this.#tasks.put(task);
    out.task(task);
  }

  /** The response of an ended task, to its requester (T3). False when too many of the broker's frames wait for it already. */
  respond(record: SessionRecord, task: TaskRecord, out: Outbox, answers?: Uuid): boolean {
    const reserved = 2 * this.#tasks.count;
    const stream = otherSide(task.requester);
    if (this.#directions[stream].ownWaiting + reserved >= limits.brokerRowsMax) return false;
    this.#say(record, stream, "TASK_RESPONSE", task.response ?? "{}", out, answers);
    return true;
  }

  /** Ends a task that is due: its requester hears how, and the performer to stop (T10, T11). */
  expire(record: SessionRecord, task: TaskRecord, out: Outbox): void {
    const ended = expiredTask(task);
    const performer = otherSide(task.requester);
    this.#say(record, performer, "TASK_RESPONSE", ended.response ?? "{}", out);
    if (ended.state === "expired") {
      const data = JSON.stringify({ task_id: task.task_id, reason: "deadline_exceeded" });
      this.#say(record, task.requester, "TASK_CANCEL", data, out);
    }
    this.save(ended, out);
  }

  /**
   * The open tasks of a performer that lost its memory, where it had acknowledged the request: everything later is replayed
   * as it stands. `redelivered` tells it that it may have begun (T12).
   */
  redeliver(record: SessionRecord, performer: Side, out: Outbox): void {
    const requester = otherSide(performer);
    const { acked } = this.#directions[requester].out;
    for (const task of this.#tasks.all()) {
      if (task.requester !== requester || task.state !== "open" || (task.seq ?? 0) > acked) continue;
      const request = this.#tasks.whole(task.task_id)?.request;
      if (request === undefined) continue;
      const { data, ...head } = JSON.parse(request) as { data: object };
      const again = { ...head, data: { ...data, redelivered: true } };
      const seq = this.#append(
        record,
        requester,
        (at) => JSON.stringify({ type: "TASK_REQUEST", ...at, ...again }),
        out,
      );
      this.save({ ...task, seq }, out);
    }
  }

  /** One frame from `stream`'s side to the other, `data` as JSON text. */
  #say(record: SessionRecord, stream: Side, type: WorkType, data: string, out: Outbox, answers?: Uuid): void {
    const id = this.#mint.id();
    this.#append(record, stream, (at) => encodeWork({ type, id, ...at, in_reply_to: answers }, data), out);
  }

  #append(
    record: SessionRecord,
    stream: Side,
    line: (at: { session_id: Uuid; seq: number; from: string }) => string,
    out: Outbox,
  ): number {
    const direction = this.#directions[stream];
    const seq = direction.out.next;
    const lines = [line({ session_id: record.session_id, seq, from: record.agents[stream] })];
    storeRow(direction, stream, lines, direction.received.last, true, out);
    out.pump(otherSide(stream), record);
    return seq;
  }
}
