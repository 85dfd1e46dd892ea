// Work and receipts that do not fit their stream or their task: refused one by one, and the stream goes on.
import { expect } from "vitest";
import { type ErrorReason, errorBody } from "../../../protocol/wire/errors.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import { everyWay, plain, plainDirect, uuid } from "./agents.ts";
import { Duo } from "./duo.ts";

everyWay("[S4] a gap is said once with what is expected; nothing from it on is taken [A5]", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  const [one, three, four] = [duo.message(1), duo.message(3), duo.message(4)];
  await a.say(one, three, four);
  expect(await a.errorAbout(three.id)).toMatchObject(errorBody("sequence_gap", { expected: 2 }));
  expect((await a.socket.next("MESSAGE_ACK")).ack).toBe(1);
  await duo.fence(a);
  expect(a.socket.all("ERROR").filter(({ data }) => data.reason === "sequence_gap")).toHaveLength(1);
  await a.say(...duo.messages(2, 4));
  expect(await b.socket.contents(4)).toEqual([1, 2, 3, 4]);
  await b.say(duo.ack(4));
  await duo.expectAlive(5, 1);
});

everyWay("[S3] a duplicate is dropped and acknowledged again, without an error", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  const first = duo.message(1);
  await a.say(first);
  await a.say(first);
  await a.say(first, first, duo.message(2), duo.message(1, "not what it was"));
  for (const ack of [1, 1, 2]) expect((await a.socket.next("MESSAGE_ACK")).ack).toBe(ack);
  expect(await b.socket.contents(2)).toEqual([1, 2]);
  await b.say(duo.ack(2), duo.ack(1), duo.ack(2));
  await duo.expectAlive(3, 1);
  expect(b.socket.all("MESSAGE")).toHaveLength(3);
  expect(a.socket.all("ERROR")).toEqual([]);
});

everyWay("[S5] a receipt beyond what was sent is ack_beyond; the rest of its envelope counts", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  await a.say(duo.message(1));
  await b.socket.contents();
  const both = { ...duo.message(1, "with a bad receipt"), ack: 2 };
  await b.say(both, duo.ack(1));
  expect(await b.errorAbout(both.id)).toMatchObject(errorBody("ack_beyond"));
  expect(await a.socket.contents()).toEqual(["with a bad receipt"]);
  await a.say(duo.ack(1));
  expect((await a.socket.next("MESSAGE_ACK", ({ data }) => data?.delivered === 1)).ack).toBe(1);
  await duo.expectAlive(2, 2);
});

everyWay(
  "[W3, L8] beyond the limit: not stored, said twice; the third frame closes 4413",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    for (let last = 128; last <= limits.windowMessages; last += 128) await a.say(...duo.messages(last - 127, last));
    await a.socket.next("MESSAGE_ACK", ({ ack }) => ack === limits.windowMessages);
    const rows = await duo.ringRows();
    const next = limits.windowMessages + 1;
    for (const strike of [1, 2, 3]) {
      // Two envelopes: counted by frames, so that a full frame is one mistake and not many.
      const frame = duo.messages(next, next + 1);
      await a.say(...frame);
      const reason = strike < limits.flowControlStrikesMax ? "flow_control" : "flow_control_abuse";
      expect(await a.errorAbout(frame[0]?.id)).toMatchObject(errorBody(reason, { limit: limits.windowMessages }));
    }
    expect((await a.socket.closed()).code).toBe(4413);
    expect(await duo.ringRows()).toBe(rows);

    // The peer and the session never noticed; a new attachment starts anew [A7].
    expect(await b.socket.contents(limits.windowMessages)).toHaveLength(limits.windowMessages);
    a.direct = undefined;
    expect((await duo.comeBack(a, 0, next)).data).toMatchObject({ outcome: "resumed", received: next - 1 });
    await a.say(duo.message(next));
    expect((await a.socket.next("ERROR")).data.reason).toBe("flow_control");
    await b.say(duo.ack(limits.windowMessages));
    await a.socket.next("RESUME");
    await duo.expectAlive(next, 1);
  },
  [plain, plainDirect],
);

const failed = { status: "failed", error: { reason: "late", message: "too late" } };

