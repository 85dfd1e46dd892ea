// Programs with a journal that are killed amid everything: what they had said is said once, what they had taken or finished does
// not come again. On a real broker, with real processes and SIGKILL.
import { randomBytes } from "node:crypto";
import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { uuidv7 } from "../../protocol/wire/ids.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { killChild, startBrokerChild } from "../../scripts/broker/child.ts";
import { certifyAgent } from "../../scripts/certificates/certify.ts";
import { type Agent, connect, type Session } from "../../sdk/typescript/src/index.ts";
import { next, reasonOf, Stage, sessionBetween, take, until } from "./fixtures.ts";
import { fillUp, Lives } from "./journal-lives.ts";

let stage: Stage;
let dir: string;
beforeAll(async () => {
  stage = await Stage.set();
  dir = await mkdtemp(join(tmpdir(), "agentworks-journal-"));
});
afterEach(() => stage.clear());
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const numbers = (from: number, through: number) => Array.from({ length: through - from + 1 }, (_, i) => from + i);
const mint = () => uuidv7(Date.now(), randomBytes(10));
const livesOf = async (agent: string) => Lives.of(await stage.options(agent));
/** Stays away for good once it is cut. */
const never = { reconnect: { baseMs: 3_600_000, maxMs: 3_600_000 } };

