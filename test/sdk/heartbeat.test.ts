// When the client says HEARTBEAT and when it gives up, on a clock of the test's.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import { Heartbeat } from "../../sdk/typescript/src/heartbeat.ts";

const { heartbeatIntervalMs, heartbeatTimeoutMs } = limits;
const startMs = 1_000;
let said: string[];
let heartbeat: Heartbeat;

const now = () => performance.now() - startMs;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  vi.advanceTimersByTime(startMs - performance.now());
  said = [];
  heartbeat = new Heartbeat(limits, {
    beat: () => said.push(`beat ${now()}`),
    giveUp: () => said.push(`gone ${now()}`),
  });
  heartbeat.start();
});
afterEach(() => {
  heartbeat.stop();
  vi.useRealTimers();
});

/** Something happens every `everyMs`, until `untilMs`. */
function every(everyMs: number, untilMs: number, happens: () => void): void {
  while (now() + everyMs <= untilMs) {
    vi.advanceTimersByTime(everyMs);
    happens();
  }
}

test("[H2] who hears all the time and says nothing says HEARTBEAT after each interval all the same", () => {
  every(1_000, 3 * heartbeatIntervalMs, () => heartbeat.heard());
  expect(said).toEqual([1, 2, 3].map((n) => `beat ${n * heartbeatIntervalMs}`));
});

test("[H2] who sends and is answered says no HEARTBEAT", () => {
  every(heartbeatIntervalMs / 2, 10 * heartbeatIntervalMs, () => {
    heartbeat.sent();
    heartbeat.heard();
  });
  expect(said).toEqual([]);
});

test("[H2, L14] who sends and hears nothing asks once, and gives up after the timeout", () => {
  every(1_000, heartbeatTimeoutMs - 1_000, () => heartbeat.sent());
  expect(said).toEqual([`beat ${heartbeatIntervalMs}`]);
  every(1_000, 2 * heartbeatTimeoutMs, () => heartbeat.sent());
  expect(said).toEqual([`beat ${heartbeatIntervalMs}`, `gone ${heartbeatTimeoutMs}`]);
});

test("[H2, L14] in a silence it asks at each interval, and gives up once", () => {
  vi.advanceTimersByTime(5 * heartbeatTimeoutMs);
  const beats = [1, 2].map((n) => `beat ${n * heartbeatIntervalMs}`);
  expect(said).toEqual([...beats, `gone ${heartbeatTimeoutMs}`]);
});

test("[H2] stopped it says nothing more", () => {
  heartbeat.stop();
  vi.advanceTimersByTime(5 * heartbeatTimeoutMs);
  expect(said).toEqual([]);
});
