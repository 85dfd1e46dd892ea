// The SDK's small parts by themselves: waits, queues, channels, receipts, the inbox, content.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ClientSession } from "../../protocol/session/client.ts";
import { encodeWork, utf8Length } from "../../protocol/wire/codec.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { backoffMs } from "../../sdk/typescript/src/backoff.ts";
import { Channel } from "../../sdk/typescript/src/channel.ts";
import { jsonOf } from "../../sdk/typescript/src/content.ts";
import { Fifo } from "../../sdk/typescript/src/fifo.ts";
import { Inbox } from "../../sdk/typescript/src/inbox.ts";
import { mint } from "../../sdk/typescript/src/mint.ts";
import { Stall } from "../../sdk/typescript/src/pulse.ts";
import { Receipts, Sent } from "../../sdk/typescript/src/receipts.ts";
import { Requests } from "../../sdk/typescript/src/requests.ts";
import { next, reasonOf } from "./fixtures.ts";

describe("backoff", () => {
  const bounds = { baseMs: 100, maxMs: 30_000 };
  test("doubles up to its maximum, with full jitter", () => {
    const most = (attempt: number) => backoffMs(bounds, attempt, 1 - Number.EPSILON);
    expect([0, 1, 2, 3, 8, 9, 5000].map(most)).toEqual([99, 199, 399, 799, 25_599, 29_999, 29_999]);
    expect(backoffMs(bounds, 7, 0)).toBe(0);
  });
  test("is never beyond its bounds", () => {
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, random) => {
        const ms = backoffMs(bounds, attempt, random);
        return Number.isInteger(ms) && ms >= 0 && ms < bounds.maxMs;
      }),
    );
  });
});

test("a queue behaves as an array does", () => {
  const commands = fc.array(fc.oneof(fc.record({ push: fc.nat() }), fc.constant("shift" as const)), {
    maxLength: 5000,
  });
  fc.assert(
    fc.property(commands, (steps) => {
      const [fifo, model]: [Fifo<number>, number[]] = [new Fifo(), []];
      for (const step of steps) {
        if (step === "shift") {
          if (fifo.shift() !== model.shift()) return false;
        } else {
          fifo.push(step.push);
          model.push(step.push);
        }
        if (fifo.size !== model.length || fifo.peek() !== model[0]) return false;
      }
      return [...fifo].join() === model.join();
    }),
    { numRuns: 20 },
  );
});

describe("a channel", () => {
  test("gives values in order, says what was taken, and ends after what is queued", async () => {
    const taken: number[] = [];
    const channel = new Channel<number>((value) => taken.push(value) > 0);
    const reader = channel[Symbol.asyncIterator]();
    const first = next(reader);
    for (const value of [1, 2, 3]) channel.push(value);
    expect([await first, taken]).toEqual([1, [1]]);
    channel.end();
    channel.push(4);
    expect([await next(reader), await next(reader), taken]).toEqual([2, 3, [1, 2, 3]]);
    expect((await reader.next()).done).toBe(true);
  });
  test("fails its readers after what is queued", async () => {
    const channel = new Channel<number>();
    const [reader, waiting] = [channel[Symbol.asyncIterator](), channel[Symbol.asyncIterator]().next()];
    channel.end(new Error("lost"));
    await expect(waiting).rejects.toThrow("lost");
    await expect(reader.next()).rejects.toThrow("lost");
  });
  test("a reader that leaves takes nothing with it", async () => {
    const channel = new Channel<number>();
    const [gone, stays] = [channel[Symbol.asyncIterator](), channel[Symbol.asyncIterator]()];
    const left = gone.next();
    expect(channel.readers).toBe(2);
    await gone.return?.();
    channel.push(1);
    expect([(await left).done, await next(stays), channel.readers]).toEqual([true, 1, 1]);
  });
  test("that is unwanted gives to the readers that are there, and takes the rest for nobody when the last has left", async () => {
    const taken: number[] = [];
    const channel = new Channel<number>((value) => taken.push(value) > 0);
    const [first, second] = [channel[Symbol.asyncIterator](), channel[Symbol.asyncIterator]()];
    for (const value of [1, 2, 3, 4]) channel.push(value);
    channel.unwanted();
    expect(await next(first)).toBe(1);
    await first.return?.();
    expect([await next(second), taken]).toEqual([2, [1, 2]]);
    channel.end();
    await second.return?.();
    expect([taken, channel.size]).toEqual([[1, 2, 3, 4], 0]);
  });
  test("that is unwanted takes what comes later for nobody, too, where nobody reads", () => {
    const taken: number[] = [];
    const channel = new Channel<number>((value) => taken.push(value) > 0);
    channel.push(1);
    channel.unwanted();
    channel.push(2);
    expect([taken, channel.size]).toEqual([[1, 2], 0]);
  });
  test("with a bound it keeps the newest", async () => {
    const channel = new Channel<number>(undefined, 2);
    for (const value of [1, 2, 3]) channel.push(value);
    expect([channel.size, await next(channel[Symbol.asyncIterator]())]).toEqual([2, 2]);
  });
});

