// The two ends of a numbered stream, and which rows of a ring are kept.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Ring } from "../../protocol/session/ring.ts";
import { ReceiveStream, SendStream, type Span } from "../../protocol/session/streams.ts";
import { limits } from "../../protocol/wire/limits.ts";

function streamOf(...counts: number[]): SendStream<Span> {
  const stream = new SendStream<Span>();
  for (const count of counts) stream.append({ first: stream.next, last: stream.next + count - 1, bytes: 100 });
  return stream;
}

describe("the receiving end", () => {
  it("[S2, S3, S4] takes the next, knows a duplicate and a gap, and changes nothing by judging", () => {
    const stream = new ReceiveStream();
    expect([0, 1, 2, 1].map((seq) => stream.judge(seq))).toEqual(["duplicate", "next", "gap", "next"]);
    stream.last = 7;
    expect([1, 7, 8, 9].map((seq) => stream.judge(seq))).toEqual(["duplicate", "duplicate", "next", "gap"]);
  });
});

describe("the sending end", () => {
  it("[S1] gives out numbers without holes; a span that starts elsewhere is a bug", () => {
    const stream = streamOf(3, 0, 2);
    expect(stream.spans.map(({ first, last }) => [first, last])).toEqual([
      [1, 3],
      [4, 3],
      [4, 5],
    ]);
    expect([stream.next, stream.waiting, stream.bytes]).toEqual([6, 5, 300]);
    expect(() => stream.append({ first: 9, last: 9, bytes: 1 })).toThrow("span starts at 9, not at 6");
  });

  it("[S5] acknowledgements are cumulative; older and impossible ones change nothing", () => {
    const stream = streamOf(2, 2, 2);
    expect(stream.acknowledge(3).map((span) => span.last)).toEqual([2]);
    expect([stream.acked, stream.waiting, stream.bytes, stream.sent]).toEqual([3, 3, 200, 3]);
    for (const seq of [2, 0, 7, 100]) expect(stream.acknowledge(seq)).toEqual([]);
    expect(stream.acked).toBe(3);
    expect(stream.acknowledge(6).map((span) => span.last)).toEqual([4, 6]);
    expect([stream.waiting, stream.bytes]).toEqual([0, 0]);
  });

  it("[S8] after a rewind everything behind what was received is sendable again", () => {
    const stream = streamOf(2, 2, 2);
    stream.sent = 6;
    expect(stream.sendable(100, 1e6)).toEqual([]);
    stream.rewind(3);
    expect(stream.sendable(100, 1e6).map(({ first }) => first)).toEqual([3, 5]);
  });

  it("[W2] hands over whole spans within the window, and one that is larger than it when nothing is in flight", () => {
    const stream = streamOf(2, 2, 2);
    expect(stream.sendable(4, 1e6).length).toBe(2);
    expect(stream.sendable(100, 250).length).toBe(2);
    expect(stream.sendable(1, 1).length).toBe(1);
    stream.sent = 2;
    expect(stream.sendable(1, 1)).toEqual([]);
    stream.acknowledge(2);
    expect(stream.sendable(1, 1).map(({ first }) => first)).toEqual([3]);
  });
});

describe("the ring", () => {
  it("[W2] never forgets what is not acknowledged, and keeps at most so many rows and bytes beside it", () => {
    const size = fc.oneof(fc.nat(2000), fc.nat(500_000));
    const acknowledged = fc.oneof({ weight: 50, arbitrary: fc.nat(1) }, { weight: 1, arbitrary: fc.nat(900) });
    fc.assert(
      fc.property(fc.array(fc.tuple(size, acknowledged), { maxLength: 1500, size: "max" }), (steps) => {
        const ring = new Ring();
        const kept = new Map<number, { row: number; bytes: number }>();
        let firstWaiting = 0;
        for (const [bytes, acknowledged] of steps) {
          // At most 800 rows wait, as the limits promise (window, slack, the broker's own).
          firstWaiting = Math.min(ring.next, Math.max(firstWaiting + acknowledged, ring.next - 800));
          const { row, slot, forget } = ring.place(bytes, firstWaiting);
          kept.set(slot, { row, bytes });
          for (const old of forget) {
            expect(kept.get(old.slot)?.row).toBe(old.row);
            kept.delete(old.slot);
          }
          const rows = [...kept.values()];
          const waiting = rows.filter((one) => one.row >= firstWaiting).length;
          expect(waiting).toBe(row - firstWaiting + 1);
          expect(kept.size).toBeLessThanOrEqual(limits.ringRowsMax);
          expect(Math.max(...kept.keys())).toBeLessThan(limits.ringRowsMax);
          const history = rows.filter((one) => one.row < firstWaiting);
          const all = rows.reduce((sum, one) => sum + one.bytes, 0);
          expect(all <= limits.ringBytesMax || history.length === 0).toBe(true);
        }
      }),
      { numRuns: 15, endOnFailure: true },
    );
  });

  it("[S6] goes on where its rows say after a restart", () => {
    const ring = new Ring();
    ring.restore([
      { row: 5, slot: 3, bytes: limits.ringBytesMax - 10 },
      { row: 6, slot: 0, bytes: 5 },
    ]);
    // Slots that hold nothing come before those that never did.
    expect(ring.place(1, 7)).toEqual({ row: 7, slot: 2, forget: [] });
    expect(ring.place(1, 7)).toEqual({ row: 8, slot: 1, forget: [] });
    expect(ring.place(1, 7)).toEqual({ row: 9, slot: 4, forget: [] });
    // What is written over is not deleted; what has to make room beside it is.
    expect(ring.place(3, 7)).toEqual({ row: 10, slot: 3, forget: [] });
    expect(ring.place(limits.ringBytesMax - 1, 9)).toEqual({
      row: 11,
      slot: 0,
      forget: [
        { row: 7, slot: 2 },
        { row: 8, slot: 1 },
      ],
    });
  });
});
