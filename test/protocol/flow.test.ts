// Streams and flow control at the broker: sequence, receipts, windows, limits, pauses, as somebody else's client would meet them.
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import { memories, mint } from "./link.ts";
import { contents, deafen, errorsOf, last, Raw, said } from "./raw.ts";

describe.each(memories)("streams (evicting: $evicting)", (options) => {
  it("[S1, E7] what is passed on carries the receiver's seq, the sender's name, and nothing that was not agreed", () => {
    const link = Raw.accepted(options);
    const more = {
      timestamp: "2026-11-22T16:00:00Z",
      traceparent: "00-1-2-01",
      in_reply_to: mint(),
      ack: 0,
      to: "analyst",
    };
    link.say(
      link.a,
      link.of("TASK_CANCEL", { seq: 1, data: { task_id: mint() } }),
      link.of("MESSAGE", { seq: 2, data: { content: 1 }, ...more }),
    );
    const { ack: _, to: __, ...passed } = more;
    expect(last(link.b, "MESSAGE")).toEqual({
      type: "MESSAGE",
      id: expect.any(String),
      session_id: link.session_id,
      seq: 1,
      from: "planner",
      data: { content: 1 },
      ...passed,
    });
  });

  it("[S2, S3] the next is taken, a duplicate is dropped and acknowledged again", () => {
    const link = Raw.accepted(options);
    link.say(link.a, ...link.messages(1, 3));
    link.say(link.a, link.message(2, "again"), link.message(4));
    link.say(link.a, link.message(4, "again"));
    expect(contents(link.b)).toEqual([1, 2, 3, 4]);
    expect(said(link.a, "MESSAGE_ACK").map(({ ack }) => ack)).toEqual([3, 4, 4]);
    expect(errorsOf(link.a)).toEqual([]);
  });

  it("[S4] a gap is said once, with what is expected; nothing from it on is taken", () => {
    const link = Raw.accepted(options);
    link.say(link.a, link.message(1), link.message(3), link.message(4), link.message(2), link.message(3));
    expect(errorsOf(link.a)).toEqual(["sequence_gap"]);
    expect(last(link.a, "ERROR").data).toMatchObject({ expected: 2, retryable: true, processed: "no" });
    expect(contents(link.b)).toEqual([1]);
    link.say(link.a, link.message(2));
    expect(contents(link.b)).toEqual([1, 2]);
  });

  it("[S5, X2] an ack is cumulative; beyond what was sent it is refused, and its envelope counts", () => {
    const link = Raw.accepted(options);
    link.say(link.a, ...link.messages(1, 5));
    const bad = { ...link.message(1), ack: 6 };
    link.say(link.b, bad);
    expect(errorsOf(link.b)).toEqual(["ack_beyond"]);
    expect(last(link.b, "ERROR")).toMatchObject({
      session_id: link.session_id,
      in_reply_to: (bad as { id?: string }).id,
    });
    expect(contents(link.a)).toEqual([1]);
    link.say(link.b, link.ack(4));
    link.say(link.b, link.ack(2));
    expect(Math.max(...said(link.a, "MESSAGE_ACK").map(({ data }) => data?.delivered ?? 0))).toBe(4);
    link.say(link.b, link.ack(5));
    expect(last(link.a, "MESSAGE_ACK").data?.delivered).toBe(5);
    expect(errorsOf(link.b)).toEqual(["ack_beyond"]);
  });

  it("[S5] an ack after the broker lost its memory is none too many", () => {
    const link = Raw.accepted(options);
    link.say(link.b, link.of("PAUSE"));
    link.say(link.a, ...link.messages(1, 5));
    link.say(link.b, link.of("RESUME"));
    link.evict();
    link.say(link.b, link.ack(4));
    link.say(link.b, link.ack(5));
    expect(errorsOf(link.b)).toEqual([]);
    expect(contents(link.b)).toEqual([1, 2, 3, 4, 5]);
    expect(last(link.a, "MESSAGE_ACK").data?.delivered).toBe(5);
  });

  it("[S6, S7] stored is said at once, delivered when the other end is done", () => {
    const link = Raw.accepted(options);
    link.b.up = false;
    link.say(link.a, ...link.messages(1, 3));
    expect(last(link.a, "MESSAGE_ACK")).toMatchObject({ ack: 3, limit: 512, data: { delivered: 0 } });
    link.b.reconnect();
    link.say(link.b, link.resume(0, 1, 1));
    expect(contents(link.b)).toEqual([1, 2, 3]);
    link.say(link.b, link.ack(2));
    expect(last(link.a, "MESSAGE_ACK")).toMatchObject({ ack: 3, data: { delivered: 2 } });
  });

  it("[X3, F5] a fault of one session's envelope touches nothing else", () => {
    const link = Raw.accepted(options);
    link.say(link.a, link.message(9));
    link.say(link.a, link.message(1));
    expect(contents(link.b)).toEqual([1]);
    expect(link.a.closes).toEqual([]);
  });
});

