// Work through the real broker, over real TLS: messages, tasks, back-pressure.
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { TaskCancelled, TaskFailed } from "../../sdk/typescript/src/index.ts";
import { next, reasonOf, Stage, sessionBetween, take } from "./fixtures.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.set();
});
afterEach(() => stage.clear());
afterAll(() => stage[Symbol.asyncDispose]());

test("an agent is who its certificate says", async () => {
  const agent = await stage.connect("planner");
  expect([agent.id, agent.account]).toEqual(["planner", "local"]);
});

test("messages arrive in order, each with its receipts", async () => {
  const { here, there } = await sessionBetween(await stage.connect("planner"), await stage.connect("analyst"));
  const receipts = await Promise.all(["a", { b: [1] }, null].map((content) => here.send(content)));
  expect(receipts.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  const got = await take(there.messages(), 3);
  expect(got.map(({ content, seq }) => [content, seq])).toEqual([
    ["a", 1],
    [{ b: [1] }, 2],
    [null, 3],
  ]);
  expect(got.map(({ id }) => id)).toEqual(receipts.map(({ id }) => id));
  await receipts[2]?.delivered;
});

test("a task gives progress and a result", async () => {
  const analyst = await stage.connect("analyst");
  await analyst.handle("analyze", async (input, task) => {
    await task.progress(1);
    await task.progress(2);
    return { input, requester: task.requester };
  });
  const session = await (await stage.connect("planner")).open("analyst");
  expect(session.capabilities.map(({ name }) => name)).toEqual(["analyze"]);
  const task = session.request<{ input: string }, number>("analyze", "text");
  const steps: number[] = [];
  for await (const step of task.progress) steps.push(step);
  expect(steps).toEqual([1, 2]);
  expect(await task.result).toEqual({ input: "text", requester: "planner" });
  expect((await task.stored).seq).toBe(1);
  await task.delivered;
});

test("while it works, the performer asks the requester back in the same session", async () => {
  const [planner, analyst] = [await stage.connect("planner"), await stage.connect("analyst")];
  await planner.handle("read", (part) => `part ${part}`);
  await analyst.handle("analyze", async (_, { session }) => [
    await session.request("read", 1).result,
    await session.request("read", 2).result,
  ]);
  const session = await planner.open("analyst");
  expect(await session.request("analyze", null).result).toEqual(["part 1", "part 2"]);
});

test("an aborted signal cancels the task: the handler hears it, the requester gets TaskCancelled", async () => {
  const analyst = await stage.connect("analyst");
  const heard = Promise.withResolvers<unknown>();
  await analyst.handle("wait", async (_, { signal }) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    heard.resolve(signal.reason);
    signal.throwIfAborted();
  });
  const session = await (await stage.connect("planner")).open("analyst");
  const abort = new AbortController();
  const task = session.request("wait", null, { signal: abort.signal });
  await task.delivered;
  abort.abort(new Error("changed my mind"));
  await expect(task.result).rejects.toBeInstanceOf(TaskCancelled);
  expect(await heard.promise).toMatchObject({ reason: "task_cancelled", detail: "changed my mind" });
});

test("a result in flight wins over the cancel", async () => {
  const analyst = await stage.connect("analyst");
  await analyst.handle("stubborn", async (_, { signal }) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return "done all the same";
  });
  const session = await (await stage.connect("planner")).open("analyst");
  const task = session.request("stubborn", null);
  await task.delivered;
  task.cancel();
  expect(await task.result).toBe("done all the same");
});

test("what a handler throws fails the task: with its reason, or as handler_failed, and without a stack", async () => {
  const analyst = await stage.connect("analyst");
  void analyst.handle("throws", () => {
    throw new Error("no luck");
  });
  void analyst.handle("fails", async () => {
    throw new TaskFailed({ reason: "too_hard", message: "try a smaller one", retryable: true });
  });
  await analyst.handle("unsayable", () => 1n);
  const session = await (await stage.connect("planner")).open("analyst");
  const errorOf = (name: string) => session.request(name, null).result.catch((error: TaskFailed) => error.error);
  expect(await errorOf("throws")).toEqual({ reason: "handler_failed", message: "no luck" });
  expect(await errorOf("fails")).toEqual({ reason: "too_hard", message: "try a smaller one", retryable: true });
  expect(await errorOf("unsayable")).toMatchObject({ reason: "invalid_argument" });
  expect(await errorOf("nobody")).toMatchObject({ reason: "capability_unknown" });
});

test("whatever a handler throws or returns, its task is answered, and the session goes on", async () => {
  const analyst = await stage.connect("analyst");
  const { proxy: unreadable, revoke } = Proxy.revocable({}, {});
  revoke();
  const [silent, odd] = [new TaskFailed({ reason: "bad", message: "" }), new TaskFailed({ reason: "", message: "" })];
  // As a program without types may make them.
  Object.defineProperty(silent, "error", { value: { reason: "bad" } });
  Object.defineProperty(odd, "error", {
    value: { reason: 7, message: { toString: () => "x".repeat(9000) }, retryable: "no" },
  });
  const endless: unknown[] = [];
  endless.push(endless);
  const thrown = [Object.create(null), Symbol("odd"), undefined, unreadable, silent, odd];
  const returned = [
    endless,
    "x".repeat(256 * 1024),
    Symbol("odd"),
    unreadable,
    { toJSON: () => Reflect.get(unreadable, "any") },
  ];
  await analyst.handle("throw", (which) => {
    throw thrown[Number(which)];
  });
  await analyst.handle("return", (which) => returned[Number(which)]);
  const session = await (await stage.connect("planner")).open("analyst");
  const errorOf = (name: string, which: number) =>
    session.request(name, which).result.catch(({ error }: TaskFailed) => error);
  const unsayable = { reason: "handler_failed", message: "It cannot be put in words." };
  expect(await Promise.all(thrown.map((_, which) => errorOf("throw", which)))).toEqual([
    unsayable,
    { reason: "handler_failed", message: "Symbol(odd)" },
    { reason: "handler_failed", message: "undefined" },
    unsayable,
    { reason: "bad", message: "The handler said no more." },
    { reason: "7", message: "x".repeat(8192) },
  ]);
  expect(await Promise.all(returned.map((_, which) => errorOf("return", which)))).toMatchObject([
    { reason: "invalid_argument" },
    { reason: "envelope_too_large" },
    { reason: "invalid_argument" },
    { reason: "handler_failed" },
    { reason: "invalid_argument" },
  ]);
});

