// Throws cases at a target in chunks of their own seed, and says for each that fails how to see it again. Everything follows
// from one seed; a failing case is made as small as it goes, and counts once.
import fc from "fast-check";
import { allowedMs, inTime, messageOf } from "./oracle.ts";
import type { Target } from "./target.ts";

export interface Finding {
  message: string;
  /** What to give to the command to see it again: of which chunk, and where in it. */
  seed: number;
  path: string;
  /** The texts of the smallest case that fails. */
  texts: string[];
}

export interface Campaign {
  inputs: number;
  findings: Finding[];
}

const casesPerChunk = 200;
/** After so many findings there is enough to do. */
const findingsMax = 5;
/** Shrinking is cheap for what is fast; it never takes longer than this. */
const shrinkMsMax = 20_000;

/** Another chunk's seed: a different one for each pair. */
export const seedOf = (seed: number, chunk: number): number => (seed + Math.imul(chunk, 0x9e3779b1)) | 0;

/** @param hear is told after each chunk how many inputs there were */
export function campaign<Case>(
  target: Target<Case>,
  seed: number,
  inputs: number,
  hear: (sofar: number) => void = () => undefined,
): Campaign {
  const sum: Campaign = { inputs: 0, findings: [] };
  for (let chunk = 0; sum.inputs < inputs && sum.findings.length < findingsMax; chunk++) {
    const finding = runChunk(target, seedOf(seed, chunk), undefined, (ran) => {
      sum.inputs += ran;
      return sum.inputs < inputs;
    });
    if (finding !== undefined) sum.findings.push(finding);
    hear(sum.inputs);
  }
  return sum;
}

/**
 * One chunk, or with a path the one case it leads to.
 * @param count is told the inputs of each case; false: it was enough
 */
export function runChunk<Case>(
  target: Target<Case>,
  seed: number,
  path: string | undefined,
  count: (inputs: number) => boolean,
): Finding | undefined {
  let enough = false;
  let failed = false;
  let until = Number.POSITIVE_INFINITY;
  const property = fc.property(target.cases, (one) => {
    if (enough || performance.now() > until) return;
    try {
      const { inputs } = inTime(
        ({ inputs, chars }) => allowedMs(inputs, chars),
        () => target.run(one),
      );
      if (!failed) enough = !count(inputs);
    } catch (error) {
      if (!failed) until = performance.now() + shrinkMsMax;
      failed = true;
      throw error;
    }
  });
  const run = fc.check(property, { seed, numRuns: casesPerChunk, ...(path !== undefined && { path }) });
  if (!run.failed || run.counterexample === null) return undefined;
  return {
    message: messageOf(run.errorInstance),
    seed,
    path: run.counterexamplePath ?? "",
    texts: target.show(run.counterexample[0]),
  };
}
