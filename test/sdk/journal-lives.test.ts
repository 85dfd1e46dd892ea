// Programs with a journal that are killed amid everything: what they had said is said once, what they had taken or finished does
// not come again. On a real broker, with real processes and SIGKILL.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { uuidv7 } from "../../protocol/wire/ids.ts";
import { BrokerProcess } from "../../scripts/broker/child.ts";
import { certifyAgent } from "../../scripts/certificates/certify.ts";
import { type Agent, connect, type Session } from "../../sdk/typescript/src/index.ts";
import { contentsOf, next, numbers, Stage } from "./fixtures.ts";
import { Lives } from "./journal-lives.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.set();
});
afterEach(() => stage.clear());
afterAll(() => stage[Symbol.asyncDispose]());

const mint = () => uuidv7(Date.now(), randomBytes(10));
const livesOf = async (agent: string) => Lives.of(await stage.options(agent));
/** Stays away for good once it is cut. */
const never = { reconnect: { baseMs: 3_600_000, maxMs: 3_600_000 } };

/** The session that the program opens towards this agent. */
async function offeredTo(agent: Agent): Promise<Session> {
  const sessions = agent.sessions();
  const session = await next(sessions);
  await sessions.return?.();
  return session;
}

test.each([
  ["relayed", false],
  ["direct", true],
])(
  "killed while it sends, %s: each message arrives once, in order, and none that was stored is missing",
  async (name, direct) => {
    const [sender, receiver] = [`sender-${name}`, `receiver-${name}`];
    const peer = await stage.connect(receiver);
    await using lives = await livesOf(sender);
    await lives.begin({ opens: receiver, sends: 1000 }, { direct });
    const session = await offeredTo(peer);
    const heard = contentsOf(session, 1000);
    await lives.until("stored", 300);
    await lives.kill();
    const stored = lives.noted("stored").map(Number);
    expect(stored).toEqual(numbers(1, stored.length));
    await lives.begin({ sends: 1000 }, { direct });
    expect(await heard).toEqual(numbers(1, 1000));
    const [, again] = await lives.until("session", 2);
    const [id, recovered, sent] = again?.split(" ") ?? [];
    expect([id, recovered]).toEqual([session.id, "true"]);
    expect(Number(sent)).toBeGreaterThanOrEqual(stored.length);
    expect(Number(sent)).toBeLessThan(1000);
  },
);

test("killed while it is cut off: what it had queued is said by its next life", async () => {
  const peer = await stage.connect("receiver-2");
  await using lives = await livesOf("sender-2");
  await lives.begin({ opens: "receiver-2", sends: 400 }, never);
  const session = await offeredTo(peer);
  const heard = contentsOf(session, 600);
  await lives.until("stored", 20);
  expect(await stage.cut("sender-2")).toBe(1);
  // `session.ready` lets it queue a window while nothing is stored.
  await lives.written(/"content\\":400\b/);
  await lives.kill();
  expect(lives.noted("stored").length).toBeLessThan(400);
  await lives.begin({ sends: 600 });
  expect(await heard).toEqual(numbers(1, 600));
  const [, again] = await lives.until("session", 2);
  expect(again).toBe(`${session.id} true 400 `);
});

test("killed while a handler runs: that task runs again, marked, and those that had ended do not", async () => {
  const peer = await stage.connect("requester-3");
  await using lives = await livesOf("performer-3");
  await lives.begin({});
  await lives.until("up");
  const session = await peer.open("performer-3");
  const quick = numbers(1, 5).map(() => session.request("work", { waits: false }));
  await Promise.all(quick.map(({ result }) => result));
  const task = session.request("work", { waits: true });
  await lives.until("began", 6);
  await lives.kill();
  await lives.begin({});
  await lives.until("began", 7);
  lives.tell();
  expect(await task.result).toBe(task.id);
  expect(lives.noted("began").slice(5)).toEqual([`${task.id} false`, `${task.id} true`]);
  expect(await session.request("work", { waits: false }).result).toBeDefined();
});

test("killed between the end of a handler and its response: it does not run again, and the response arrives", async () => {
  const peer = await stage.connect("requester-4");
  await using lives = await livesOf("performer-4");
  await lives.begin({}, never);
  await lives.until("up");
  const session = await peer.open("performer-4");
  const task = session.request("work", { waits: true });
  await lives.until("began");
  expect(await stage.cut("performer-4")).toBe(1);
  lives.tell();
  await lives.until("finished");
  await lives.written(/TASK_RESPONSE/);
  await lives.kill();
  await lives.begin({});
  expect(await task.result).toBe(task.id);
  expect([lives.noted("began"), lives.noted("finished")]).toEqual([[`${task.id} false`], [task.id]]);
});

test("a task that was cancelled before its performer was killed does not begin again", async () => {
  const peer = await stage.connect("requester-5");
  await using lives = await livesOf("performer-5");
  await lives.begin({});
  await lives.until("up");
  const session = await peer.open("performer-5");
  const task = session.request("work", { waits: true });
  await lives.until("began");
  task.cancel("not needed");
  await lives.until("aborted");
  await lives.kill();
  await lives.begin({});
  await expect(task.result).rejects.toMatchObject({ reason: "task_cancelled" });
  expect(lives.noted("began")).toEqual([`${task.id} false`]);
});

