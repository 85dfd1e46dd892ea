// An agent's journal, by agents of this process: what it brings back, what it refuses, how it stays small. Programs that are killed
// are in journal-lives.test.ts.
import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import type { Agent, Session } from "../../sdk/typescript/src/index.ts";
import { contentsOf, next, numbers, reasonOf, Stage, sessionBetween, until } from "./fixtures.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.set();
});
afterEach(() => stage.clear());
afterAll(() => stage[Symbol.asyncDispose]());

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
  const journal = join(stage.dir, "journal-11");
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
  const journal = join(stage.dir, "journal-12");
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
  const journal = join(stage.dir, "journal-13");
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
  const journal = join(stage.dir, "journal-14");
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
  const missing = stage.connect("agent-14", { journal: join(stage.dir, "nowhere", "journal"), recover: true });
  await expect(missing).rejects.toMatchObject({ reason: "journal_failed" });
  await expect(missing).rejects.toThrow(/ENOENT.*folder must exist/);
  expect(await reasonOf(stage.connect("agent-14", { journal }))).toBe("invalid_argument");
  writeFileSync(journal, whole);
  expect(await next((await stage.connect("agent-14", mine)).sessions())).toMatchObject({ sent: 1 });
});

test("it is written anew while work goes on: bounded, and nothing is lost or repeated by that", async () => {
  const peer = await stage.connect("receiver-15");
  const journal = join(stage.dir, "journal-15");
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
  const journal = join(stage.dir, "journal-17");
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

test("`drain` between an offer's acceptance and its answer: the close is in the journal, and the next life reads it", async () => {
  const journal = join(stage.dir, "journal-19");
  const peer = await stage.connect("peer-19");
  const leaving = Promise.withResolvers<void>();
  const agent = await stage.connect("agent-19", {
    journal,
    recover: true,
    // Before anything else is heard: the session is not open then.
    accept: () => {
      queueMicrotask(() => agent.drain().then(leaving.resolve, leaving.reject));
      return true;
    },
  });
  const session = await peer.open("agent-19");
  await leaving.promise;
  await stage.connect("agent-19", { journal, recover: true });
  expect(await session.closed).toEqual({ reason: "drained" });
});

test("an offer that is taken after its maker has left by `drain`: the next life goes on with that session", async () => {
  const journal = join(stage.dir, "journal-20");
  const agent = await stage.connect("agent-20", { journal, recover: true });
  await stage.certified("peer-20");
  const opening = reasonOf(agent.open("peer-20", { waitMs: 60_000 }));
  await agent.agents();
  await agent.drain();
  expect(await opening).toBe("agent_draining");
  const taken = await next((await stage.connect("peer-20")).sessions());
  const again = await stage.connect("agent-20", { journal, recover: true });
  const recovered = await next(again.sessions());
  expect(recovered).toMatchObject({ id: taken.id, recovered: true, sent: 0 });
  await recovered.send("late");
  expect(await contentsOf(taken, 1)).toEqual(["late"]);
  await again.drain();
  expect(await taken.closed).toEqual({ reason: "drained" });
  await (await stage.connect("agent-20", { journal, recover: true })).close();
});

test("a second program that opens the journal has it alone, and goes on", async () => {
  const journal = join(stage.dir, "journal-16");
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
