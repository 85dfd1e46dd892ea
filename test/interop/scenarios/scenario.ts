// What a scenario is, and how it says what it found. Scenarios lead two agents and look at what these answer; they know no
// language.
import { deepStrictEqual } from "node:assert/strict";
import { Refused } from "../driver.ts";
import type { Pair, Party } from "../pair.ts";
import type { Outcome, Seen } from "../protocol.ts";

export interface Scenario {
  readonly name: string;
  /** One sentence for `--help` and for the documents. */
  readonly shows: string;
  /** How many pairs may play it at once, where it costs much; usually all. */
  readonly together?: number;
  /** Throws when something is not as it must be. Leaves no session open, and both agents connected. */
  play(pair: Pair): Promise<void>;
}

/** Throws, with both values, when they differ. */
export function same(what: string, actual: unknown, expected: unknown): void {
  try {
    deepStrictEqual(actual, expected);
  } catch {
    throw new Error(`${what}: ${JSON.stringify(actual)}, where ${JSON.stringify(expected)} was due`);
  }
}

export function holds(what: string, condition: boolean): void {
  if (!condition) throw new Error(`does not hold: ${what}`);
}

/** The reason that a command is refused with. */
export async function refused(what: string, reason: string, asked: Promise<unknown>): Promise<void> {
  let answer: unknown;
  try {
    answer = await asked;
  } catch (error) {
    if (error instanceof Refused && error.reason === reason) return;
    throw error;
  }
  throw new Error(`${what}: ${JSON.stringify(answer)}, where ${reason} was due`);
}

/** Messages that arrived whole, in order and once. */
export const whole = (received: number): Seen => ({
  received,
  lost: 0,
  duplicated: 0,
  out_of_order: 0,
  redelivered: 0,
});

/** Asks for a task and waits for its end. */
export async function performed(
  by: Party,
  session: string,
  capability: string,
  input: unknown,
): Promise<Outcome & { task: string }> {
  const { task } = await by.ask("request", { session, capability, input });
  return { task, ...(await by.ask("result", { task })) };
}

/** A task of that outcome, with whatever progress. */
export function ended(what: string, actual: Outcome, outcome: Outcome["outcome"], reason?: string): void {
  if (actual.outcome === outcome && (reason === undefined || actual.error?.reason === reason)) return;
  throw new Error(`${what}: ${JSON.stringify(actual)}, where ${outcome} ${reason ?? ""} was due`);
}

/** How often a driver's program ran a task. */
export async function runsOf(party: Party, task: string) {
  const { runs } = await party.ask("runs", {});
  return runs.filter((run) => run.task === task);
}

export async function count(party: Party, status: string): Promise<number> {
  const { statuses } = await party.ask("statuses", {});
  return statuses.filter((one) => one === status).length;
}
