// Programs that died and came back without a memory, and tasks that run out of time.

import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { uuidv7 } from "../../protocol/wire/ids.ts";
import type { TaskContext } from "../../sdk/typescript/src/index.ts";
import { next, Stage, sessionBetween } from "./fixtures.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.set();
});
afterEach(() => stage.clear());
afterAll(() => stage[Symbol.asyncDispose]());

/** Resolves with the context of the first task that the handler is given. */
function firstTask(): { handler: (input: unknown, task: TaskContext) => Promise<never>; began: Promise<TaskContext> } {
  const { promise, resolve } = Promise.withResolvers<TaskContext>();
  const handler = (_: unknown, task: TaskContext) => {
    resolve(task);
    return new Promise<never>(() => undefined);
  };
  return { handler, began: promise };
}

test("a task outlives the crash of its performer: it runs again, marked, and its requester gets the one result", async () => {
  const [planner, analyst] = [await stage.connect("planner1"), await stage.connect("analyst1")];
  const first = firstTask();
  await analyst.handle("slow", first.handler);
  const session = await planner.open("analyst1");
  const task = session.request("slow", { n: 1 });
  expect((await first.began).redelivered).toBe(false);
  await task.delivered;
  // `close` says nothing to anybody: for the broker it is what a crash looks like.
  await analyst.close();

  const again = await stage.connect("analyst1", { recover: true });
  await again.handle("other", () => "not this one");
  const contexts: TaskContext[] = [];
  await again.handle("slow", (input, context) => {
    contexts.push(context);
    return input;
  });
  expect(await task.result).toEqual({ n: 1 });
  expect(contexts.map(({ id, redelivered }) => ({ id, redelivered }))).toEqual([{ id: task.id, redelivered: true }]);
  const recovered = await next(again.sessions());
  expect(recovered).toMatchObject({ id: session.id, peer: "planner1", recovered: true });
  await recovered.send("and the session goes on");
  expect((await next(session.messages())).content).toBe("and the session goes on");
});

test("a task outlives the crash of its requester: asked for again, it is not run again", async () => {
  const [planner, analyst] = [await stage.connect("planner2"), await stage.connect("analyst2")];
  let runs = 0;
  const go = Promise.withResolvers<void>();
  const began = Promise.withResolvers<void>();
  await analyst.handle("slow", async () => {
    runs++;
    began.resolve();
    await go.promise;
    return "once";
  });
  const session = await planner.open("analyst2");
  const task_id = uuidv7(Date.now(), randomBytes(10));
  await session.request("slow", 1, { task_id }).stored;
  await began.promise;
  await planner.close();

  const again = await stage.connect("planner2", { recover: true });
  const recovered = await next(again.sessions());
  expect(recovered).toMatchObject({ id: session.id, recovered: true, requested: [task_id] });
  const { result } = recovered.request("slow", 1, { task_id });
  go.resolve();
  expect(await result).toBe("once");
  expect(runs).toBe(1);
});

test("messages that nobody had taken come again after a crash, those that were taken do not", async () => {
  const [planner, analyst] = [await stage.connect("planner3"), await stage.connect("analyst3")];
  const { here, there } = await sessionBetween(planner, analyst);
  const messages = there.messages();
  for (let i = 1; i <= 5; i++) await here.send(i);
  for (let i = 1; i <= 2; i++) expect((await next(messages)).content).toBe(i);
  await analyst.close();
  const again = await stage.connect("analyst3", { recover: true });
  const recovered = (await next(again.sessions())).messages();
  const contents: unknown[] = [];
  for (;;) {
    const { content } = await next(recovered);
    contents.push(content);
    if (content === 5) break;
  }
  // What was taken in the last moments may not have been said to be: such a message is marked.
  expect([
    [1, 2, 3, 4, 5],
    [2, 3, 4, 5],
    [3, 4, 5],
  ]).toContainEqual(contents);
});

test("a task that is not done in time expires: its requester hears it, its handler is told to stop", async () => {
  const [planner, analyst] = [await stage.connect("planner4"), await stage.connect("analyst4")];
  const { handler, began } = firstTask();
  await analyst.handle("endless", handler);
  const session = await planner.open("analyst4");
  const task = session.request("endless", 1, { deadlineMs: 200 });
  const context = await began;
  expect(context.deadline).toBeInstanceOf(Date);
  const aborted = new Promise((resolve) => context.signal.addEventListener("abort", resolve));
  await expect(task.result).rejects.toMatchObject({ name: "TaskExpired", reason: "deadline_exceeded" });
  await aborted;
  await expect(session.request("endless", 1, { deadlineMs: -1 }).result).rejects.toMatchObject({
    reason: "invalid_argument",
  });
});

test("a session that an earlier life had closed: nothing more is said in it, and it ends when its peer has read", async () => {
  const [planner, analyst] = [await stage.connect("planner10"), await stage.connect("analyst10")];
  const { here, there } = await sessionBetween(planner, analyst);
  await here.send("unread");
  await here.close("done");
  await planner.close();
  const again = await stage.connect("planner10", { recover: true });
  const recovered = await next(again.sessions());
  expect(recovered).toMatchObject({ id: here.id, recovered: true });
  await expect(recovered.send("more")).rejects.toMatchObject({ reason: "session_closed" });
  const closed = recovered.close();
  expect((await next(there.messages())).content).toBe("unread");
  await closed;
  expect((await there.closed).reason).toBe("done");
});

test("an agent that leaves at once closes what an earlier life left open, and nothing breaks", async () => {
  const [planner, analyst] = [await stage.connect("planner9"), await stage.connect("analyst9")];
  const session = await planner.open("analyst9");
  await next(analyst.sessions());
  await analyst.close();
  const again = await stage.connect("analyst9", { recover: true });
  await again.drain();
  expect((await session.closed).error).toBeUndefined();
});

test("an agent that leaves waits for no peer: none comes back to a session that an earlier life closed, or left open", async () => {
  const [planner, analyst] = [await stage.connect("planner11"), await stage.connect("analyst11")];
  const closed = await sessionBetween(planner, analyst);
  const open = await sessionBetween(planner, analyst);
  await analyst.close();
  // Who comes back to it has something to read: a session that ends with nothing to read is not kept for its reader.
  for (const { here } of [closed, open]) await here.send("unread");
  await closed.here.close("done");
  await planner.close();
  // What was closed ended as it was closed, what was not ended with its agent.
  expect(await closed.here.closed).toEqual({ reason: "done" });
  expect(await open.here.closed).toMatchObject({ reason: "agent_closed", error: {} });
  const again = await stage.connect("planner11", { recover: true });
  const sessions = again.sessions();
  const recovered = [(await next(sessions)).id, (await next(sessions)).id];
  expect(recovered.sort()).toEqual([closed.here.id, open.here.id].sort());
  await again.drain();

  const peer = await stage.connect("analyst11", { recover: true });
  const left = peer.sessions();
  const reasons: string[] = [];
  for (const session of [await next(left), await next(left)]) {
    expect((await next(session.messages())).content).toBe("unread");
    reasons.push((await session.closed).reason);
  }
  expect(reasons.sort()).toEqual(["done", "drained"]);
});
