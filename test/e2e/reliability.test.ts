// The commands that break things on purpose, in small: they run, they judge, and their judge can tell right from wrong.
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { dice } from "../../bench/reliability/dice.ts";
import { planFaults } from "../../bench/reliability/faults.ts";
import type { Entry, Fact } from "../../bench/reliability/ledger.ts";
import { type AgentPlan, excuseOf, holesOf, stepsOf, streamOf } from "../../bench/reliability/rules.ts";
import { judge } from "../../bench/reliability/verdict.ts";
import { layCable } from "../../scripts/cable.ts";
import { run } from "./edge-fixtures.ts";

const stream = streamOf("link-1", "ant", 1, "m");
const notes = (fact: Fact, ...numbers: number[]): Entry[] => numbers.map((n) => ({ fact, stream, n }));
const everybodyLives = (name: string) => excuseOf(name, () => true);
const nobodyLives = (name: string) => excuseOf(name, () => false);
const fine = { lost: 0, duplicated: 0, outOfOrder: 0, unfinished: 0 };
const sent = [...notes("sent", 1, 2, 3, 4), ...notes("stored", 1, 2, 3, 4), ...notes("ended", 4)];

test("the judge of chaos finds nothing where nothing is wrong", () => {
  expect(judge([sent, notes("taken", 1, 2, 3, 4)], everybodyLives)).toMatchObject({ ...fine, messages: 4 });
});

test.each<[string, Entry[], number[], Partial<typeof fine>]>([
  ["a hole", sent, [1, 2, 4], { lost: 1 }],
  ["a tail that was stored", sent, [1, 2], { lost: 2 }],
  ["a repetition", sent, [1, 2, 2, 3, 4], { duplicated: 1 }],
  ["a number that nobody sent", sent, [1, 2, 3, 4, 5], { duplicated: 1 }],
  ["two that changed places", sent, [1, 3, 2, 4], { outOfOrder: 1 }],
  ["one that is on its way for ever", [...sent, ...notes("sent", 5)], [1, 2, 3, 4], { unfinished: 1 }],
  ["a stream without an end", notes("sent", 1), [1], { unfinished: 1 }],
])("the judge of chaos finds %s", (_what, sender, taken, found) => {
  expect(judge([sender, notes("taken", ...taken)], everybodyLives)).toMatchObject({ ...fine, ...found });
});

test("what a killed sender had not seen stored may be gone; what it had seen stored may not", () => {
  const killed = [...notes("sent", 1, 2, 3), ...notes("stored", 1, 2)];
  expect(judge([killed, notes("taken", 1, 2)], nobodyLives)).toMatchObject(fine);
  expect(judge([killed, notes("taken", 1)], nobodyLives)).toMatchObject({ ...fine, lost: 1 });
});

test("a receiver with a journal may miss one message for each time it was killed, and may repeat none", () => {
  const plan = { incarnation: 2, journal: "file" } as AgentPlan;
  const killed = (name: string, receiver: number | undefined) => ({
    ...everybodyLives(name),
    holes: receiver === 1 ? holesOf(name, plan) : 0,
  });
  expect(judge([sent, notes("taken", 1, 2, 4)], killed)).toMatchObject(fine);
  expect(judge([sent, notes("taken", 1, 4)], killed)).toMatchObject({ ...fine, lost: 1 });
  expect(judge([sent, notes("taken", 1, 2, 2, 4)], killed)).toMatchObject({ ...fine, duplicated: 1 });
  expect(holesOf(stream, { ...plan, journal: undefined })).toBe(0);
  expect(holesOf(stepsOf(stream, 1, "bee", 1), plan)).toBe(0);
});

