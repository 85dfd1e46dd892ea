// What a message costs, by the runtime's own counters: rows written (the bill), alarms (each a row), queries to D1 (none).
import { describe, expect, it } from "vitest";
import { limits } from "../../../protocol/wire/limits.ts";
import { Agent, everyWay, plain, plainDirect, type Way, ways } from "./agents.ts";
import { type Counts, counting } from "./counters.ts";
import { Duo } from "./duo.ts";

const messages = 512;

/** Costs per message of `messages` in frames of that many, each frame acknowledged by its receiver before the next. */
async function costOf(way: Way, perFrame: number): Promise<Counts> {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  await duo.indexed("active");
  using counter = await counting(duo.object);
  for (let last = perFrame; last <= messages; last += perFrame) {
    await a.say(...duo.messages(last - perFrame + 1, last));
    await b.socket.contents(perFrame);
    await b.say(duo.ack(last));
    await a.socket.next("MESSAGE_ACK", ({ ack, data }) => ack === last && data?.delivered === last);
  }
  const { rows, alarms, queries } = counter.counts;
  return { rows: rows / messages, alarms: alarms / messages, queries: queries / messages };
}

it.each([plain, plainDirect])(
  "a row for each frame and hardly more, no D1 at all ($name)",
  async (way) => {
    const one = await costOf(way, 1);
    expect(one.rows + one.alarms).toBeLessThanOrEqual(1.1);
    // It counts: without rows nothing would be stored.
    expect(one.rows).toBeGreaterThanOrEqual(1);
    expect(one.queries).toBe(0);
    const sixteen = await costOf(way, 16);
    expect(sixteen.rows + sixteen.alarms).toBeLessThanOrEqual(0.15);
    expect(sixteen.rows).toBeGreaterThanOrEqual(1 / 16);
    expect(sixteen.queries).toBe(0);
  },
  60_000,
);

everyWay(
  "memory that is lost before every frame costs no rows and no query",
  async (way) => {
    const cost = await costOf(way, 16);
    expect(cost.rows + cost.alarms).toBeLessThanOrEqual(0.15);
    expect(cost.queries).toBe(0);
  },
  ways.filter(({ evicts }) => evicts),
);

describe("a ring that is full costs no more than one that is new: a row is written over another, none is deleted", () => {
  /** Costs per message, each in a frame of its own, once so many were stored and delivered. */
  async function costAfter(duo: Duo, before: number, measured: number, content: string, together: number) {
    const { a, b } = duo;
    let seq = 0;
    const lap = async (frames: number) => {
      for (const last = seq + frames; seq < last; ) {
        const upTo = Math.min(last, seq + together);
        while (seq < upTo) a.socket.say(duo.message(++seq, content));
        await a.socket.next("MESSAGE_ACK", ({ ack }) => ack === seq);
        b.socket.say(duo.ack(seq));
        await a.socket.next("MESSAGE_ACK", ({ data }) => data?.delivered === seq);
      }
    };
    await lap(before);
    using counter = await counting(duo.object);
    await lap(measured);
    return (counter.counts.rows + counter.counts.alarms) / measured;
  }

  it("full of rows", async () => {
    const duo = await Duo.open(plainDirect);
    expect(await costAfter(duo, limits.ringRowsMax, messages, "x", 128)).toBeLessThanOrEqual(1.1);
    expect(await duo.ringRows()).toBe(limits.ringRowsMax);
  });

  it("full of bytes", async () => {
    const duo = await Duo.open(plainDirect);
    const large = "x".repeat(200 * 1024);
    const full = Math.ceil(limits.ringBytesMax / large.length);
    expect(await costAfter(duo, full, 32, large, 1)).toBeLessThanOrEqual(1.1);
    expect(await duo.ringRows()).toBeLessThanOrEqual(full);
  });
});

it("tasks cost two rows more than messages, not more", async () => {
  const duo = await Duo.open(plain);
  const { a, b } = duo;
  await duo.indexed("active");
  using counter = await counting(duo.object);
  const tasks = 64;
  for (let seq = 1; seq <= tasks; seq++) {
    const task = crypto.randomUUID();
    await a.say(duo.task("REQUEST", seq, task), duo.ack(seq - 1));
    await b.socket.next("TASK_REQUEST");
    await b.say(duo.task("RESPONSE", seq, task, { status: "succeeded" }), duo.ack(seq));
    await a.socket.next("TASK_RESPONSE");
  }
  const { rows, alarms, queries } = counter.counts;
  // Two frames, and the state of the task twice.
  expect((rows + alarms) / tasks).toBeLessThanOrEqual(4.2);
  expect(queries).toBe(0);
});

it("connecting, opening and closing are what costs queries: the counter sees them, and they are few", async () => {
  const lender = await Duo.open(plain);
  using counter = await counting(lender.object);
  const { counts } = counter;
  const a = await Agent.registered(plain, "planner");
  const b = await Agent.registered(plain, "analyst");
  // Enrolling is the test's; the identity and its confirmation are the broker's: two each.
  expect(counts.queries).toBeGreaterThanOrEqual(4);

  const duo = new Duo(a, b);
  const before = { ...counts };
  await duo.begin();
  await duo.indexed("active");
  const opened = { queries: counts.queries - before.queries - 1, alarms: counts.alarms - before.alarms };
  // The policy, one state in the index (and the test's own look at it); the alarm of the offer, then those of the session.
  expect(opened.queries).toBe(2);
  expect(opened.alarms).toBeGreaterThanOrEqual(2);
  expect(opened.alarms).toBeLessThanOrEqual(4);
});

everyWay("a reconnect costs a few rows, whatever was sent before", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  await a.say(...duo.messages(1, 100));
  await b.socket.contents(100);
  await duo.indexed("active");
  using counter = await counting(duo.object);
  await duo.comeBack(b, 50, 1);
  await b.socket.contents(50);
  expect(counter.counts.rows + counter.counts.alarms).toBeLessThanOrEqual(5);
});
