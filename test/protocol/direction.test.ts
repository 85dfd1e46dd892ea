// One direction of a session at the broker: grants, receipts in the sender's numbers, pressure, and all that after a restart.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Direction } from "../../protocol/session/direction.ts";
import type { RowMeta } from "../../protocol/session/effects.ts";
import { limits } from "../../protocol/wire/limits.ts";

/** A direction that took one frame of so many envelopes from its sender. */
function take(direction: Direction, count: number, bytes = count * 10): RowMeta {
  direction.received.last += count;
  return direction.append(count, direction.received.last, bytes, false).span;
}

/** It accepted an envelope and passed nothing on. */
function keep(direction: Direction): RowMeta {
  direction.received.last++;
  return direction.append(0, direction.received.last, 0, false).span;
}

const own = (direction: Direction): RowMeta => direction.append(1, direction.received.last, 10, true).span;

describe("a direction", () => {
  it("[W1, L5] grants what was accepted plus what is left of the window, and never takes it back", () => {
    const direction = new Direction();
    expect(direction.grant()).toBe(512);
    take(direction, 500);
    expect(direction.grant()).toBe(512);
    direction.acknowledge(100);
    expect(direction.grant()).toBe(612);
    own(direction);
    expect(direction.grant()).toBe(612);
    direction.acknowledge(direction.out.next - 1);
    expect(direction.grant()).toBe(1012);
  });

  it("[W1, L6] grants nothing new while as many bytes wait as the window has", () => {
    const direction = new Direction();
    direction.grant();
    take(direction, 10, limits.windowBytes - 1);
    expect(direction.grant()).toBe(512);
    direction.acknowledge(5);
    expect(direction.grant()).toBe(515 + 2);
    take(direction, 1, 1);
    expect(direction.grant()).toBe(517);
    direction.acknowledge(10);
    expect(direction.grant()).toBe(11 + 511);
  });

  it("[W2] an envelope that is kept takes part of the window while something before it waits", () => {
    const direction = new Direction();
    take(direction, 1);
    for (let i = 0; i < 100; i++) keep(direction);
    expect(direction.grant()).toBe(512);
    direction.acknowledge(1);
    expect(direction.grant()).toBe(101 + 512);
    for (let i = 0; i < 100; i++) keep(direction);
    expect(direction.grant()).toBe(201 + 512);
  });

  it("[S7] says receipts in the sender's numbers: within a row, across kept envelopes and the broker's own", () => {
    const direction = new Direction();
    take(direction, 3); // theirs 1–3, towards the receiver 1–3
    keep(direction); // 4
    keep(direction); // 5
    own(direction); // towards the receiver 4
    take(direction, 2); // 6–7, towards the receiver 5–6
    const delivered = (ack: number) => {
      direction.acknowledge(ack);
      return direction.delivered;
    };
    expect([1, 2, 3, 4, 5, 6].map(delivered)).toEqual([1, 2, 5, 5, 6, 7]);
    keep(direction);
    expect(direction.delivered).toBe(8);
    expect(direction.acknowledge(2)).toBe(false);
    expect(direction.delivered).toBe(8);
  });

  it("[W5, L7] PAUSE at three quarters, RESUME at one, nothing in between", () => {
    const direction = new Direction();
    const pressures: string[] = [];
    const note = () => pressures.push(`${direction.out.waiting} ${direction.pressure()}`);
    for (const count of [383, 1, 50]) {
      take(direction, count, 0);
      note();
    }
    for (const ack of [200, 305, 306, 320]) {
      direction.acknowledge(ack);
      note();
    }
    expect(pressures).toEqual([
      "383 undefined",
      "384 PAUSE",
      "434 undefined",
      "234 undefined",
      "129 undefined",
      "128 RESUME",
      "114 undefined",
    ]);
  });

  it("[W5, L7] bytes count as messages do", () => {
    const direction = new Direction();
    take(direction, 1, limits.windowBytes * limits.pauseAtShare);
    expect(direction.pressure()).toBe("PAUSE");
    direction.acknowledge(1);
    expect(direction.pressure()).toBe("RESUME");
  });

  it("[T3] counts the broker's own frames that wait, restored ones included", () => {
    const direction = new Direction();
    const rows = [take(direction, 1)];
    for (let i = 0; i < limits.brokerRowsMax; i++) rows.push(own(direction));
    expect(direction.ownWaiting).toBe(limits.brokerRowsMax);
    const again = new Direction();
    again.restore(rows, 0, 512, 0);
    expect(again.ownWaiting).toBe(limits.brokerRowsMax);
    again.acknowledge(2);
    expect(again.ownWaiting).toBe(limits.brokerRowsMax - 1);
  });

  it("knows the broker's own frames after a restart where nothing came before them", () => {
    const direction = new Direction();
    const rows = [own(direction), own(direction), take(direction, 1)];
    const again = new Direction();
    again.restore(rows, 0, 512, 0);
    expect(again.ownWaiting).toBe(2);
    again.acknowledge(2);
    expect([again.ownWaiting, again.delivered]).toEqual([0, 0]);
    again.acknowledge(3);
    expect(again.delivered).toBe(1);
  });

  it("[S6, W4] stands after a restart as it stood, but for a slack of at most 64", () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("take" as const), count: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ do: fc.constantFrom("keep" as const, "own" as const), count: fc.constant(1) }),
      fc.record({ do: fc.constant("ack" as const), count: fc.integer({ min: 1, max: 60 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const direction = new Direction();
        const rows: RowMeta[] = [];
        for (const { do: what, count } of steps) {
          direction.grant();
          const room = direction.granted - direction.received.last;
          if (what === "ack") direction.acknowledge(Math.min(direction.out.acked + count, direction.out.next - 1));
          else if (what === "own") rows.push(own(direction));
          else if (room >= count) rows.push(what === "take" ? take(direction, count) : keep(direction));
        }
        const { acked, sent } = direction.out;
        const again = new Direction();
        again.restore(rows, acked, direction.granted, sent);
        const facts = (d: Direction) => [
          d.received.last,
          d.out.next,
          d.out.acked,
          d.out.sent,
          d.out.waiting,
          d.delivered,
          d.grant(),
        ];
        expect(facts(again)).toEqual(facts(direction));
        expect(again.slack).toBeLessThanOrEqual(limits.cursorLagMessagesMax);
        const mayStore = again.granted + again.slack - again.received.last + again.out.waiting;
        expect(mayStore).toBeLessThanOrEqual(
          limits.windowMessages + limits.cursorLagMessagesMax + limits.brokerRowsMax,
        );
      }),
    );
  });

  it("[S7] a restart from the rows that are left does not take a receipt back", () => {
    const direction = new Direction();
    const rows = Array.from({ length: 9 }, () => take(direction, 2));
    direction.acknowledge(16);
    const again = new Direction();
    again.restore(rows.slice(8), 16, 512, 16);
    expect(again.delivered).toBe(16);
  });
});
