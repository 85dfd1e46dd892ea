// Connections that break, on both paths: the work goes on where it stood, nothing lost, nothing twice, nothing out of order.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import { next, Stage, sessionBetween, take, until } from "./fixtures.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.set();
});
afterEach(() => stage.clear());
afterAll(() => stage[Symbol.asyncDispose]());

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

describe.each([
  ["multiplexed", false, /connect$/],
  ["direct", true, /sessions/],
] as const)("%s", (_name, direct, path) => {
  test("messages in both directions survive cut sockets of both ends", async () => {
    const [planner, analyst] = [await stage.connect("planner", { direct }), await stage.connect("analyst", { direct })];
    const { here, there } = await sessionBetween(planner, analyst);
    const [outward, homeward] = [there.messages(), here.messages()];
    const statuses = planner.status();
    const count = 3_000;
    const sent = numbers(count).map((n) => Promise.all([here.send(n), there.send(count + n)]));
    const got: unknown[][] = [[], []];
    for (let n = 0; n < count; n++) {
      // Both ends, each a few times, at moments that have nothing to do with frames.
      if (n % 701 === 350) await stage.cut("planner", path);
      if (n % 701 === 700) await stage.cut("analyst", path);
      got[0]?.push((await next(outward)).content);
      got[1]?.push((await next(homeward)).content);
    }
    const receipts = await Promise.all(sent);
    expect(got[0]).toEqual(numbers(count));
    expect(got[1]).toEqual(numbers(count).map((n) => count + n));
    expect(receipts.map(([{ seq }]) => seq)).toEqual(numbers(count).map((n) => n + 1));
    expect((await until(statuses, "disconnected")).willReconnect).toBe(true);
    await receipts.at(-1)?.[0].delivered;
  });

  test("a task outlives the sockets of both ends: run once, all of its progress, its result", async () => {
    const [planner, analyst] = [await stage.connect("planner", { direct }), await stage.connect("analyst", { direct })];
    let runs = 0;
    await planner.handle("read", (part) => part);
    await analyst.handle("analyze", async (_, task) => {
      runs++;
      const parts: unknown[] = [];
      for (const part of numbers(30)) {
        if (part % 10 === 3) await stage.cut("analyst", path);
        if (part % 10 === 6) await stage.cut("planner", path);
        parts.push(await task.session.request("read", part).result);
        await task.progress(part);
      }
      return parts;
    });
    const session = await planner.open("analyst");
    const task = session.request("analyze", null);
    expect(await take(task.progress[Symbol.asyncIterator](), 30)).toEqual(numbers(30));
    expect([await task.result, runs]).toEqual([numbers(30), 1]);
  });

  test("a session opened while there is no connection opens when there is one again", async () => {
    const [planner, analyst] = [await stage.connect("planner", { direct }), await stage.connect("analyst", { direct })];
    const statuses = planner.status();
    await stage.cut("planner", /connect$/);
    await until(statuses, "disconnected");
    const session = await planner.open("analyst");
    expect((await session.send("hello")).seq).toBe(1);
    expect(await next((await next(analyst.sessions())).messages())).toMatchObject({ content: "hello" });
  });
});

test("two sessions at once on one connection keep their own order", async () => {
  const [planner, analyst, writer] = await Promise.all(["planner", "analyst", "writer"].map((id) => stage.connect(id)));
  if (!planner || !analyst || !writer) throw new Error("three agents");
  const one = await sessionBetween(planner, analyst);
  const two = await sessionBetween(planner, writer);
  const sent = numbers(1_000).flatMap((n) => [one.here.send(n), two.here.send(n)]);
  const got = await Promise.all([take(one.there.messages(), 1_000), take(two.there.messages(), 1_000)]);
  await Promise.all(sent);
  for (const messages of got) expect(messages.map(({ content }) => content)).toEqual(numbers(1_000));
});

