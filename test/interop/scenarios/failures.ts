// What breaks: connections, the broker, the agents themselves. What was acknowledged is there afterwards, in order and once.
import { setTimeout as sleep } from "node:timers/promises";
import { uuidv7 } from "../../../protocol/wire/ids.ts";
import { enterBoth, type Pair, Party } from "../pair.ts";
import type { Seen } from "../protocol.ts";
import { count, ended, holds, performed, runsOf, type Scenario, same, whole } from "./scenario.ts";

const newTaskId = (): string => uuidv7(Date.now(), crypto.getRandomValues(new Uint8Array(10)), 0);

/** 1,500 messages and a task with progress, in the midst of which something happens, twice. */
async function work(pair: Pair, disturb: (time: 1 | 2) => Promise<void>): Promise<void> {
  const { a, b } = pair;
  const session = await pair.open();
  const { task } = await a.ask("request", { session, capability: "count", input: { to: 100, each_ms: 10 } });
  const sending = a.ask("send", { session, from: 1, to: 1_500, pad: 200, wait: "delivered" });
  same("the first part", await b.ask("receive", { session, from: 1, to: 300 }), whole(300));
  for (const time of [1, 2] as const) {
    const from = time === 1 ? 301 : 801;
    const to = time === 1 ? 800 : 1_500;
    const receiving = b.ask("receive", { session, from, to, each_ms: 0.5 });
    await disturb(time);
    same("what comes then", await receiving, whole(to - from + 1));
  }
  await sending;
  const outcome = await a.ask("result", { task });
  same("the task's result", outcome.result, 100);
  same(
    "its progress",
    outcome.progress,
    Array.from({ length: 100 }, (_, i) => ({ n: i + 1 })),
  );
  same("its runs", (await runsOf(b, task)).length, 1);
  await pair.close(session);
}

const cut: Scenario = {
  name: "cut",
  shows: "connections cut in the midst of a frame: first the reader's, then the sender's",
  async play(pair: Pair) {
    await work(pair, async (time) => {
      const party = time === 1 ? pair.b : pair.a;
      const before = await count(party, "connected");
      const towards = time === 1 ? "agent" : "broker";
      const done = await party.cable.cutAt(0, { bytes: 3_000, towards, silenceMs: 20, withinMs: 1_000 });
      holds("there was something to cut", done);
      await party.ask("statuses", { until: "connected", count: before + 1 });
    });
  },
};

const moved: Scenario = {
  name: "goaway",
  shows:
    "the broker asks both to connect anew, as before a deploy: they do at once, and nothing of their work is touched",
  async play(pair: Pair) {
    await work(pair, async (time) => {
      const party = time === 1 ? pair.b : pair.a;
      const before = await count(party, "goaway");
      await pair.stage.moveAgent(party.agent);
      await party.ask("statuses", { until: "goaway", count: before + 1 });
    });
  },
};

const brokerRestart: Scenario = {
  name: "broker-restart",
  shows: "the broker killed with SIGKILL in the midst, and started again on the same state",
  async play(pair: Pair) {
    await work(pair, async (time) => {
      if (time === 2) return;
      await pair.stage.restartBroker();
    });
    for (const party of [pair.a, pair.b]) holds("it noticed", (await count(party, "disconnected")) > 0);
  },
};

/** What had been taken in the last milliseconds may come again without a journal, and says so. */
function mayRepeat(what: string, seen: Seen): void {
  const { lost, out_of_order, duplicated, redelivered } = seen;
  if (lost === 0 && out_of_order === 0 && duplicated <= redelivered) return;
  throw new Error(`${what}: ${JSON.stringify(seen)}`);
}

const performerKilled: Scenario = {
  name: "performer-killed",
  shows:
    "the performer killed with SIGKILL: its next life gets the open task, marked redelivered, and what it had not acknowledged",
  async play(pair: Pair) {
    const { a, b } = pair;
    const session = await pair.open();
    const { task } = await a.ask("request", { session, capability: "hold", input: "kept" });
    await a.ask("started", { task });
    const before = await performed(a, session, "echo", "before");
    await a.ask("send", { session, from: 1, to: 300 });
    same("before", await b.ask("receive", { session, from: 1, to: 100 }), whole(100));
    await b.kill();
    const sending = a.ask("send", { session, from: 301, to: 700, wait: "delivered" });
    await b.start();
    same("its session", await b.ask("session", { session }), { peer: a.agent, recovered: true, requested: [] });
    mayRepeat("after the crash", await b.ask("receive", { session, from: 101, to: 700 }));
    await sending;
    await b.ask("release", { task });
    const outcome = await a.ask("result", { task });
    same("the task", [outcome.outcome, outcome.result], ["succeeded", { held: "kept", redelivered: true }]);
    same(
      "its runs in this life",
      (await runsOf(b, task)).map(({ redelivered }) => redelivered),
      [true],
    );
    same("runs of what had ended before", await runsOf(b, before.task), []);
    await pair.close(session);
  },
};