test("a requester that was killed knows which tasks it asked for, and gets the one result", async () => {
  const peer = await stage.connect("performer-6");
  const go = Promise.withResolvers<void>();
  let runs = 0;
  await peer.handle("work", async () => {
    runs++;
    await go.promise;
    return "done";
  });
  await using lives = await livesOf("requester-6");
  const asks = mint();
  await lives.begin({ opens: "performer-6", asks });
  const session = await offeredTo(peer);
  await expect.poll(() => runs).toBe(1);
  await lives.kill();
  await lives.begin({ asks });
  const [, again] = await lives.until("session", 2);
  expect(again).toBe(`${session.id} true 0 ${asks}`);
  go.resolve();
  expect(await lives.until("answer")).toEqual(["done"]);
  expect(runs).toBe(1);
  await lives.kill();
  await lives.begin({});
  const [, , third] = await lives.until("session", 3);
  expect(third).toBe(`${session.id} true 0 `);
});

test("killed while it receives, again and again: nothing that was taken comes again, nothing after it is lost", async () => {
  const peer = await stage.connect("sender-7");
  await using lives = await livesOf("receiver-7");
  await lives.begin({ readMs: 1 });
  await lives.until("up");
  const session = await peer.open("receiver-7");
  for (const n of numbers(1, 600)) void session.send(n).catch(() => undefined);
  for (const killAt of [100, 250, 400]) {
    await lives.until("got", killAt);
    await lives.kill();
    await lives.begin({ readMs: 1 });
  }
  await expect.poll(() => lives.noted("got").at(-1), { timeout: 20_000 }).toMatch(/^600 /);
  const got = lives.noted("got").map((line) => line.split(" "));
  expect(got.every(([, redelivered]) => redelivered === "false")).toBe(true);
  const heard = got.map(([n]) => Number(n));
  expect(heard).toEqual([...new Set(heard)].sort((a, b) => a - b));
  // One for each kill was on its way from the SDK into the program's notes.
  expect(heard.length).toBeGreaterThanOrEqual(597);
});

test("what was taken ahead of unread messages does not come again, and the messages do", async () => {
  const peer = await stage.connect("requester-8");
  await using lives = await livesOf("performer-8");
  await lives.begin({});
  await lives.until("up");
  const session = await peer.open("performer-8");
  await session.send(1);
  const first = session.request("work", { waits: false });
  expect(await first.result).toBe(first.id);
  await session.send(2);
  await lives.kill();
  await lives.begin({ readMs: 0 });
  const second = session.request("work", { waits: false });
  expect(await second.result).toBe(second.id);
  expect(await lives.until("got", 2)).toEqual(["1 false", "2 false"]);
  expect(lives.noted("began")).toEqual([`${first.id} false`, `${second.id} false`]);
});

test("the broker is killed at the same time: still each once, in order", async () => {
  const stateDir = join(stage.dir, "killed");
  const broker = new BrokerProcess(stateDir);
  try {
    await broker.start();
    const identity = async (agentId: string) => {
      const { caFile, certificateFile: certFile, keyFile } = await certifyAgent({ stateDir, agentId });
      return { url: `wss://localhost:${broker.port}`, caFile, certFile, keyFile };
    };
    const peer = await connect({ ...(await identity("receiver-9")), reconnect: { baseMs: 5, maxMs: 50 } });
    await using lives = await Lives.of(await identity("sender-9"));
    await lives.begin({ opens: "receiver-9", sends: 1000 });
    const heard = contentsOf(await offeredTo(peer), 1000);
    await lives.until("stored", 300);
    await Promise.all([broker.kill(), lives.kill()]);
    await lives.begin({ sends: 1000 });
    await broker.start();
    expect(await heard).toEqual(numbers(1, 1000));
    await peer.close();
  } finally {
    await broker.end();
  }
});

test("a session that ended meanwhile is over in the next life, too, and is then forgotten", async () => {
  const peer = await stage.connect("peer-10");
  await using lives = await livesOf("agent-10");
  await lives.begin({ readMs: 0 });
  await lives.until("up");
  const session = await peer.open("agent-10");
  await (await session.send(1)).delivered;
  await lives.kill();
  await session.close("done");
  // Nothing waits for the other side, but that it has not taken the close: that is for its next life.
  await lives.begin({ readMs: 0 });
  await session.closed;
  expect(await lives.until("over")).toEqual([`${session.id} done`]);
  await lives.kill();
  await lives.begin({ readMs: 0 });
  await lives.until("up", 3);
  expect(lives.noted("got")).toEqual(["1 false"]);
  expect(readFileSync(lives.journal, "utf8").split("\n")).toHaveLength(2);
});

test("a journal that finds no more room ends the agent before anything leaves that is not in it", async () => {
  const peer = await stage.connect("peer-18");
  await using lives = await livesOf("agent-18");
  await lives.begin({ fills: true }, { room: 64 * 1024 });
  await lives.until("up");
  const session = await peer.open("agent-18");
  await session.send("read later");
  const [over] = await lives.until("over");
  expect(over).toBe(`${session.id} journal_failed`);
  expect([await lives.until("unsent"), await lives.until("unread")]).toEqual([["journal_failed"], ["journal_failed"]]);
  await lives.kill();
  const stored = lives.noted("stored").length;
  expect(stored).toBeGreaterThan(10);
  await lives.begin({ sends: stored + 1, readMs: 0 });
  const [, again] = await lives.until("session", 2);
  expect(again).toBe(`${session.id} true ${stored} `);
  const heard = await contentsOf(session, stored + 1);
  expect([heard.slice(0, -1).every((content) => typeof content === "string"), heard.at(-1)]).toEqual([
    true,
    stored + 1,
  ]);
  expect(await lives.until("got")).toEqual(["read later false"]);
});
