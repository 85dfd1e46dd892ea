// The small pure tables: states of a session, timers, limits, names.
import { describe, expect, it } from "vitest";
import { afterStep, isEnded, isLive, type SessionStep } from "../../protocol/session/states.ts";
import { dueTimers, nextDeadline } from "../../protocol/session/timers.ts";
import { sessionStates } from "../../protocol/wire/envelope.ts";
import { closeCodes, isFinalClose } from "../../protocol/wire/errors.ts";
import { Uuid, uuidv7 } from "../../protocol/wire/ids.ts";
import { assertLimits, limits } from "../../protocol/wire/limits.ts";

describe("states", () => {
  it("[N5] lead on as the table says, and no other way", () => {
    const steps: SessionStep[] = ["accept", "reject", "close", "drained", "expire"];
    const table = sessionStates.map((state) =>
      [state, ...steps.map((step) => afterStep(state, step) ?? "-")].join(" "),
    );
    expect(table).toEqual([
      "pending active rejected - - expired",
      "active - - closing - expired",
      "closing - - - closed expired",
      "closed - - - - -",
      "rejected - - - - -",
      "expired - - - - -",
    ]);
    expect(sessionStates.filter(isLive)).toEqual(["active", "closing"]);
    expect(sessionStates.filter(isEnded)).toEqual(["closed", "rejected", "expired"]);
  });
});

describe("timers", () => {
  it("[N5] the next deadline is the least, and those that are due come in the order of their names", () => {
    expect(nextDeadline({})).toBeUndefined();
    expect(nextDeadline({ idle: 30, index: 20 })).toBe(20);
    expect(nextDeadline({ offer: 0, idle: 30 })).toBe(0);
    expect(dueTimers({ index: 5, offer: 20, idle: 10 }, 10)).toEqual(["idle", "index"]);
    expect(dueTimers({ index: 5, offer: 10, idle: 10 }, 10)).toEqual(["offer", "idle", "index"]);
    expect(dueTimers({ idle: 11 }, 10)).toEqual([]);
  });
});

describe("limits", () => {
  it("[L1, L2, L5] that contradict each other never reach a deploy", () => {
    expect(() => assertLimits()).not.toThrow();
    const wrong: [Partial<Record<keyof typeof limits, number>>, string][] = [
      [{ envelopeBytesMax: limits.frameBytesMax + 1 }, "an envelope must fit a frame"],
      [{ frameBytesMax: 600 * 1024 }, "half of what workerd"],
      [{ windowMessages: 800, outboxMessagesMax: 800 }, "must never be overwritten"],
      [{ openTasksMax: 192 }, "two frames of the broker's own"],
      [{ deadlineGraceMs: limits.cancelGraceMs }, "more patient than a deadline"],
      [{ windowBytes: 1 }, "one frame must fit the window"],
      [{ ringBytesMax: 1 }, "one window of history"],
      [{ cursorLagMessagesMax: 129, ringRowsMax: 2048 }, "most of the window"],
      [{ cursorLagBytesMax: limits.windowBytes }, "most of the window"],
      [{ pauseAtShare: 0.2 }, "PAUSE comes above RESUME"],
      [{ pauseAtShare: 1 }, "PAUSE comes above RESUME"],
      [{ heartbeatTimeoutMs: 40_000 }, "one lost heartbeat"],
      [{ outboxMessagesMax: 1 }, "a client can keep what it may send"],
    ];
    for (const [change, message] of wrong)
      expect(() => assertLimits({ ...limits, ...change }), message).toThrow(message);
  });
});

describe("close codes", () => {
  it("[C5] below 4500 are final, and no others", () => {
    const final = Object.entries(closeCodes).filter(([, code]) => isFinalClose(code));
    expect(final.map(([name]) => name)).toEqual([
      "protocol",
      "certificate_expired",
      "revoked",
      "superseded",
      "too_large",
    ]);
    for (const code of [1000, 1001, 1006, 3999, 4500, 4999, 5000]) expect(isFinalClose(code)).toBe(false);
    for (const code of [4000, 4499]) expect(isFinalClose(code)).toBe(true);
  });
});

describe("uuidv7", () => {
  const dice = Uint8Array.from({ length: 14 }, (_, i) => 0xf0 + i);

  it("[E2] has time, version, variant and dice where RFC 9562 wants them", () => {
    // The time of the RFC's own example (appendix A.6).
    expect(uuidv7(0x017f22e279b0, dice)).toBe("017f22e2-79b0-70f1-b2f3-f4f5f6f7f8f9");
    expect(uuidv7(0x017f22e279b0, dice, 4)).toBe("017f22e2-79b0-74f5-b6f7-f8f9fafbfcfd");
    for (const now of [0, 1, 0xffff, 0x10000, 2 ** 32, 2 ** 48 - 1]) {
      const uuid = uuidv7(now, dice);
      expect(Uuid.safeParse(uuid).success).toBe(true);
      expect(Number.parseInt(uuid.slice(0, 13).replace("-", ""), 16)).toBe(now);
    }
  });

  it("[E2] sorts by time", () => {
    const times = [1, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 40];
    const ids = times.map((now) => uuidv7(now, dice));
    expect([...ids].sort()).toEqual(ids);
  });
});
