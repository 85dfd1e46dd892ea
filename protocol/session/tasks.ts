// What may happen to a task, as a table: (state, who did what) → next state and what becomes of the envelope.
// The broker runs it; exactly one terminal state is ever reached (PROTOCOL, Tasks). Pure.
import type { FromClient, WorkEnvelope } from "../wire/envelope.ts";
import type { ErrorReason } from "../wire/errors.ts";
import { limits } from "../wire/limits.ts";

/** The initiator of a session is side 0, its responder side 1. */
export type Side = 0 | 1;
export const otherSide = (side: Side): Side => (side === 0 ? 1 : 0);

export const terminalStates = ["succeeded", "failed", "cancelled", "expired"] as const;
export type TerminalState = (typeof terminalStates)[number];
export type TaskState = "open" | "cancelling" | TerminalState;

/** A task as it is stored. */
export interface TaskRecord {
  task_id: string;
  requester: Side;
  state: TaskState;
  /** Fingerprint of capability and input: tells a repeated request from a conflicting one. */
  digest: string;
  /** When the broker ends it (epoch milliseconds): its deadline, or the patience with a cancel; only while it is open. */
  due_at?: number;
  /** The `seq` by which its TASK_REQUEST went to the performer last. */
  seq?: number;
  /** What it takes to send the request again, as JSON text; kept while it is open, and left out where it did not change. */
  request?: string;
  /** The `data` of its TASK_RESPONSE as JSON text, once there is one. */
  response?: string;
}

/** Where tasks are kept; the session's own storage. Synchronous: the core never waits. */
export interface TaskTable {
  find(task_id: string): TaskRecord | undefined;
  /** Tasks that are open or cancelling; their `request` may be left out. */
  open(): TaskRecord[];
}

export const isOpen = (state: TaskState): state is "open" | "cancelling" => state === "open" || state === "cancelling";

export type TaskEnvelope = Extract<WorkEnvelope, { type: `TASK_${string}` }>;

/** forward: to the other side · absorb: stored as accepted, nothing more · replay: the stored response, back to the asker. */
type Outcome = { pass: "forward" | "absorb" | "replay"; next?: TaskState } | { fault: ErrorReason };

type Step = "request_again" | "progress" | "response" | "cancel";

const forward: Outcome = { pass: "forward" };
const absorb: Outcome = { pass: "absorb" };
const finished: Outcome = { fault: "task_finished" };
const done: Record<Step, Outcome> = {
  request_again: { pass: "replay" },
  progress: finished,
  response: finished,
  // A cancel that crossed the response is no mistake of anybody's (T6).
  cancel: absorb,
};

const transitions: Record<TaskState, Record<Step, Outcome | "terminal">> = {
  open: {
    request_again: absorb,
    progress: forward,
    response: "terminal",
    cancel: { pass: "forward", next: "cancelling" },
  },
  // A result in flight wins over the cancel (T5).
  cancelling: { request_again: absorb, progress: forward, response: "terminal", cancel: absorb },
  succeeded: done,
  failed: done,
  cancelled: done,
  expired: done,
};

/** 53 bits of FNV-like mixing over UTF-16 units. Tells accidents apart; it is no defence against a forger, and needs none. */
export function digestOf(data: FromClient<"TASK_REQUEST">["data"]): string {
  const text = JSON.stringify([data.capability, data.input]);
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x9e3779b1);
    b = Math.imul(b ^ unit, 0x5f356495);
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return `${(b >>> 0).toString(16).padStart(8, "0")}${(a >>> 0).toString(16).padStart(8, "0")}`;
}

export type Judged =
  | { pass: "forward" | "absorb"; task?: TaskRecord }
  | { pass: "replay"; task: TaskRecord }
  /** The deadline had passed when the request came: it ends before it began. */
  | { pass: "expire"; task: TaskRecord }
  | { fault: ErrorReason };

/**
 * Judges one task envelope of `side`. Changes nothing: `task` in the answer is the record to store.
 * @param room whether one more task may be opened
 * @param now epoch milliseconds
 */
export function judgeTask(
  envelope: TaskEnvelope,
  side: Side,
  task: TaskRecord | undefined,
  room: boolean,
  now: number,
): Judged {
  if (task === undefined) {
    if (envelope.type !== "TASK_REQUEST") return { fault: "task_unknown" };
    return room ? openTask(envelope, side, now) : { fault: "too_many_tasks" };
  }
  const asks = envelope.type === "TASK_REQUEST" || envelope.type === "TASK_CANCEL";
  if (asks !== (task.requester === side))
    return { fault: envelope.type === "TASK_REQUEST" ? "task_conflict" : "task_not_yours" };
  if (envelope.type === "TASK_REQUEST" && digestOf(envelope.data) !== task.digest) return { fault: "task_conflict" };

  const outcome = transitions[task.state][stepOf[envelope.type]];
  if (outcome === "terminal") {
    // Only TASK_RESPONSE leads here (see the table), so the envelope has a status.
    const data = envelope.data as FromClient<"TASK_RESPONSE">["data"];
    return { pass: "forward", task: endedTask(task, data.status, JSON.stringify(data)) };
  }
  if ("fault" in outcome) return outcome;
  if (outcome.pass === "replay") return { pass: "replay", task };
  if (outcome.next === undefined) return { pass: outcome.pass };
  const due_at = Math.min(task.due_at ?? Number.POSITIVE_INFINITY, now + limits.cancelGraceMs);
  return { pass: outcome.pass, task: { ...task, state: outcome.next, due_at } };
}

function openTask({ id, data, ...envelope }: FromClient<"TASK_REQUEST">, side: Side, now: number): Judged {
  const { in_reply_to, timestamp, traceparent } = envelope;
  const request = JSON.stringify({ id, in_reply_to, timestamp, traceparent, data });
  const task: TaskRecord = { task_id: data.task_id, requester: side, state: "open", digest: digestOf(data), request };
  if (data.deadline === undefined) return { pass: "forward", task };
  const deadline = Date.parse(data.deadline);
  if (deadline > now + limits.deadlineMsMax) return { fault: "deadline_too_far" };
  if (deadline <= now) return { pass: "expire", task: expiredTask(task) };
  return { pass: "forward", task: { ...task, due_at: deadline + limits.deadlineGraceMs } };
}

function endedTask(task: TaskRecord, state: TerminalState, response: string): TaskRecord {
  const { task_id, requester, digest } = task;
  return { task_id, requester, digest, state, response };
}

/** What a task becomes when it is due: expired, or, where a cancel was not answered, cancelled (T10, T11). */
export function expiredTask(task: TaskRecord): TaskRecord {
  const status = task.state === "cancelling" ? "cancelled" : "expired";
  const error =
    status === "expired"
      ? { reason: "deadline_exceeded", message: "The deadline passed before the performer answered." }
      : { reason: "cancel_unanswered", message: "The performer did not answer the cancel." };
  return endedTask(task, status, JSON.stringify({ task_id: task.task_id, status, error }));
}

const stepOf = {
  TASK_REQUEST: "request_again",
  TASK_PROGRESS: "progress",
  TASK_RESPONSE: "response",
  TASK_CANCEL: "cancel",
} as const;