async function contentsOf(session: Session, count: number): Promise<unknown[]> {
  return (await take(session.messages(), count)).map(({ content }) => content);
}

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
  expect(stage.cut("sender-2")).toBe(1);
  // `session.ready` lets it queue a window while nothing is stored.
  await sleep(300);
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
  expect(stage.cut("performer-4")).toBe(1);
  lives.tell();
  await lives.until("finished");
  await sleep(50);
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
  for (const end = performance.now() + 20_000; performance.now() < end; await sleep(20))
    if (lives.noted("got").at(-1)?.startsWith("600 ")) break;
  const got = lives.noted("got").map((line) => line.split(" "));
  expect(got.every(([, redelivered]) => redelivered === "false")).toBe(true);
  const heard = got.map(([n]) => Number(n));
  expect(heard.at(-1)).toBe(600);
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
  const stateDir = join(dir, "killed");
  let broker = await startBrokerChild(stateDir, 0);
  try {
    const identity = async (agentId: string) => {
      const { caFile, certificateFile: certFile, keyFile } = await certifyAgent({ stateDir, agentId });
      return { url: `wss://localhost:${broker.port}`, caFile, certFile, keyFile };
    };
    const peer = await connect({ ...(await identity("receiver-9")), reconnect: { baseMs: 5, maxMs: 50 } });
    await using lives = await Lives.of(await identity("sender-9"));
    await lives.begin({ opens: "receiver-9", sends: 1000 });
    const heard = contentsOf(await offeredTo(peer), 1000);
    await lives.until("stored", 300);
    await Promise.all([killChild(broker.process), lives.kill()]);
    await lives.begin({ sends: 1000 });
    broker = await startBrokerChild(stateDir, broker.port);
    expect(await heard).toEqual(numbers(1, 1000));
    await peer.close();
  } finally {
    await killChild(broker.process);
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

/** An agent of this process with a journal, and a session that it had before: left by `close`, which is what a crash looks like. */
async function leftBehind(name: string, journal: string): Promise<{ peer: Agent; theirs: Session }> {
  const peer = await stage.connect(`peer-${name}`);
  const agent = await stage.connect(`agent-${name}`, { journal, recover: true });
  const { here, there } = await sessionBetween(peer, agent);
  const messages = there.messages();
  await here.send("taken");
  await next(messages);
  await there.send("said");
  await agent.close();
  return { peer, theirs: here };
}

test("what is read no more after `close` comes again, and only that", async () => {
  const journal = join(dir, "journal-11");
  const peer = await stage.connect("peer-11");
  const agent = await stage.connect("agent-11", { journal, recover: true });
  const { here, there } = await sessionBetween(peer, agent);
  const messages = there.messages();
  for (const n of [1, 2, 3]) await here.send(n);
  expect((await next(messages)).content).toBe(1);
  await agent.close();
  expect((await messages.next()).done).toBe(true);
  const again = await stage.connect("agent-11", { journal, recover: true });
  const recovered = await next(again.sessions());
  expect(recovered).toMatchObject({ recovered: true, sent: 0, requested: [] });
  expect(await contentsOf(recovered, 2)).toEqual([2, 3]);
});

test("a life without the journal in between is noticed: the session is lost, and says so", async () => {
  const journal = join(dir, "journal-12");
  const { theirs } = await leftBehind("12", journal);
  const forgetful = await stage.connect("agent-12", { recover: true });
  const messages = (await next(forgetful.sessions())).messages();
  const { delivered } = await theirs.send("taken by another");
  while ((await next(messages)).content !== "taken by another");
  await delivered;
  await forgetful.close();
  const agent = await stage.connect("agent-12", { journal, recover: true });
  const { session, error } = await until(agent.status(), "session_closed");
  expect([session.id, error?.reason]).toEqual([theirs.id, "session_lost"]);
});

test("a torn last line is left out; an empty file is a new journal; both are private", async () => {
  const journal = join(dir, "journal-13");
  writeFileSync(journal, "");
  const { theirs } = await leftBehind("13", journal);
  expect(statSync(journal).mode & 0o777).toBe(0o600);
  appendFileSync(journal, '{"session":"');
  const agent = await stage.connect("agent-13", { journal, recover: true });
  const recovered = await next(agent.sessions());
  expect(recovered).toMatchObject({ id: theirs.id, sent: 1 });
  await recovered.send("and on");
  expect(await contentsOf(theirs, 2)).toEqual(["said", "and on"]);
});

test("a damaged line, another agent's journal, a missing folder: an error that says what to do", async () => {
  const journal = join(dir, "journal-14");
  await leftBehind("14", journal);
  const whole = readFileSync(journal, "utf8");
  const mine = { journal, recover: true };
  const mismatch = stage.connect("peer-14b", mine);
  await expect(mismatch).rejects.toMatchObject({ reason: "journal_mismatch", retryable: false });
  await expect(mismatch).rejects.toThrow(/is that of agent-14 .*Give each agent a journal of its own/);
  writeFileSync(journal, whole.replace('"line":"', '"line":'));
  const damaged = stage.connect("agent-14", mine);
  await expect(damaged).rejects.toMatchObject({ reason: "journal_damaged", retryable: false });
  await expect(damaged).rejects.toThrow(/Line \d+ of the journal .* move it away/);
  const missing = stage.connect("agent-14", { journal: join(dir, "nowhere", "journal"), recover: true });
  await expect(missing).rejects.toMatchObject({ reason: "journal_failed" });
  await expect(missing).rejects.toThrow(/ENOENT.*folder must exist/);
  expect(await reasonOf(stage.connect("agent-14", { journal }))).toBe("invalid_argument");
  writeFileSync(journal, whole);
  expect(await next((await stage.connect("agent-14", mine)).sessions())).toMatchObject({ sent: 1 });
});

test("it is written anew while work goes on: bounded, and nothing is lost or repeated by that", async () => {
  const peer = await stage.connect("receiver-15");
  const journal = join(dir, "journal-15");
  const agent = await stage.connect("sender-15", { journal, recover: true });
  const { here: theirs, there: ours } = await sessionBetween(peer, agent);
  const pad = "x".repeat(8 * 1024);
  const reader = theirs.messages();
  let biggest = 0;
  const inodes = new Set<number>();
  for (const n of numbers(1, 1500)) {
    await ours.ready;
    void ours.send({ n, pad });
    expect((await next(reader)).content).toMatchObject({ n });
    const { size, ino } = statSync(journal);
    biggest = Math.max(biggest, size);
    inodes.add(ino);
  }
  expect(biggest).toBeLessThan(limits.journalBytesMin + 1024 * 1024);
  expect(biggest).toBeGreaterThan(limits.journalBytesMin / 2);
  expect(inodes.size).toBeGreaterThan(1);
  await agent.close();
  const again = await stage.connect("sender-15", { journal, recover: true });
  const recovered = await next(again.sessions());
  expect(recovered.sent).toBe(1500);
  await recovered.send({ n: 1501 });
  expect((await next(reader)).content).toMatchObject({ n: 1501 });
});

test("after `drain` nothing is left for the next life", async () => {
  const journal = join(dir, "journal-17");
  const peer = await stage.connect("peer-17");
  const agent = await stage.connect("agent-17", { journal, recover: true });
  const { here, there } = await sessionBetween(peer, agent);
  await there.send("last");
  await agent.drain();
  expect(await contentsOf(here, 1)).toEqual(["last"]);
  await here.closed;
  const again = await stage.connect("agent-17", { journal, recover: true });
  const { session, reason, error } = await until(again.status(), "session_closed");
  expect([session.id, reason, error]).toEqual([there.id, "drained", undefined]);
  await again.close();
  await (await stage.connect("agent-17", { journal, recover: true })).close();
  expect(readFileSync(journal, "utf8").split("\n")).toHaveLength(2);
});

test("a journal that cannot be written any more ends the agent before anything leaves that is not in it", async () => {
  const journal = join(dir, "journal-18");
  const peer = await stage.connect("peer-18");
  const agent = await stage.connect("agent-18", { journal, recover: true });
  const { here, there } = await sessionBetween(peer, agent);
  await there.send(1);
  await here.send("read later");
  fillUp(journal);
  expect(await reasonOf(there.send(2))).toBe("journal_failed");
  expect(await reasonOf(there.messages().next())).toBe("journal_failed");
  expect(await there.closed).toMatchObject({ reason: "journal_failed" });
  const again = await stage.connect("agent-18", { journal, recover: true });
  const recovered = await next(again.sessions());
  expect(recovered.sent).toBe(1);
  expect(await contentsOf(recovered, 1)).toEqual(["read later"]);
  await recovered.send(3);
  expect(await contentsOf(here, 2)).toEqual([1, 3]);
});

test("a second program that opens the journal has it alone, and goes on", async () => {
  const journal = join(dir, "journal-16");
  const peer = await stage.connect("peer-16");
  const first = await stage.connect("agent-16", { journal, recover: true });
  const { here, there } = await sessionBetween(peer, first);
  await there.send(1);
  const superseded = until(first.status(), "superseded");
  const second = await stage.connect("agent-16", { journal, recover: true });
  await superseded;
  const recovered = await next(second.sessions());
  await recovered.send(2);
  expect(await contentsOf(here, 2)).toEqual([1, 2]);
  expect(await reasonOf(there.send(3))).toBe("superseded");
});