test("a signal that is aborted with what cannot be read cancels its task all the same", async () => {
  const analyst = await stage.connect("analyst");
  await analyst.handle("wait", async (_, { signal }) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    signal.throwIfAborted();
  });
  const session = await (await stage.connect("planner")).open("analyst");
  const abort = new AbortController();
  const task = session.request("wait", null, { signal: abort.signal });
  await task.delivered;
  abort.abort(Object.create(null));
  expect(await reasonOf(task.result)).toBe("task_cancelled");
});

test("asking again with a task_id never runs the task twice", async () => {
  const analyst = await stage.connect("analyst");
  let runs = 0;
  await analyst.handle("count", () => ++runs);
  const session = await (await stage.connect("planner")).open("analyst");
  const first = session.request("count", null);
  expect(session.request("count", null, { task_id: first.id })).toBe(first);
  expect(await first.result).toBe(1);
  expect(await session.request("count", null, { task_id: first.id }).result).toBe(1);
  expect(runs).toBe(1);
  expect(await reasonOf(session.request("count", "other", { task_id: first.id }).result)).toBe("task_conflict");
});

test("max_concurrency makes further tasks wait for their turn, and a waiting one can be cancelled", async () => {
  const analyst = await stage.connect("analyst");
  const running: (() => void)[] = [];
  const begun = Promise.withResolvers<void>();
  await analyst.handle(
    "one",
    (input) =>
      new Promise((resolve) => {
        running.push(() => resolve(input));
        begun.resolve();
      }),
    { max_concurrency: 1 },
  );
  const session = await (await stage.connect("planner")).open("analyst");
  const [a, b, c] = [1, 2, 3].map((n) => session.request("one", n));
  await begun.promise;
  b?.cancel("not needed");
  expect(await reasonOf(b?.result ?? Promise.resolve())).toBe("task_cancelled");
  expect(running.length).toBe(1);
  running[0]?.();
  expect(await a?.result).toBe(1);
  await c?.delivered;
  running[1]?.();
  expect(await c?.result).toBe(3);
});

test("what the broker would refuse is refused before it costs a seq", async () => {
  const { here, there } = await sessionBetween(await stage.connect("planner"), await stage.connect("analyst"));
  let deep: unknown = 0;
  for (let i = 0; i < 31; i++) deep = [deep];
  expect(await reasonOf(here.send("x".repeat(256 * 1024)))).toBe("envelope_too_large");
  expect(await reasonOf(here.send("é".repeat(131_000)))).toBe("envelope_too_large");
  expect(await reasonOf(here.send(deep))).toBe("too_deep");
  expect(await reasonOf(here.send(1n))).toBe("invalid_argument");
  expect(await reasonOf(here.send(undefined))).toBe("invalid_argument");
  expect(await reasonOf(here.request("analyze", deep).result)).toBe("too_deep");
  expect(await reasonOf(here.request("No Name", 1).result)).toBe("invalid_argument");
  expect(await reasonOf(here.request("ok", 1, { task_id: "7" }).result)).toBe("invalid_argument");
  const largest = "x".repeat(255 * 1024);
  const deepest = (deep as unknown[])[0];
  expect((await here.send(largest)).seq).toBe(1);
  expect((await here.send(deepest)).seq).toBe(2);
  const messages = there.messages();
  expect((await next(messages)).content).toBe(largest);
  expect((await next(messages)).content).toEqual(deepest);
});

test("a reader that does not read holds the sender; when it reads, everything arrives", async () => {
  const { here, there } = await sessionBetween(await stage.connect("planner"), await stage.connect("analyst"));
  const count = 2_000;
  let stored = 0;
  const paused = Promise.withResolvers<void>();
  const sent = Array.from({ length: count }, (_, n) =>
    here.send(n).then(() => {
      stored++;
      if (stored === 512) paused.resolve();
    }),
  );
  await paused.promise;
  let ready = false;
  const room = here.ready.then(() => {
    ready = true;
  });
  // The other direction is not held.
  await there.send("alive");
  expect((await next(here.messages())).content).toBe("alive");
  expect([stored, ready]).toEqual([512, false]);
  const got = await take(there.messages(), count);
  expect(got.map(({ content }) => content)).toEqual(Array.from({ length: count }, (_, n) => n));
  await room;
  await Promise.all(sent);
  expect(stored).toBe(count);
});

test("beyond its outbox a session refuses to send", async () => {
  const { here } = await sessionBetween(await stage.connect("planner"), await stage.connect("analyst"));
  const sent = Array.from({ length: 8192 }, (_, n) => here.send(n));
  expect(await reasonOf(here.send("one too many"))).toBe("resource_exhausted");
  await Promise.all(sent.slice(0, 512));
  void here.send("there is room again");
});