test("a direct session takes its work off the agent's connection", async () => {
  const [planner, analyst] = [await stage.connect("planner", { direct: true }), await stage.connect("analyst")];
  const { here, there } = await sessionBetween(planner, analyst);
  const messages = there.messages();
  await here.send("over either path");
  await next(messages);
  // The agent's own connection is gone for good here; the session does not need it.
  const statuses = planner.status();
  for (;;) {
    const open = await stage.broker.edge.connections({ commonName: "planner", upgraded: true });
    if (open.some(({ path }) => path === `/v1/sessions/${here.id}`)) break;
  }
  await stage.cut("planner", /connect$/);
  await here.send("over its own");
  expect((await next(messages)).content).toBe("over its own");
  expect(await until(statuses, "disconnected")).not.toHaveProperty("session");
});

test("workerd killed and started again by its keeper: everything goes on", async () => {
  const [planner, analyst] = [await stage.connect("planner"), await stage.connect("analyst")];
  const { here, there } = await sessionBetween(planner, analyst);
  const messages = there.messages();
  const sent = numbers(600).map((n) => here.send(n));
  expect((await take(messages, 100)).length).toBe(100);
  const statuses = planner.status();
  const pid = stage.broker.workerdPid();
  if (pid === undefined) throw new Error("workerd runs");
  process.kill(pid, "SIGKILL");
  await until(statuses, "disconnected");
  await until(statuses, "connected");
  expect((await take(messages, 500)).map(({ content }) => content)).toEqual(numbers(600).slice(100));
  await Promise.all(sent);
});

test("a broker that falls silent is given up after the heartbeat's time, and found again", async () => {
  const timing = { heartbeatIntervalMs: 100, heartbeatTimeoutMs: 400, ackStallMs: 30_000, deliveryStallMs: 120_000 };
  const planner = await stage.connect("planner", {}, timing);
  const analyst = await stage.connect("analyst", {}, timing);
  const { here, there } = await sessionBetween(planner, analyst);
  const statuses = planner.status();
  const pid = stage.broker.workerdPid();
  if (pid === undefined) throw new Error("workerd runs");
  process.kill(pid, "SIGSTOP");
  const sent = here.send("into the silence");
  expect(await until(statuses, "disconnected")).toMatchObject({ code: 4512, willReconnect: true });
  process.kill(pid, "SIGCONT");
  await until(statuses, "connected");
  expect((await sent).seq).toBe(1);
  expect((await next(there.messages())).content).toBe("into the silence");
});

test.each([
  ["multiplexed", false],
  ["direct", true],
])("[C8] drained, an agent is back within a second and loses nothing (%s)", async (_name, direct) => {
  // The usual waits: not those that the other tests shorten.
  const reconnect = { baseMs: limits.reconnectBaseMs, maxMs: limits.reconnectMaxMs };
  const [planner, analyst] = [
    await stage.connect("planner", { direct }),
    await stage.connect("analyst", { direct, reconnect }),
  ];
  const { here, there } = await sessionBetween(planner, analyst);
  const messages = there.messages();
  const sent = numbers(500).map((n) => here.send(n));
  expect((await take(messages, 100)).length).toBe(100);
  const statuses = analyst.status();
  const url = new URL("/v1/agents/analyst/drain", stage.broker.apiUrl);
  const startMs = performance.now();
  const answer = await fetch(url, { method: "POST", headers: { authorization: `Bearer ${stage.broker.adminToken}` } });
  expect(await answer.json()).toMatchObject({ agent_id: "analyst", closed: 1 });
  expect(await until(statuses, "goaway")).toEqual({ type: "goaway", reason: "draining" });
  expect(await until(statuses, "disconnected")).toMatchObject({ code: 4503, willReconnect: true });
  await until(statuses, "connected");
  void here.send("after the drain");
  const rest = (await take(messages, 401)).map(({ content }) => content);
  expect(performance.now() - startMs).toBeLessThan(1_000);
  expect(rest).toEqual([...numbers(500).slice(100), "after the drain"]);
  await Promise.all(sent);
});