describe.each(memories)("flow control (evicting: $evicting)", (options) => {
  it("[W1, W3, L5] a sender is stopped by a slow peer, and goes on as it acknowledges", () => {
    const link = Raw.accepted(options);
    link.say(link.a, ...link.messages(1, 256));
    link.say(link.a, ...link.messages(257, 512));
    expect(last(link.a, "MESSAGE_ACK").limit).toBe(512);
    link.say(link.b, link.ack(200));
    expect(last(link.a, "MESSAGE_ACK").limit).toBe(712);
    link.say(link.a, ...link.messages(513, 712));
    expect(errorsOf(link.a)).toEqual([]);
    expect(contents(link.b)).toHaveLength(712);
  });

  it("[W1] a limit that rises without a receipt is told, too", () => {
    const link = Raw.accepted(options);
    const task_id = mint();
    const request = (seq: number) => link.of("TASK_REQUEST", { seq, data: { task_id, capability: "c", input: 1 } });
    link.say(link.b, request(1));
    link.say(
      link.a,
      link.of("TASK_RESPONSE", { seq: 1, data: { task_id, status: "succeeded" } }),
      ...link.messages(2, 250),
    );
    link.say(link.a, ...link.messages(251, 500));
    // 200 envelopes of the broker's own, towards b: they take a's window, and are nobody's receipt.
    link.say(link.b, ...Array.from({ length: 200 }, (_, i) => request(i + 2)));
    link.say(link.b, link.ack(500));
    const { limit } = last(link.a, "MESSAGE_ACK");
    expect(limit).toBe(812);
    link.say(link.a, ...link.messages(501, 812));
    deafen(link.a);
    link.say(link.b, link.ack(700));
    expect(last(link.a, "MESSAGE_ACK").limit).toBe(1012);
  });

  it("[W3, L8] beyond the limit nothing is stored; the third time closes", () => {
    const link = Raw.accepted({ evicting: false });
    link.say(link.a, ...link.messages(1, 512));
    for (let strike = 1; strike <= limits.flowControlStrikesMax; strike++) link.say(link.a, link.message(513));
    expect(errorsOf(link.a)).toEqual(["flow_control", "flow_control", "flow_control_abuse"]);
    expect(last(link.a, "ERROR").data.limit).toBe(512);
    expect(link.a.closes).toEqual([4413]);
    expect(link.store.record?.attach[0]).toBeNull();
    expect(contents(link.b)).toHaveLength(512);
  });

  it("[A7, W3] an attachment starts without strikes", () => {
    const link = Raw.accepted({ evicting: false });
    link.say(link.a, ...link.messages(1, 512));
    for (let i = 0; i < 5; i++) link.say(link.a, link.message(513), link.resume(0, 513, 514));
    expect(link.a.closes).toEqual([]);
  });

  it("[W2] envelopes that are kept never push out what waits", () => {
    const link = Raw.accepted(options);
    for (let seq = 1; seq <= 300; seq++) link.say(link.a, link.message(seq));
    let seq = 301;
    for (; seq <= 1600 && errorsOf(link.a).at(-1) !== "flow_control"; seq++) {
      link.say(link.a, link.of("TASK_CANCEL", { seq, data: { task_id: mint() } }));
    }
    expect(seq).toBeLessThan(600);
    deafen(link.b);
    link.b.reconnect();
    link.say(link.b, link.resume(0, 1, 1));
    expect(contents(link.b)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
  });

  it("[W2, W4] memory that is lost again and again does not widen the window by more than 64", () => {
    const link = Raw.accepted(options);
    let stored = 0;
    for (let i = 0; i < 60; i++) {
      link.evict();
      link.say(link.a, ...link.messages(stored + 1, stored + 64));
      stored = last(link.a, "MESSAGE_ACK").ack;
    }
    expect(stored).toBeGreaterThanOrEqual(512);
    expect(stored).toBeLessThanOrEqual(576);
    expect(link.store.rows[0].size).toBeLessThan(limits.ringRowsMax);
  });

  it("[W4] a limit that was told holds after the memory of it is lost", () => {
    const link = Raw.accepted({ evicting: false });
    link.say(link.a, ...link.messages(1, 256), ...link.messages(257, 512));
    link.say(link.b, link.ack(63));
    const { limit } = last(link.a, "MESSAGE_ACK");
    expect(limit).toBe(575);
    link.evict();
    link.say(link.a, ...link.messages(513, 575));
    expect(errorsOf(link.a)).toEqual([]);
    expect(last(link.a, "MESSAGE_ACK")).toMatchObject({ ack: 575, limit: 575 });
  });

  it("[W5, L7] PAUSE and RESUME come at their marks, PAUSE again with an attachment", () => {
    const link = Raw.accepted({ evicting: false });
    link.say(link.a, ...link.messages(1, 384));
    expect(said(link.a, "PAUSE")).toHaveLength(1);
    link.a.reconnect();
    link.say(link.a, link.resume(0, 385, 385));
    expect(said(link.a, "PAUSE")).toHaveLength(2);
    link.say(link.b, link.ack(255));
    expect(said(link.a, "RESUME")).toHaveLength(0);
    link.say(link.b, link.ack(256));
    expect(said(link.a, "RESUME")).toHaveLength(1);
  });

  it("[W6] an agent's PAUSE holds its deliveries, not what it may send", () => {
    const link = Raw.accepted(options);
    link.say(link.b, link.of("PAUSE"));
    link.say(link.a, ...link.messages(1, 3));
    link.say(link.b, link.message(1));
    expect(contents(link.b)).toEqual([]);
    expect(contents(link.a)).toEqual([1]);
    link.say(link.b, link.of("RESUME"), link.of("RESUME"));
    expect(contents(link.b)).toEqual([1, 2, 3]);
  });
});
