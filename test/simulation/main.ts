// npm run simulate: many seeds, then the planted bugs. Seeds that fail are told with the one command that replays them.
import { readCommandLine } from "../../scripts/command-line.ts";
import { Failure, runCommand } from "../../scripts/failure.ts";
import { plants } from "./plants.ts";
import { type Failed, huntPlants, runSeed, traceSeed } from "./simulate.ts";
import { missingWork, noTotals, type Totals } from "./totals.ts";

const usage = `Usage: npm run simulate -- [--seeds N] [--steps M] [--seed S] [--json]

Runs the protocol's real core, both ends, in virtual time: the network delays, cuts, swallows and loses, objects crash between
two effects, hibernate and come back from older storage, clients die, sleep and pause. An independent oracle checks after every
step that nothing acknowledged is lost, repeated or out of order, and that everything comes to its end.

  --seeds N   how many seeds (default 1000)
  --steps M   steps of trouble for each (default 2000); healing takes some more
  --seed S    the first seed (default 1); without --seeds that one only, with its trace if it fails
  --json      prints one JSON object as the last line`;

/** Seeds in which a planted bug must be found. */
const plantSeedsMax = 60;
const plantSteps = 1_000;
const failuresShown = 5;

function countOf(flag: string, text: string): number {
  const count = Number(text);
  if (/^\d{1,15}$/.test(text)) return count;
  throw new Failure(`${flag} takes a whole number, not "${text}".`);
}

function tell(failed: Failed, steps: number): void {
  console.log(`\nViolated by seed ${failed.seed} at step ${failed.step}: ${failed.detail}`);
  for (const line of traceSeed(failed.seed, steps)) console.log(`  ${line}`);
  console.log(`Replay: npm run simulate -- --seed ${failed.seed} --steps ${steps}`);
}

function table(totals: Totals): string {
  return (Object.keys(totals) as (keyof Totals)[]).map((name) => `  ${name.padEnd(20)}${totals[name]}`).join("\n");
}

await runCommand(async () => {
  const { values } = readCommandLine(usage, {
    seeds: { type: "string" },
    steps: { type: "string", default: "2000" },
    seed: { type: "string" },
    json: { type: "boolean", default: false },
  });
  const steps = countOf("--steps", values.steps);
  const first = countOf("--seed", values.seed ?? "1");
  const seeds = countOf("--seeds", values.seeds ?? (values.seed === undefined ? "1000" : "1"));
  if (seeds === 0 || steps === 0) throw new Failure("--seeds and --steps take 1 or more.");

  const totals = noTotals();
  let violations = 0;
  const started = performance.now();
  let told = started;
  for (let i = 0; i < seeds; i++) {
    const failed = runSeed(first + i, steps, totals);
    if (failed !== undefined && ++violations <= failuresShown) tell(failed, steps);
    if (performance.now() - told < 5_000) continue;
    told = performance.now();
    console.error(`${i + 1} of ${seeds} seeds, ${totals.steps} steps, ${violations} violations`);
  }
  const seconds = (performance.now() - started) / 1_000;

  const caught = huntPlants(plants, 1, plantSeedsMax, plantSteps);
  const missed = caught.filter((one) => one.seeds === undefined).map(({ plant }) => plant);
  const missing = seeds >= 100 ? missingWork(totals) : [];

  console.log(
    `\n${seeds} seeds, ${totals.steps} steps in ${seconds.toFixed(1)} s; ${violations} violations\n${table(totals)}`,
  );
  console.log("\nPlanted bugs, and what caught them:");
  for (const { plant, seeds: after, invariant } of caught)
    console.log(`  ${plant.padEnd(40)}${after === undefined ? "MISSED" : `${invariant} (seed ${after})`}`);
  for (const one of missing) console.log(`Too little work: ${one}.`);
  if (values.json) {
    const plantedBugs = caught.length;
    const figures = {
      seeds,
      steps: totals.steps,
      violations,
      plantedBugs,
      plantedBugsCaught: plantedBugs - missed.length,
    };
    const stepsPerSecond = Math.round(totals.steps / seconds);
    console.log(JSON.stringify({ ...figures, stepsPerSecond, totals }));
  }
  process.exitCode = violations > 0 || missed.length > 0 || missing.length > 0 ? 1 : 0;
});