test("steps that come after a task was cancelled may be refused, but leave no hole", () => {
  const steps = stepsOf(streamOf("link-1", "ant", 1, "r"), 7, "bee", 1);
  const told = (["sent", "stored"] as const).flatMap((fact) => [1, 2, 3].map((n) => ({ fact, stream: steps, n })));
  const end: Entry = { fact: "ended", stream: steps, n: 3 };
  const cancelled: Entry = { fact: "cancelled", stream: streamOf("link-1", "ant", 1, "r"), n: 7 };
  const taken = (...numbers: number[]) => numbers.map((n): Entry => ({ fact: "taken", stream: steps, n }));
  expect(
    judge(
      [
        [...told, end],
        [...taken(1, 2), cancelled],
      ],
      everybodyLives,
    ),
  ).toMatchObject(fine);
  expect(judge([[...told, end], taken(1, 2)], everybodyLives)).toMatchObject({ ...fine, lost: 1 });
  expect(
    judge(
      [
        [...told, end],
        [...taken(1, 3), cancelled],
      ],
      everybodyLives,
    ),
  ).toMatchObject({ ...fine, lost: 1 });
});

test("the same seed plans the same faults, as many as were asked for", () => {
  const wanted = { kills: 3, cuts: 20, agentKills: 2, durationMs: 10_000 };
  const plan = planFaults(dice(7), wanted);
  expect(planFaults(dice(7), wanted)).toEqual(plan);
  expect(planFaults(dice(8), wanted)).not.toEqual(plan);
  const count = (what: string) => plan.filter(({ fault }) => fault.do === what).length;
  expect([count("kill"), count("cut"), count("killAgent")]).toEqual([3, 20, 2]);
  expect(plan.every(({ atMs }) => atMs >= 0 && atMs < 10_000)).toBe(true);
});

test("a cable lets exactly the bytes through that it was told to, then breaks", async () => {
  let received = 0;
  const server = createServer((socket) => {
    socket
      .on("error", () => undefined)
      .on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const cable = await layCable((server.address() as AddressInfo).port);
  try {
    expect(await cable.cutAt(0.5, { bytes: 1, towards: "broker", silenceMs: 0, withinMs: 0 })).toBe(false);
    const socket = connect(cable.port, "127.0.0.1").on("error", () => undefined);
    await once(socket, "connect");
    while (cable.connections === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const cut = cable.cutAt(0.5, { bytes: 1500, towards: "broker", silenceMs: 50, withinMs: 10_000 });
    for (let i = 0; i < 5; i++) socket.write(Buffer.alloc(1000));
    expect(await cut).toBe(true);
    expect(received).toBe(1500);
  } finally {
    cable.close();
    server.close();
  }
});

/** The JSON object in a command's last line. */
const lastLine = (text: string): unknown => JSON.parse(text.trim().split("\n").at(-1) ?? "");

test("npm run chaos, small: nothing lost, duplicated, out of order or unfinished", async () => {
  const flags = "--kills 1 --cuts 6 --agent-kills 1 --minutes 0.1 --sessions 6 --seed 1 --json".split(" ");
  const { code, stdout, stderr } = await run("bench/reliability/chaos.ts", flags).finished;
  expect(code, stderr).toBe(0);
  expect(lastLine(stdout)).toEqual({ ...fine, kills: 1, cuts: 6, messages: expect.any(Number) });
});

test("npm run slow-consumer, small: the producer is held and storage stays within its bound", async () => {
  const { stdout, stderr } = await run("bench/reliability/slow-consumer.ts", ["--seconds", "3", "--json"]).finished;
  // Not its exit code: whether others' latency doubled is nothing to ask of a machine that runs tests.
  const figures = lastLine(stdout) as Record<string, number>;
  expect(figures, stderr).toMatchObject({ consumed: figures.produced });
  expect(figures.produced).toBeGreaterThan(300);
  expect(figures.heldMs).toBeGreaterThan(500);
  expect(figures.storageBytesMax).toBeLessThan(figures.storageBoundBytes ?? 0);
});

test("chaos says in a sentence what is wrong with a flag", async () => {
  const { code, stderr } = await run("bench/reliability/chaos.ts", ["--kills", "many"]).finished;
  expect(code).toBe(1);
  expect(stderr).toContain('--kills takes a number from 0, not "many".');
});
