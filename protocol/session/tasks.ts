// What may happen to a task, as a table: (state, who did what) → next state and what becomes of the envelope.
// The broker runs it; exactly one terminal state is ever reached (PROTOCOL, Tasks). Pure.
import type { FromClient, WorkEnvelope } from "../wire/envelope.ts";
import type { ErrorReason } from "../wire/errors.ts";

/** The initiator of a session is side 0, its responder side 1. */
export type Side = 0 | 1;
export const otherSide = (side: Side): Side => (side === 0 ? 1 : 0);

export const terminalStates = ["succeeded", "failed", "cancelled"] as const;
export type TerminalState = (typeof terminalStates)[number];
export type TaskState = "open" | "cancelling" | TerminalState;

/** A task as it is stored. `response` is the `data` of its TASK_RESPONSE as JSON text, once there is one. */
export interface TaskRecord {
  task_id: string;
  requester: Side;
  state: TaskState;
  /** Fingerprint of capability and input: tells a repeated request from a conflicting one. */
  digest: string;
  response?: string;
}

/** Where tasks are kept; the session's own storage. Synchronous: the core never waits. */
export interface TaskTable {
  find(task_id: string): TaskRecord | undefined;
  /** Tasks that are open or cancelling. */
  countOpen(): number;
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
  | { pass: "forward" | "absorb"; task?: TaskRecord; opened?: boolean; closed?: boolean }
  | { pass: "replay"; task: TaskRecord }
  | { fault: ErrorReason };

/**
 * Judges one task envelope of `side`. Changes nothing: `task` in the answer is the record to store.
 * @param openTasks how many tasks of the session are open
 * @param openTasksMax how many may be
 */
export function judgeTask(
  envelope: TaskEnvelope,
  side: Side,
  task: TaskRecord | undefined,
  openTasks: number,
  openTasksMax: number,
): Judged {
  if (task === undefined) {
    if (envelope.type !== "TASK_REQUEST") return { fault: "task_unknown" };
    if (openTasks >= openTasksMax) return { fault: "too_many_tasks" };
    const digest = digestOf(envelope.data);
    return {
      pass: "forward",
      opened: true,
      task: { task_id: envelope.data.task_id, requester: side, state: "open", digest },
    };
  }
  const asks = envelope.type === "TASK_REQUEST" || envelope.type === "TASK_CANCEL";
  if (asks !== (task.requester === side))
    return { fault: envelope.type === "TASK_REQUEST" ? "task_conflict" : "task_not_yours" };
  if (envelope.type === "TASK_REQUEST" && digestOf(envelope.data) !== task.digest) return { fault: "task_conflict" };

  const outcome = transitions[task.state][stepOf[envelope.type]];
  if (outcome === "terminal") {
    // Only TASK_RESPONSE leads here (see the table), so the envelope has a status.
    const data = envelope.data as FromClient<"TASK_RESPONSE">["data"];
    return { pass: "forward", closed: true, task: { ...task, state: data.status, response: JSON.stringify(data) } };
  }
  if ("fault" in outcome) return outcome;
  if (outcome.pass === "replay") return { pass: "replay", task };
  return { pass: outcome.pass, ...(outcome.next && { task: { ...task, state: outcome.next } }) };
}

const stepOf = {
  TASK_REQUEST: "request_again",
  TASK_PROGRESS: "progress",
  TASK_RESPONSE: "response",
  TASK_CANCEL: "cancel",
} as const;
