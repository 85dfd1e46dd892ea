// Vectors out of the simulator: sessions under faults drawn from seeds, of which those are kept that show what none before showed.
// What a session shows are the kinds of its steps in pairs, so an interleaving that is rare enough comes in once.
import { limits } from "../../protocol/wire/limits.ts";
import { Dice } from "../simulation/dice.ts";
import { drawPlan, type Limits, type Plan, shippedLimits, useLimits } from "../simulation/plan.ts";
import { noTotals } from "../simulation/totals.ts";
import { World } from "../simulation/world.ts";
import { replay } from "./half.ts";
import { type Recording, RecordingHalves } from "./recording.ts";
import type { SessionCase, Step } from "./session-steps.ts";

/** Steps of trouble in a session. */
const troubleSteps = 400;
/** A longer one is cut there. */
const caseSteps = 400;

/** Small worlds, in which windows fill within a few steps; but what the client half itself obeys is as it is shipped. */
function useClientLimits(): void {
  const { frameEnvelopesMax, frameBytesMax, receiptMessagesMax } = shippedLimits;
  Object.assign(limits as Limits, { frameEnvelopesMax, frameBytesMax, receiptMessagesMax });
}

/** What kind of step it is: everything but the numbers. */
function kindOf(step: Step): string {
  switch (step.do) {
    case "receive": {
      const data = (step.envelope.data ?? {}) as Record<string, unknown>;
      const said = step.envelope.type === "ERROR" ? data.reason : data.outcome;
      return `${step.envelope.type} ${said ?? ""} ${step.events.map((event) => event.kind)}`;
    }
    case "lines": {
      const types = step.lines.map(({ type }) => type);
      return `lines ${step.receipts} ${types.filter((type, i) => type !== types[i - 1])} ${types.length > 1}`;
    }
    case "send":
      return `send ${step.type}`;
    case "facts": {
      const { state, backlog, paused, oldest_in_flight, owes_receipt } = step;
      return `facts ${state} ${backlog > 0} ${paused} ${oldest_in_flight !== null} ${owes_receipt}`;
    }
    default:
      return step.do;
  }
}

/** Each step with the two before it. */
function featuresOf(steps: readonly Step[]): string[] {
  const kinds = steps.map(kindOf);
  return kinds.map((kind, i) => `${kinds[i - 2] ?? ""} | ${kinds[i - 1] ?? ""} | ${kind}`);
}

function recordSeed(seed: number): Recording[] {
  const dice = new Dice(seed);
  const halves = new RecordingHalves();
  const drawn = drawPlan(dice);
  const plan = { ...drawn, bytesMax: Math.min(drawn.bytesMax, 40), journal: [false, false] } satisfies Plan;
  useClientLimits();
  try {
    new World({ dice, plan, plant: undefined, totals: noTotals(), note: () => {}, halves }).run(
      dice.between(50, troubleSteps),
    );
  } finally {
    useLimits(shippedLimits);
  }
  return halves.recordings;
}

/** Whether a half does the same with the limits as they are shipped: with a small window it forgets sooner what it received. */
function holdsAsShipped(written: Recording["written"]): boolean {
  const { idsLeft, steps } = replay({ name: "", rules: [], ...written });
  return idsLeft === 0 && JSON.stringify(steps) === JSON.stringify(written.steps);
}

/** The ids that a case asks for, when it ends with this step. */
function idsUsed(steps: readonly Step[], ids: readonly string[]): string[] {
  const text = JSON.stringify(steps.filter((step) => step.do === "lines"));
  return ids.filter((id, i) => i === 0 || text.includes(id));
}

/**
 * Runs seeds until nothing new comes out of so many, or they are all.
 * @returns cases in the form of sessions.json; the same for the same arguments
 */
export function harvest(first: number, seeds: number, newest: number): SessionCase[] {
  const shown = new Set<string>();
  const cases: SessionCase[] = [];
  for (let seed = first; seed < first + seeds; seed++) {
    for (const [side, { written }] of recordSeed(seed).entries()) {
      if (!holdsAsShipped(written)) continue;
      const steps = written.steps.slice(0, caseSteps);
      const features = featuresOf(steps);
      const fresh = features.map((feature) => !shown.has(feature));
      if (new Set(features.filter((_, i) => fresh[i])).size < newest) continue;
      for (const feature of features) shown.add(feature);
      const kept = steps.slice(0, fresh.lastIndexOf(true) + 1);
      const ids = idsUsed(kept, written.ids);
      cases.push({ name: `seed ${seed}, end ${side}`, rules: [], ids, start: written.start, steps: kept });
    }
  }
  return cases;
}
