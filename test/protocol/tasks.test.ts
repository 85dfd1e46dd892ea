// The whole table of what may happen to a task: every state, every envelope, either side.
import { describe, expect, it } from "vitest";
import {
  digestOf,
  type Judged,
  judgeTask,
  type Side,
  type TaskEnvelope,
  type TaskRecord,
} from "../../protocol/session/tasks.ts";
import { mint } from "./link.ts";

const task_id = mint();
const request = { task_id, capability: "sum", input: { a: 1, b: [2] } };
const digest = digestOf(request);
const types = ["TASK_REQUEST", "TASK_PROGRESS", "TASK_RESPONSE", "TASK_CANCEL"] as const;
const dataOf = {
  TASK_REQUEST: request,
  TASK_PROGRESS: { task_id, progress: 1 },
  TASK_RESPONSE: { task_id, status: "succeeded", result: 3 },
  TASK_CANCEL: { task_id },
};
const envelope = (type: (typeof types)[number], data: object = dataOf[type]) =>
  ({ type, id: mint(), session_id: mint(), seq: 1, data }) as TaskEnvelope;
const task = (state: TaskRecord["state"]): TaskRecord => ({ task_id, requester: 0, state, digest, response: "{}" });

const told = (judged: Judged) =>
  "fault" in judged
    ? judged.fault
    : `${judged.pass}${"task" in judged && judged.task && judged.pass !== "replay" ? ` ${judged.task.state}` : ""}`;
const judge = (state: TaskRecord["state"], type: (typeof types)[number], side: Side) =>
  told(judgeTask(envelope(type), side, task(state), true, 0));

// Rows: TASK_REQUEST and TASK_CANCEL of the requester, TASK_PROGRESS and TASK_RESPONSE of the performer.
const table = [
  ["open", "absorb", "forward cancelling", "forward", "forward succeeded"],
  ["cancelling", "absorb", "absorb", "forward", "forward succeeded"],
  ["succeeded", "replay", "absorb", "task_finished", "task_finished"],
  ["failed", "replay", "absorb", "task_finished", "task_finished"],
  ["cancelled", "replay", "absorb", "task_finished", "task_finished"],
  ["expired", "replay", "absorb", "task_finished", "task_finished"],
] as const;

describe("a task", () => {
  it.each(table)(
    "[T3, T4, T5, T6] that is %s: request %s, cancel %s, progress %s, response %s",
    (state, ...expected) => {
      const said = [
        judge(state, "TASK_REQUEST", 0),
        judge(state, "TASK_CANCEL", 0),
        judge(state, "TASK_PROGRESS", 1),
        judge(state, "TASK_RESPONSE", 1),
      ];
      expect(said).toEqual(expected);
    },
  );

  it.each(table)("[T2, T3] that is %s has its parts", (state) => {
    expect(judge(state, "TASK_REQUEST", 1)).toBe("task_conflict");
    expect(judge(state, "TASK_CANCEL", 1)).toBe("task_not_yours");
    expect(judge(state, "TASK_PROGRESS", 0)).toBe("task_not_yours");
    expect(judge(state, "TASK_RESPONSE", 0)).toBe("task_not_yours");
  });

  it("[T1, T2] begins with its request, from either side, and with nothing else", () => {
    for (const side of [0, 1] as const) {
      const judged = judgeTask(envelope("TASK_REQUEST"), side, undefined, true, 0);
      expect(judged).toMatchObject({ pass: "forward", task: { task_id, requester: side, state: "open", digest } });
      for (const type of types.slice(1))
        expect(told(judgeTask(envelope(type), side, undefined, true, 0))).toBe("task_unknown");
    }
  });

  it("[T7] is one of so many that are open; a repeated request and others are not touched by that", () => {
    expect(told(judgeTask(envelope("TASK_REQUEST"), 0, undefined, false, 0))).toBe("too_many_tasks");
    expect(told(judgeTask(envelope("TASK_REQUEST"), 0, task("open"), false, 0))).toBe("absorb");
    expect(told(judgeTask(envelope("TASK_RESPONSE"), 1, task("open"), false, 0))).toBe("forward succeeded");
  });

  it.each(["succeeded", "failed", "cancelled"] as const)("[T4] ends %s, and its response is kept", (status) => {
    const data = { task_id, status, result: 1 };
    const judged = judgeTask(envelope("TASK_RESPONSE", data), 1, task("open"), true, 0);
    expect(judged).toEqual({
      pass: "forward",
      task: { ...task("open"), state: status, response: JSON.stringify(data) },
    });
  });

  it("[T3] tells a repetition from another request by capability and input", () => {
    const judged = (data: object) => told(judgeTask(envelope("TASK_REQUEST", data), 0, task("open"), true, 0));
    expect(judged({ ...request, input: { a: 1, b: [2] } })).toBe("absorb");
    expect(judged({ ...request, capability: "mul" })).toBe("task_conflict");
    expect(judged({ ...request, input: { a: 1, b: [3] } })).toBe("task_conflict");
    expect(judged({ ...request, input: { b: [2], a: 1 } })).toBe("task_conflict");
    const digests = Array.from({ length: 20_000 }, (_, input) => digestOf({ task_id, capability: "sum", input }));
    expect(new Set(digests).size).toBe(digests.length);
  });
});