const requesterKilled: Scenario = {
  name: "requester-killed",
  shows:
    "the requester killed with SIGKILL: its next life asks again by task id, gets the result, and nothing runs twice",
  async play(pair: Pair) {
    const { a, b } = pair;
    const session = await pair.open();
    const task = newTaskId();
    const asked = { session, capability: "hold", input: { key: "value" }, task };
    await a.ask("request", asked);
    await a.ask("started", { task });
    await a.ask("send", { session, from: 1, to: 50 });
    await a.kill();
    await b.ask("release", { task });
    same("what it had said", await b.ask("receive", { session, from: 1, to: 50 }), whole(50));
    await a.start();
    const found = await a.ask("session", { session });
    same("its session", [found.peer, found.recovered], [b.agent, true]);
    await a.ask("request", asked);
    const outcome = await a.ask("result", { task });
    ended("the task", outcome, "succeeded");
    same("its result", outcome.result, { held: { key: "value" }, redelivered: false });
    same("its runs", (await runsOf(b, task)).length, 1);
    await a.ask("send", { session, from: 51, to: 60 });
    same("what it says then", await b.ask("receive", { session, from: 51, to: 60 }), whole(10));
    await pair.close(session);
  },
};

const journal: Scenario = {
  name: "journal",
  shows:
    "both killed in turn, with a journal: nothing that was sent is lost, nothing that was taken or done comes again",
  together: 3,
  async play({ a, b, stage, name }: Pair) {
    const kept = (role: string) => ({ journal: stage.file(`${name}-${role}.journal`) });
    const [near, far] = await enterBoth(
      Party.enter(stage, `${name}-journal-a`, a.language, "a", kept("a")),
      Party.enter(stage, `${name}-journal-b`, b.language, "b", kept("b")),
    );
    try {
      const { session } = await near.ask("open", { peer: far.agent });
      const { task } = await near.ask("request", { session, capability: "hold", input: "kept" });
      await near.ask("started", { task });
      const before = await performed(near, session, "echo", "before");
      await near.ask("send", { session, from: 1, to: 300 });
      // What it took last it has had no time to acknowledge.
      same("before", await far.ask("receive", { session, from: 1, to: 100 }), whole(100));
      await far.kill();
      await far.start(kept("b"));
      same("the performer's session", (await far.ask("session", { session })).recovered, true);
      same("after its crash", await far.ask("receive", { session, from: 101, to: 300 }), whole(200));
      await far.ask("release", { task });
      same("the task", (await near.ask("result", { task })).result, { held: "kept", redelivered: true });
      same("runs of what had ended before", await runsOf(far, before.task), []);

      const later = await near.ask("request", { session, capability: "hold", input: "later" });
      await near.ask("started", later);
      // More than a window: part of it is stored, the rest only queued, when the requester dies.
      await near.ask("send", { session, from: 301, to: 1_200, wait: "queued" });
      await sleep(100);
      await near.kill();
      await near.start(kept("a"));
      same("the requester's session", await near.ask("session", { session }), {
        peer: far.agent,
        recovered: true,
        requested: [later.task],
      });
      same("what it had queued", await far.ask("receive", { session, from: 301, to: 1_200 }), whole(900));
      await near.ask("request", { session, capability: "hold", input: "later", task: later.task });
      await far.ask("release", later);
      same("its task", (await near.ask("result", later)).result, { held: "later", redelivered: false });
      same("its runs", (await runsOf(far, later.task)).length, 1);
      await near.ask("close", { session, reason: "done" });
      await far.ask("ended", { session });
      same("what they wrote to stderr", near.complaints + far.complaints, "");
    } finally {
      await Promise.all([near.end(), far.end()]);
    }
  },
};

export const failures = [cut, moved, brokerRestart, performerKilled, requesterKilled, journal] as const;
