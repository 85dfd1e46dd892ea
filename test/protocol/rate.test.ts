// The token bucket of a connection, in virtual time.
import { expect, it } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import { FrameRate, LookupRate, type RateVerdict } from "../../protocol/wire/rate.ts";

const { framesBurst, framesPerSecond, rateWarningEveryMs, rateWarningsMax, rateWarningsWithinMs } = limits;

/** The verdicts of so many frames at one time, those that are not "take". */
const heard = (rate: FrameRate, frames: number, now: number): RateVerdict[] =>
  Array.from({ length: frames }, () => rate.frame(now)).filter((verdict) => verdict !== "take");

it("[L23] a burst after a quiet time, and a steady stream at the limit, say nothing", () => {
  const rate = new FrameRate(0);
  expect(heard(rate, framesBurst, 0)).toEqual([]);
  for (let second = 1; second <= 60; second++) expect(heard(rate, framesPerSecond, second * 1000)).toEqual([]);
  expect(heard(rate, framesBurst, 600_000)).toEqual([]);
  expect(heard(rate, 1, 600_000)).toEqual(["warn"]);
});

it("[L23] warnings come once a second, and the one after the last is the close", () => {
  const rate = new FrameRate(0);
  const said: RateVerdict[] = heard(rate, 3 * framesBurst, 0);
  for (let i = 1; i <= rateWarningsMax; i++) {
    expect(heard(rate, framesPerSecond / 2 + 1, i * rateWarningEveryMs - rateWarningEveryMs / 2)).toEqual([]);
    said.push(...heard(rate, framesPerSecond, i * rateWarningEveryMs).slice(0, 1));
  }
  expect(said).toEqual([...Array(rateWarningsMax).fill("warn"), "close"]);
});

it("[L23] who slows down after a warning starts anew when it has been forgotten", () => {
  const rate = new FrameRate(0);
  for (let i = 0; i < 10; i++) {
    const now = i * rateWarningsWithinMs;
    expect(heard(rate, framesBurst + 1, now)).toEqual(["warn"]);
  }
});

it("[L23] a clock that goes back gives no frames and takes none", () => {
  const rate = new FrameRate(10_000);
  expect(heard(rate, framesBurst, 0)).toEqual([]);
  expect(heard(rate, 1, 0)).toEqual(["warn"]);
});

it("[L29] lookups: a burst, then so many a second", () => {
  const rate = new LookupRate(0);
  const admitted = (asked: number, now: number) =>
    Array.from({ length: asked }, () => rate.admits(now)).filter(Boolean).length;
  expect(admitted(limits.lookupsBurst + 5, 0)).toBe(limits.lookupsBurst);
  expect(admitted(limits.lookupsPerSecond * 2, 1000)).toBe(limits.lookupsPerSecond);
  expect(admitted(1, 1000)).toBe(0);
});
