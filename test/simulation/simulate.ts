// A seed from its plan to its verdict; and many seeds. The same seed and steps give the same run, to the last byte.
import { Dice } from "./dice.ts";
import { outlive } from "./forgetting.ts";
import { drawPlan, shippedLimits, useLimits } from "./plan.ts";
import type { Plant } from "./plants.ts";
import { addTotals, noTotals, type Totals } from "./totals.ts";
import { Violation } from "./verdicts.ts";
import { World } from "./world.ts";

export interface Failed {
  seed: number;
  step: number;
  invariant: string;
  detail: string;
}

const traceLines = 60;

/** Runs one seed for so many steps of trouble, session after session. @returns what was violated, if anything was */
export function runSeed(
  seed: number,
  steps: number,
  totals: Totals,
  plant?: Plant,
  note: (what: string, about?: unknown) => void = () => {},
): Failed | undefined {
  const dice = new Dice(seed);
  const mine = noTotals();
  const plan = drawPlan(dice);
  note("plan", plan);
  try {
    let source: World | undefined;
    while (mine.steps < steps) {
      const trouble = dice.between(...plan.troubleSteps);
      const world: World = new World({ dice, plan, plant, totals: mine, note, source });
      world.run(Math.min(trouble, steps - mine.steps));
      // Another session of the two takes what one of those before it left.
      const sources = [world, source].filter((one) => one?.isSource);
      source = dice.chance(0.2) ? undefined : sources[dice.below(sources.length)];
      if (source === undefined && dice.chance(0.2)) outlive(world);
    }
  } catch (error) {
    const step = mine.steps;
    if (error instanceof Violation) return { seed, step, invariant: error.invariant, detail: error.message };
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { seed, step, invariant: "the core does not throw", detail };
  } finally {
    addTotals(totals, mine);
    useLimits(shippedLimits);
  }
  return undefined;
}

/** The last things that happened before a seed failed, a line each. Runs it once more. */
export function traceSeed(seed: number, steps: number, plant?: Plant): string[] {
  const lines: string[] = [];
  runSeed(seed, steps, noTotals(), plant, (what, about) => {
    lines.push(about === undefined ? what : `${what} ${JSON.stringify(about)?.slice(0, 400)}`);
    if (lines.length > traceLines) lines.splice(1, lines.length - traceLines);
  });
  return lines;
}

export interface Caught {
  plant: string;
  /** How many seeds it took, or undefined: the oracle missed it. */
  seeds: number | undefined;
  invariant: string | undefined;
}

/** Runs each planted bug over seeds until the oracle complains, at most `seedsMax` of them. */
export function huntPlants(plants: readonly Plant[], first: number, seedsMax: number, steps: number): Caught[] {
  return plants.map((plant) => {
    for (let i = 0; i < seedsMax; i++) {
      const failed = runSeed(first + i, steps, noTotals(), plant);
      if (failed !== undefined) return { plant: plant.name, seeds: i + 1, invariant: failed.invariant };
    }
    return { plant: plant.name, seeds: undefined, invariant: undefined };
  });
}