describe("receipts", () => {
  test("are settled in order by cumulative numbers", async () => {
    const receipts = new Receipts();
    const [a, b, c] = [1, 2, 4].map((seq) => receipts.add(mint(), seq));
    receipts.settle(2, 1);
    expect([await a?.stored, await b?.stored]).toEqual([a, b]);
    await a?.delivered;
    receipts.settle(4, 4);
    expect(await c?.stored).toBe(c);
    await Promise.all([b?.delivered, c?.delivered]);
  });
  test("that never come reject, asked for before or after", async () => {
    const receipts = new Receipts();
    const [a, b] = [receipts.add(mint(), 1), receipts.add(mint(), 2)];
    const early = a.delivered;
    receipts.settle(1, 0);
    receipts.fail(new Error("over"));
    await a.stored;
    for (const lost of [early, a.delivered, b.stored, b.delivered]) await expect(lost).rejects.toThrow("over");
  });
});

test("the inbox takes a number only when everything before it is taken", () => {
  const taken: number[] = [];
  const inbox = new Inbox((seq) => taken.push(seq));
  const [a, b, c] = [1, 2, 3].map((seq) => inbox.arrived({ seq, taken: false }));
  for (const slot of [b, c, a, a]) if (slot) inbox.done(slot);
  expect(taken).toEqual([3]);
  inbox.done(inbox.arrived({ seq: 4, taken: false }));
  expect(taken).toEqual([3, 4]);
});

test("a stall is the same wait for too long, and is said once in that time", () => {
  const stall = new Stall();
  const at = (mark: string | undefined, ms: number) => stall.isStalled(mark, ms, 30);
  expect([at("1", 0), at("1", 29), at("2", 31), at("2", 60), at("2", 61), at("2", 62), at("2", 91)]).toEqual([
    false,
    false,
    false,
    false,
    true,
    false,
    true,
  ]);
  expect([at(undefined, 200), at("2", 201), at("2", 230)]).toEqual([false, false, false]);
});

describe("content", () => {
  test("is measured in bytes and levels, whatever is in its strings", async () => {
    const nested = (levels: number): unknown => (levels === 0 ? '][}{\\"[' : [nested(levels - 1)]);
    expect(JSON.parse(jsonOf(nested(limits.depthMax - 2)))).toEqual(nested(limits.depthMax - 2));
    expect(await reasonOf(Promise.resolve().then(() => jsonOf(nested(limits.depthMax - 1))))).toBe("too_deep");
    expect(await reasonOf(Promise.resolve().then(() => jsonOf(() => 1)))).toBe("invalid_argument");
    const circular: unknown[] = [];
    circular.push(circular);
    expect(await reasonOf(Promise.resolve().then(() => jsonOf(circular)))).toBe("invalid_argument");
  });
  test("leaves room for the longest head that its envelope may get", () => {
    const isLetThrough = (text: string) => {
      try {
        return jsonOf(text) !== "";
      } catch {
        return false;
      }
    };
    let largest = "x".repeat(limits.envelopeBytesMax);
    while (!isLetThrough(largest)) largest = largest.slice(1);
    const capability = "c".repeat(128);
    const head = { id: mint(), session_id: mint(), seq: Number.MAX_SAFE_INTEGER };
    const lines = ClientSession.offer(mint(), "a".repeat(64), largest, mint, {
      capability,
      ttl_ms: limits.offerTtlMsMax,
    }).lines();
    const requests = new Requests((type, data) => {
      lines.push(encodeWork({ type, ...head }, data));
      return new Sent(head.id, head.seq);
    }, mint);
    requests.ask(capability, largest, { deadlineMs: limits.deadlineMsMax }, 0);
    expect(lines.map((line) => utf8Length(line) <= limits.envelopeBytesMax)).toEqual([true, true]);
  });
});
