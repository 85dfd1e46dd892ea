// Numbers from flags, with a sentence when they are none.
import { Failure } from "../../scripts/failure.ts";

/** @throws Failure for what is no number, or less than `min` */
export function numberOf(flag: string, text: string, min: number): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= min) return value;
  throw new Failure(`${flag} takes a number from ${min}, not "${text}".`);
}

export function wholeOf(flag: string, text: string, min = 0): number {
  const value = numberOf(flag, text, min);
  if (Number.isInteger(value)) return value;
  throw new Failure(`${flag} takes a whole number, not "${text}".`);
}
