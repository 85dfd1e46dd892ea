// Something to throw inputs at: what a case is, how it runs, and how it is shown to people. Types only.
import type fc from "fast-check";

export interface Ran {
  /** Frames that were given. */
  inputs: number;
  chars: number;
}

export interface Target<Case> {
  cases: fc.Arbitrary<Case>;
  /** Throws when anything undocumented happens. Running a case again does the same again. */
  run(one: Case): Ran;
  /** The texts of a case, in order. */
  show(one: Case): string[];
}