everyWay("[T4] a second response and late progress are task_finished; the first one stands", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  const task = uuid();
  await a.say(duo.task("REQUEST", 1, task));
  await b.socket.next("TASK_REQUEST");
  await b.say(duo.task("RESPONSE", 1, task, { status: "succeeded", result: 1 }));
  await a.socket.next("TASK_RESPONSE");
  const late = [duo.task("RESPONSE", 2, task, failed), duo.task("PROGRESS", 3, task, { progress: 1 })];
  await b.say(...late, duo.message(4), duo.ack(1));
  for (const { id } of late)
    expect(await b.errorAbout(id)).toMatchObject(errorBody("task_finished", { task_id: task }));
  // They took their numbers towards the broker and none towards the receiver [T9].
  expect(await a.socket.next("MESSAGE")).toMatchObject({ seq: 2, data: { content: 4 } });
  expect((await b.socket.next("MESSAGE_ACK", ({ ack }) => ack === 4)).ack).toBe(4);
  await a.say(duo.ack(2));
  await duo.expectAlive(2, 5, 3, 2);
  expect(a.socket.all("TASK_RESPONSE").map(({ data }) => data.status)).toEqual(["succeeded"]);
});

type Misdeed = [
  title: string,
  reason: ErrorReason,
  by: "a" | "b",
  line: (duo: Duo, seq: number, task: string) => object,
];
const misdeeds: Misdeed[] = [
  [
    "[T2] a response by the requester",
    "task_not_yours",
    "a",
    (duo, seq, task) => duo.task("RESPONSE", seq, task, failed),
  ],
  [
    "[T2] progress by the requester",
    "task_not_yours",
    "a",
    (duo, seq, task) => duo.task("PROGRESS", seq, task, { progress: 1 }),
  ],
  ["[T2] a cancel by the performer", "task_not_yours", "b", (duo, seq, task) => duo.task("CANCEL", seq, task)],
  ["[T2] a response to no task", "task_unknown", "b", (duo, seq) => duo.task("RESPONSE", seq, uuid(), failed)],
  ["[T2] a cancel of no task", "task_unknown", "a", (duo, seq) => duo.task("CANCEL", seq, uuid())],
  [
    "[T3] the id of a task for other input",
    "task_conflict",
    "a",
    (duo, seq, task) => duo.task("REQUEST", seq, task, { input: 2 }),
  ],
  [
    "[T3] the id of a task of the other side's",
    "task_conflict",
    "b",
    (duo, seq, task) => duo.task("REQUEST", seq, task),
  ],
];

for (const [title, reason, by, line] of misdeeds) {
  everyWay(`${title} is ${reason}, and takes its number; the task and the stream go on [T9]`, async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    const task = uuid();
    await a.say(duo.task("REQUEST", 1, task));
    await b.socket.next("TASK_REQUEST");
    const [doer, seq] = by === "a" ? [a, 2] : [b, 1];
    const bad = { id: "", ...line(duo, seq, task) };
    await doer.say(bad, duo.message(seq + 1));
    const error = await doer.errorAbout(bad.id);
    expect(error).toMatchObject({ ...errorBody(reason), processed: "yes", task_id: expect.any(String) });
    expect((await doer.socket.next("MESSAGE_ACK", ({ ack }) => ack === seq + 1)).ack).toBe(seq + 1);
    const peer = by === "a" ? b : a;
    expect(await peer.socket.next("MESSAGE")).toMatchObject({ seq, data: { content: seq + 1 } });

    const next = by === "a" ? 1 : 3;
    await b.say(duo.task("RESPONSE", next, task, { status: "succeeded", result: "done" }));
    expect((await a.socket.next("TASK_RESPONSE")).data).toMatchObject({ task_id: task, status: "succeeded" });
  });
}

everyWay("[T7, L9] one open task too many is refused; when one has ended there is room", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  const tasks = Array.from({ length: limits.openTasksMax + 1 }, uuid);
  const requests = tasks.map((task, i) => duo.task("REQUEST", i + 1, task));
  await a.say(...requests.slice(0, 128));
  await a.say(...requests.slice(128));
  expect(await a.errorAbout(requests.at(-1)?.id)).toMatchObject(errorBody("too_many_tasks"));
  for (const task of tasks.slice(0, -1)) expect((await b.socket.next("TASK_REQUEST")).data.task_id).toBe(task);
  await b.say(duo.ack(limits.openTasksMax), duo.task("RESPONSE", 1, tasks[7] ?? "", { status: "succeeded" }));
  await a.socket.next("TASK_RESPONSE");
  await a.say(duo.task("REQUEST", limits.openTasksMax + 2, tasks.at(-1) ?? ""), duo.ack(1));
  expect(await b.socket.next("TASK_REQUEST")).toMatchObject({
    seq: limits.openTasksMax + 1,
    data: { task_id: tasks.at(-1) },
  });
});
