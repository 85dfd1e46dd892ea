// Dead letters: what a session accepted and its receiver never acknowledged before it ended, and their way into another session
// of the same two agents, exactly once. The source hands them over with their `seq`; the target notes the highest that it took in
// the write that stores them, so neither a repetition nor a crash between the two loses or doubles one (PROTOCOL, Dead letters).
import type { FromClient } from "../wire/envelope.ts";
import type { Uuid } from "../wire/ids.ts";
import { limits } from "../wire/limits.ts";
import type { Direction } from "./direction.ts";
import type { SessionRecord } from "./effects.ts";
import type { OpenTasks } from "./open-tasks.ts";
import type { Outbox } from "./outbox.ts";
import { storeRow } from "./own-frames.ts";
import { isEnded } from "./states.ts";
import { judgeTask, otherSide, type Side, type TaskRecord } from "./tasks.ts";

/** A dead letter as its source hands it over: `line` is the envelope as it is stored there, `seq` its number there. */
export interface Letter {
  seq: number;
  line: string;
}

/** The dead letters of a side after one `seq` go into `target`, and are there through another. */
export interface Redrive {
  side: Side;
  target: Uuid;
  after: number;
  through: number;
}

/** What a target did with the letters that it was handed. */
export interface Redriven {
  /** Everything through this `seq` of the source is dealt with. */
  through: number;
  taken: number;
  /** Tasks that the target has already, or that are past their deadline: they stay where they are. */
  skipped: number;
}

/** Why what is undelivered in that session is a dead letter; undefined while it may still be delivered. */
export function deadReason(record: Readonly<SessionRecord>): "session_expired" | "session_closed" | undefined {
  // Of a damaged session nobody knows what was delivered: none of it may go out again.
  if (!isEnded(record.state) || record.ended?.reason === "session_damaged") return undefined;
  return record.state === "expired" ? "session_expired" : "session_closed";
}

/**
 * Whether a dead letter may be sent again: messages, and requests of tasks that neither had their response (the performer may
 * well answer what it did not acknowledge) nor were cancelled by their requester. The rest was about the session that is gone.
 */
export function isRedrivable(type: string, task?: TaskRecord, cancelled = false): boolean {
  if (type === "MESSAGE") return true;
  return type === "TASK_REQUEST" && task?.response === undefined && !cancelled;
}

/** Where the dead letters of a side go at present. */
export const redriveOf = (record: Readonly<SessionRecord>, side: Side): Redrive | undefined =>
  record.redrives?.findLast((redrive) => redrive.side === side);

/** The session that a dead letter went into. */
export const takerOf = (record: Readonly<SessionRecord>, side: Side, seq: number): Uuid | undefined =>
  record.redrives?.find((redrive) => redrive.side === side && seq > redrive.after && seq <= redrive.through)?.target;

/** Brings the list up to date. Targets that took nothing are dropped, so that it never has more entries than there are letters. */
export function noteRedrive(redrives: readonly Redrive[] = [], now: Redrive): Redrive[] {
  const others = redrives.filter(
    ({ side, target, after, through }) => side !== now.side || (target !== now.target && through > after),
  );
  const before = redrives.find(({ side, target }) => side === now.side && target === now.target);
  return [...others, before ? { ...before, through: Math.max(before.through, now.through) } : now];
}

/**
 * Takes letters of `side`, in the order of their `seq`, as frames of the broker's own: as many as there is room for. What is
 * passed on keeps its id; a request opens its task here.
 * @param after the `seq` of the source through which letters were taken before
 */
export function takeLetters(
  record: SessionRecord,
  side: Side,
  source: Uuid,
  letters: readonly Letter[],
  after: number,
  directions: readonly [Direction, Direction],
  tasks: OpenTasks,
  out: Outbox,
): Redriven {
  const direction = directions[side];
  const answer: Redriven = { through: after, taken: 0, skipped: 0 };
  for (const { seq, line } of letters) {
    if (seq <= answer.through) continue;
    const envelope = JSON.parse(line) as FromClient<"MESSAGE" | "TASK_REQUEST">;
    const task = envelope.type === "TASK_REQUEST" ? openedBy(envelope, side, tasks, out.now) : undefined;
    if (task === "none") answer.skipped++;
    else {
      if (!hasRoom(directions, side, tasks, task !== undefined)) break;
      const place = { session_id: record.session_id, seq: direction.out.next };
      storeRow(direction, side, [JSON.stringify({ ...envelope, ...place })], direction.received.last, true, out);
      if (task !== undefined) {
        const opened = { ...task, seq: place.seq };
        tasks.put(opened);
        out.task(opened);
      }
      answer.taken++;
    }
    answer.through = seq;
  }
  if (answer.through > after) out.redriven(source, side, answer.through);
  out.pump(otherSide(side), record);
  return answer;
}

/** The task that a request opens here, or that it opens none. */
function openedBy(request: FromClient<"TASK_REQUEST">, side: Side, tasks: OpenTasks, now: number): TaskRecord | "none" {
  const judged = judgeTask(request, side, tasks.find(request.data.task_id), true, now);
  return "pass" in judged && judged.pass === "forward" && judged.task !== undefined ? judged.task : "none";
}

/** Dead letters take a part of what the broker may have waiting, and none of the room that open tasks keep for their ends. */
function hasRoom(directions: readonly [Direction, Direction], side: Side, tasks: OpenTasks, opens: boolean): boolean {
  const { ownWaiting, out } = directions[side];
  const open = tasks.count + Number(opens);
  const waiting = 1 + Math.max(...directions.map((direction) => direction.ownWaiting));
  return (
    ownWaiting < limits.redriveRowsMax &&
    out.bytes < limits.windowBytes &&
    open <= limits.openTasksMax &&
    waiting + 2 * open <= limits.brokerRowsMax
  );
}
