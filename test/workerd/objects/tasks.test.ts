// Tasks on the real runtime: their course, their one end, and what is said once more without being done once more.
import { runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { limits } from "../../../protocol/wire/limits.ts";
import { hour } from "../worker/fixtures.ts";
import { everyWay, plain, uuid } from "./agents.ts";
import { Duo } from "./duo.ts";

everyWay("[T1] a task runs: request, progress, response; and a nested one the other way", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  const [task, nested] = [uuid(), uuid()];
  const request = duo.task("REQUEST", 1, task);
  await a.say(request);
  const asked = await b.socket.next("TASK_REQUEST");
  expect(asked).toMatchObject({ id: request.id, from: a.name, data: { task_id: task, input: { of: task } } });
  await b.say(duo.task("PROGRESS", 1, task, { progress: 0.5 }), duo.task("REQUEST", 2, nested), duo.ack(1));
  expect((await a.socket.next("TASK_PROGRESS")).data).toEqual({ task_id: task, progress: 0.5 });
  expect((await a.socket.next("TASK_REQUEST")).data.task_id).toBe(nested);
  await a.say(duo.task("RESPONSE", 2, nested, { status: "succeeded", result: 42 }), duo.ack(2));
  expect((await b.socket.next("TASK_RESPONSE")).data).toEqual({ task_id: nested, status: "succeeded", result: 42 });
  const error = { reason: "no_input", message: "nothing there", retryable: true };
  await b.say({ ...duo.task("RESPONSE", 3, task, { status: "failed", error }), in_reply_to: request.id }, duo.ack(2));
  expect(await a.socket.next("TASK_RESPONSE")).toMatchObject({
    from: b.name,
    in_reply_to: request.id,
    data: { task_id: task, status: "failed", error },
  });
});

everyWay(
  "[T5, T6] a cancelled task ends as its performer says; a result on its way wins over the cancel",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    const [heeded, late] = [uuid(), uuid()];
    await a.say(duo.task("REQUEST", 1, heeded), duo.task("REQUEST", 2, late));
    await a.say(duo.task("CANCEL", 3, heeded, { reason: "changed my mind" }), duo.task("CANCEL", 4, late));
    expect((await b.socket.next("TASK_CANCEL")).data).toEqual({ task_id: heeded, reason: "changed my mind" });
    await b.say(
      duo.task("RESPONSE", 1, heeded, { status: "cancelled" }),
      duo.task("RESPONSE", 2, late, { status: "succeeded", result: "done already" }),
    );
    expect((await a.socket.next("TASK_RESPONSE")).data).toMatchObject({ task_id: heeded, status: "cancelled" });
    expect((await a.socket.next("TASK_RESPONSE")).data).toMatchObject({ task_id: late, status: "succeeded" });
    // A cancel that crossed the end is nobody's mistake: taken, and not passed on.
    await a.say(duo.task("CANCEL", 5, late), duo.message(6));
    expect((await b.socket.next("MESSAGE")).seq).toBe(5);
    expect(b.socket.all("TASK_CANCEL").map(({ data }) => data.task_id)).toEqual([heeded, late]);
    expect(a.socket.all("ERROR")).toEqual([]);
  },
);

everyWay(
  "[T3, S1] a repeated request never runs twice: absorbed while open, answered from storage when done",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    const task = uuid();
    await a.say(duo.task("REQUEST", 1, task), duo.task("REQUEST", 2, task));
    await b.socket.next("TASK_REQUEST");
    await b.say(duo.task("RESPONSE", 1, task, { status: "succeeded", result: [1, 2] }), duo.ack(1));
    const first = await a.socket.next("TASK_RESPONSE");
    const again = duo.task("REQUEST", 3, task);
    await a.say(again, duo.ack(1));
    const replayed = await a.socket.next("TASK_RESPONSE");
    expect(replayed).toMatchObject({ seq: 2, from: b.name, in_reply_to: again.id, data: first.data });
    // The broker's own frame took a number of b's stream towards a: what b says next comes after it.
    await b.say(duo.message(2));
    expect((await a.socket.next("MESSAGE")).seq).toBe(3);
    await a.say(duo.ack(3), duo.message(4));
    expect((await b.socket.next("MESSAGE")).seq).toBe(2);
    expect(b.socket.all("TASK_REQUEST")).toHaveLength(1);
    expect(await b.socket.next("MESSAGE_ACK", ({ data }) => data?.delivered === 2)).toMatchObject({ ack: 2 });
  },
);

everyWay("[T8, N8] a close ends what is open: a task's last word comes before it or not at all", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  const [answered, open] = [uuid(), uuid()];
  await a.say(duo.task("REQUEST", 1, answered), duo.task("REQUEST", 2, open), duo.close(3));
  await b.socket.next("SESSION_CLOSE");
  // b has not acknowledged the close: until then it may finish.
  await b.say(duo.task("RESPONSE", 1, answered, { status: "succeeded" }));
  expect((await a.socket.next("TASK_RESPONSE")).data.task_id).toBe(answered);
  const late = duo.task("RESPONSE", 2, open, { status: "succeeded" });
  await b.say(duo.ack(3), late);
  expect((await b.errorAbout(late.id)).reason).toBe("session_closed");
  await a.say(duo.ack(1));
  expect((await b.socket.next("SESSION_CLOSED")).data).toEqual({ state: "closed", received: 1, delivered: 1 });
  expect(await duo.taskStates()).toEqual({ [answered]: "succeeded", [open]: "cancelled" });
});

it("[T10] a direct socket that is opened puts no deadline off", async () => {
  const duo = await Duo.open(plain);
  const { a, b } = duo;
  await duo.indexed("active");
  const deadline = Date.now() + hour;
  await a.say(duo.task("REQUEST", 1, uuid(), { deadline: new Date(deadline).toISOString() }));
  await b.socket.next("TASK_REQUEST");
  const alarm = () => runInDurableObject(duo.object, (_, { storage }) => storage.getAlarm());
  const due = await alarm();
  expect(due).toBe(deadline + limits.deadlineGraceMs);
  await b.dial(`/v1/sessions/${duo.session_id}`);
  expect(await alarm()).toBe(due);
});
