// The TypeScript examples, as a user runs them: in a folder whose `.agentworks` is the state of a running broker.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root } from "../../scripts/sources.ts";
import { Stage } from "./fixtures.ts";

let stage: Stage;
let folder: string;
const programs: ChildProcess[] = [];

beforeAll(async () => {
  stage = await Stage.set();
  folder = await mkdtemp(join(tmpdir(), "agentworks-examples-"));
  await symlink(stage.broker.stateDir, join(folder, ".agentworks"));
  for (const agent of ["planner", "analyst", "worker-1", "worker-2"]) await stage.certified(agent);
});

afterAll(async () => {
  for (const program of programs) program.kill("SIGKILL");
  await stage[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function start(example: string, ...flags: string[]) {
  const program = spawn(process.execPath, [join(root, "examples/typescript", example), ...flags], {
    cwd: folder,
    env: { ...process.env, AGENTWORKS_URL: stage.broker.agentsUrl },
    stdio: ["ignore", "pipe", "inherit"],
  });
  programs.push(program);
  let said = "";
  program.stdout.on("data", (chunk) => {
    said += chunk;
  });
  const ended = once(program, "close").then(([code]) => ({ code, lines: said.trim().split("\n") }));
  return { program, ended, says: (text: string) => expect.poll(() => said, { timeout: 20_000 }).toContain(text) };
}

test("echo", async () => {
  const { code, lines } = await start("echo.ts").ended;
  expect(code).toBe(0);
  expect(lines).toHaveLength(4);
  expect(lines.slice(0, 2)).toEqual(["stored as number 1: hello", 'delivered, and answered: {"echo":"hello"}']);
});

test("a long task tells how far it is, and stops when it is cancelled", async () => {
  const { code, lines } = await start("long-task.ts").ended;
  expect(code).toBe(0);
  expect(lines.slice(0, 6)).toEqual([1, 2, 3, 4, 5].map((n) => `round ${n} of 5`).concat('result: {"rounds":5}'));
  expect(lines.at(-1)).toBe("cancelled");
  expect(lines.some((line) => line.includes("the trainer cleans up"))).toBe(true);
});

test("a work queue: every job is done once, by workers that have room", async () => {
  const workers = ["worker-1", "worker-2"].map((name) => ({ name, ...start("work-queue.ts", "work", name) }));
  for (const { name, says } of workers) await says(`${name} works`);
  const { code, lines } = await start("work-queue.ts", "submit", "planner", "8").ended;
  expect(code).toBe(0);
  const jobs = lines.map((line) =>
    /^job (\d+): (\d+) words, counted by worker-[12]$/.exec(line)?.slice(1, 3).map(Number),
  );
  expect(jobs.sort((a, b) => (a?.[0] ?? 0) - (b?.[0] ?? 0))).toEqual(
    Array.from({ length: 8 }, (_, i) => [i + 1, i + 1]),
  );
  for (const { program, ended } of workers) {
    program.kill("SIGINT");
    expect((await ended).code).toBe(0);
  }
});
