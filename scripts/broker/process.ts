// Telling processes apart, also after the pid has been given to another one, and across a crash of ours. Linux reads
// /proc (slim containers have no ps); other systems ask ps.

import { execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

/** A process, named so that a later one with the same pid is not taken for it. */
export const ProcessMark = z.object({ pid: z.int().positive(), started: z.string() });
export type ProcessMark = z.infer<typeof ProcessMark>;

const deathMsMax = 5_000;

function linux(pid: number): { started: string; command: string } | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name in parentheses may hold anything; the state is the first field after it, the start time the 20th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return undefined;
  return { started: fields[19] ?? "", command: readFileSync(`/proc/${pid}/cmdline`, "utf8") };
}

function elsewhere(pid: number): { started: string; command: string } | undefined {
  const ask = (field: string): string =>
    execFileSync("ps", ["-o", `${field}=`, "-p", String(pid)], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  return ask("state").startsWith("Z") ? undefined : { started: ask("lstart"), command: ask("command") };
}

function look(pid: number): { started: string; command: string } | undefined {
  try {
    return process.platform === "linux" ? linux(pid) : elsewhere(pid);
  } catch {
    return undefined;
  }
}

/** The mark of a running process; `undefined` when there is none (any more). */
export function markOf(pid: number): ProcessMark | undefined {
  const seen = look(pid);
  return seen === undefined ? undefined : { pid, started: seen.started };
}

export const isAlive = (mark: ProcessMark): boolean => look(mark.pid)?.started === mark.started;

/** Kills a workerd that outlived its broker, and waits for its end. Any other process is left alone. */
export async function killStaleWorkerd(mark: ProcessMark): Promise<void> {
  const seen = look(mark.pid);
  if (seen === undefined || seen.started !== mark.started || !seen.command.includes("workerd")) return;
  process.kill(mark.pid, "SIGKILL");
  for (const end = Date.now() + deathMsMax; isAlive(mark) && Date.now() < end; ) await sleep(10);
}

/**
 * Ties a process to the life of this one: when this process dies, however it dies, `pid` is killed. (workerd by itself
 * outlives a Node process that was killed by SIGKILL, and would keep writing to the state folder.)
 * @returns a function that lets go, for when `pid` has ended properly.
 */
export function tieToThisProcess(pid: number): () => void {
  // The pipe's other end closes with this process; `read` then fails. `detached`, or Ctrl-C would end the guard first.
  const guard = spawn("/bin/sh", ["-c", 'read -r _ || kill -9 "$0" 2>/dev/null', String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.on("error", () => undefined);
  guard.stdin.on("error", () => undefined);
  guard.unref();
  // A child's pipe keeps the event loop alive, too.
  if ("unref" in guard.stdin && typeof guard.stdin.unref === "function") guard.stdin.unref();
  return () => {
    guard.stdin.end("released\n");
  };
}
