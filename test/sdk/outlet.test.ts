// How lines become frames, on a clock of the test's: one frame for each turn, and fewer when the broker finds them too many.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import type { Connection } from "../../sdk/typescript/src/connection.ts";
import { Outlet } from "../../sdk/typescript/src/outlet.ts";

let frames: string[];
let outlet: Outlet;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "performance"] });
  frames = [];
  const connection: Pick<Connection, "isOpen" | "send"> = { isOpen: true, send: (sent) => void frames.push(...sent) };
  outlet = new Outlet(() => connection as Connection);
});
afterEach(() => {
  outlet.stop();
  vi.useRealTimers();
});

/** A line each millisecond. */
function talk(forMs: number): number {
  frames = [];
  for (let ms = 0; ms < forMs; ms++) {
    outlet.line(`line ${ms}`);
    vi.advanceTimersByTime(1);
  }
  vi.advanceTimersByTime(10);
  expect(frames.flatMap((frame) => frame.split("\n"))).toHaveLength(forMs);
  return frames.length;
}

test("[C7] told that frames come too fast, it lets them wait for company, for a while, and loses none", () => {
  expect(talk(100)).toBe(100);
  outlet.slowDown();
  expect(talk(100)).toBeLessThanOrEqual(21);
  vi.advanceTimersByTime(limits.rateWarningsWithinMs);
  expect(talk(100)).toBe(100);
});
