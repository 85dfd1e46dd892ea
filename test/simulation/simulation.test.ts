// The simulator in small, for every commit: seeds that never change, seeds that are new with each commit, and the planted bugs.
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { plants } from "./plants.ts";
import { huntPlants, runSeed, traceSeed } from "./simulate.ts";
import { missingWork, noTotals } from "./totals.ts";

const steps = 1_000;

/** A number of this commit's; of this day's, where there is no repository. */
function freshSeed(): number {
  const { stdout } = spawnSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" });
  const hash = /^[0-9a-f]{12}/.exec(stdout ?? "")?.[0];
  return hash === undefined ? Math.floor(Date.now() / 86_400_000) * 1_000 : Number.parseInt(hash, 16);
}

function violations(first: number, seeds: number, totals = noTotals()): string[] {
  const found: string[] = [];
  for (let seed = first; seed < first + seeds; seed++) {
    const failed = runSeed(seed, steps, totals);
    if (failed !== undefined)
      found.push(`${failed.detail}\n  npm run simulate -- --seed ${seed} --steps ${steps}, at step ${failed.step}`);
  }
  return found;
}

describe("the simulator", () => {
  it("[S5, S6, S7, S8, W1, W2, A2, A6, A8, T3, T4, T12, N7, D1, D2, D3, D5, C8, H3] fixed seeds: no violation, and real work", () => {
    const totals = noTotals();
    expect(violations(1, 300, totals)).toEqual([]);
    expect(missingWork(totals)).toEqual([]);
  }, 120_000);

  it("[S5, S6, S7, S8, W1, W2, A2, A6, A8, T3, T4, T12, N7, D1, D2, D3, D5, C8, H3] this commit's own seeds: no violation", () => {
    expect(violations(freshSeed(), 150)).toEqual([]);
  }, 120_000);

  it("is the same run for the same seed, to the last line of its trace", () => {
    const [once, again] = [noTotals(), noTotals()];
    runSeed(7, steps, once);
    runSeed(7, steps, again);
    expect(again).toEqual(once);
    expect(once.steps).toBeGreaterThanOrEqual(steps);
    expect(traceSeed(7, steps)).toEqual(traceSeed(7, steps));
  });

  it("finds every planted bug within 60 seeds", () => {
    const missed = huntPlants(plants, 1, 60, steps).filter(({ seeds }) => seeds === undefined);
    expect(missed).toEqual([]);
    expect(plants.length).toBeGreaterThanOrEqual(20);
  }, 120_000);
});
