// Tasks: values as they are, progress in order, questions back, and every way to end.
import { setTimeout as sleep } from "node:timers/promises";
import type { Pair } from "../pair.ts";
import { until } from "../pair.ts";
import { ended, holds, performed, runsOf, type Scenario, same } from "./scenario.ts";

/** What JSON can say, and languages read in different ways. */
const values: readonly unknown[] = [
  null,
  false,
  0,
  -1,
  0.1,
  1e21,
  5e-324,
  Number.MAX_SAFE_INTEGER,
  "",
  'quotes " and \\, lines \n\r\t, \u0000 \u001f \u007f \u2028 \u2029',
  "ä € 😀 \u{10ffff} e\u0301",
  "9007199254740993",
  [],
  {},
  { "": { " ": [null, [[], {}]] }, __proto__x: 1, constructor: "a name like another" },
  { z: 1, a: 2, m: { z: 1, a: 2 } },
  Array.from({ length: 1000 }, (_, i) => i / 8),
];

const nestedIn = (value: unknown, depth: number): unknown => (depth === 0 ? value : [nestedIn(value, depth - 1)]);

const tasks: Scenario = {
  name: "tasks",
  shows:
    "any JSON comes back as it was; progress in order; failures in the performer's words; a hundred at once, each run once",
  async play(pair: Pair) {
    const { a, b } = pair;
    const session = await pair.open();
    const all = [...values, nestedIn("deep", 24), "€".repeat(60_000)];
    for (const value of all) {
      const { result } = await performed(a, session, "echo", value);
      same("a value", result, value);
    }

    const counted = await performed(a, session, "count", { to: 50 });
    same("the count", counted.result, 50);
    const steps = Array.from({ length: 50 }, (_, i) => ({ n: i + 1 }));
    same("its progress", counted.progress, steps);

    const said = { reason: "out_of_paper", message: "Nachfüllen: A4 – 80 g/m²", retryable: true };
    const failed = await performed(a, session, "fail", said);
    same("a failure in the performer's words", [failed.outcome, failed.error], ["failed", said]);
    const thrown = await performed(a, session, "fail", { message: "a plain error" });
    ended("a plain error", thrown, "failed", "handler_failed");
    holds(
      `its message is passed on: ${thrown.error?.message}`,
      thrown.error?.message.includes("a plain error") === true,
    );
    ended("what nobody handles", await performed(a, session, "nobody.can", 1), "failed", "capability_unknown");

    const numbers = Array.from({ length: 100 }, (_, i) => i);
    const asked = await Promise.all(numbers.map((n) => performed(a, session, "echo", { n })));
    same(
      "a hundred",
      asked.map(({ result }) => result),
      numbers.map((n) => ({ n })),
    );
    for (const { task } of asked) same("runs of a task", (await runsOf(b, task)).length, 1);
    await pair.close(session);
  },
};

const nested: Scenario = {
  name: "nested",
  shows:
    "a performer asks its requester back in the same session, and is asked back in turn, four deep and many at once",
  async play(pair: Pair) {
    const session = await pair.open();
    const ask = (capability: string, input: unknown) => ({ capability, input });
    const question = (n: number) => ask("ask", ask("ask", ask("echo", n)));
    const numbers = Array.from({ length: 20 }, (_, i) => i);
    const answers = await Promise.all(numbers.map((n) => performed(pair.a, session, "ask", question(n))));
    same(
      "the answers",
      answers.map(({ result }) => result),
      numbers.map((n) => ({ asked: { asked: { asked: n } } })),
    );
    const failing = await performed(
      pair.a,
      session,
      "ask",
      ask("fail", { reason: "no_answer", message: "ask others" }),
    );
    ended("a question that fails", failing, "failed");
    await pair.close(session);
  },
};

const cancel: Scenario = {
  name: "cancel",
  shows:
    "a cancelled task stops its handler and ends as cancelled; one that has ended is not touched; a close stops handlers too",
  async play(pair: Pair) {
    const { a, b } = pair;
    const session = await pair.open();
    const { task } = await a.ask("request", { session, capability: "hang", input: null });
    await a.ask("started", { task });
    await a.ask("cancel", { task, reason: "changed my mind" });
    ended("a cancelled task", await a.ask("result", { task }), "cancelled", "task_cancelled");
    same(
      "its handler",
      (await runsOf(b, task)).map(({ aborted }) => aborted),
      [true],
    );

    const early = await a.ask("request", { session, capability: "count", input: { to: 1000, each_ms: 10 } });
    await a.ask("cancel", { task: early.task });
    ended("one that is cancelled at once", await a.ask("result", { task: early.task }), "cancelled");

    const done = await performed(a, session, "echo", "fast");
    await a.ask("cancel", { task: done.task });
    same("one that has ended", (await performed(a, session, "echo", "next")).result, "next");

    const left = await a.ask("request", { session, capability: "hang", input: null });
    await a.ask("started", { task: left.task });
    await pair.close(session);
    ended("one whose session ends", await a.ask("result", { task: left.task }), "refused", "session_closed");
    await until("the handler hears of the end", async () => (await runsOf(b, left.task)).every((run) => run.aborted));
  },
};

const deadline: Scenario = {
  name: "deadline",
  shows: "a task past its deadline ends as expired, and its handler is stopped; one in time is not touched",
  async play(pair: Pair) {
    const { a, b } = pair;
    const session = await pair.open();
    const { task } = await a.ask("request", { session, capability: "hang", input: null, deadline_ms: 400 });
    const inTime = await a.ask("request", { session, capability: "count", input: { to: 3 }, deadline_ms: 60_000 });
    ended("a task past its deadline", await a.ask("result", { task }), "expired", "deadline_exceeded");
    await until("the handler is stopped", async () => (await runsOf(b, task)).every(({ aborted }) => aborted));
    same("one in time", (await a.ask("result", { task: inTime.task })).result, 3);
    await sleep(50);
    same("the session goes on", (await performed(a, session, "echo", "on")).result, "on");
    await pair.close(session);
  },
};

export const taskScenarios = [tasks, nested, cancel, deadline] as const;
