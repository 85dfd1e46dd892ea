// Attachment and resuming at the broker: every outcome, who is attached, what is sent again.
import { describe, expect, it } from "vitest";
import { closeCodes } from "../../protocol/wire/errors.ts";
import { memories } from "./link.ts";
import { contents, deafen, errorsOf, last, Raw, said } from "./raw.ts";

/** A session in which b was sent 1–5 and acknowledged 2, a was sent 1. */
function moved(options: { evicting: boolean }): Raw {
  const link = Raw.accepted(options);
  link.say(link.a, ...link.messages(1, 5));
  link.say(link.b, link.message(1), link.ack(2));
  return link;
}

describe.each(memories)("attachment (evicting: $evicting)", (options) => {
  it("[A2, A6, S8, F8] resumed: what was not received comes again, as it was, and then what is new", () => {
    const link = moved(options);
    const before = said(link.b, "MESSAGE");
    deafen(link.b);
    link.b.reconnect();
    link.say(link.b, link.resume(3, 1, 2, { ack: 2 }));
    expect(last(link.b, "SESSION_RESUMED")).toMatchObject({
      data: { outcome: "resumed", state: "active", received: 1, delivered: 0 },
    });
    expect(said(link.b, "MESSAGE")).toEqual(before.slice(3));
    expect(link.b.got[0]?.type).toBe("SESSION_RESUMED");
    link.say(link.a, link.message(6));
    expect(contents(link.b)).toEqual([4, 5, 6]);
  });

  it("[A2] `ack` of RESUME counts as a receipt, `received` does not", () => {
    const link = moved(options);
    link.b.reconnect();
    link.say(link.b, link.resume(5, 1, 2, { ack: 4 }));
    expect(last(link.a, "MESSAGE_ACK").data?.delivered).toBe(4);
    link.b.reconnect();
    link.say(link.b, link.resume(4, 1, 2));
    expect(last(link.b, "SESSION_RESUMED").data.outcome).toBe("resumed");
    expect(contents(link.b).at(-1)).toBe(5);
  });

  it.each([
    ["received more than was sent", [6, 1, 2], {}],
    ["received less than it acknowledged", [1, 1, 2], { ack: 1 }],
    ["acknowledges more than it received", [3, 1, 2], { ack: 4 }],
    ["lost what the broker does not have", [5, 3, 4], {}],
    ["never gave out what the broker has", [5, 1, 1], {}],
  ] as const)("[A2] gap: the side %s", (_, [received, first, next], more) => {
    const link = moved({ evicting: false });
    deafen(link.b);
    link.b.reconnect();
    link.say(link.b, link.resume(received, first, next, more));
    expect(last(link.b, "SESSION_RESUMED")).toMatchObject({
      limit: 0,
      data: { outcome: "gap", received: 1, delivered: 0 },
    });
    // Not attached by it: its work is not taken.
    link.say(link.b, link.message(2));
    expect(errorsOf(link.b)).toEqual(["session_not_attached"]);
  });

  it("[A2] epoch_mismatch: the storage is another one", () => {
    const link = moved(options);
    link.b.reconnect();
    link.say(link.b, link.resume(5, 1, 2, { epoch: "another" }));
    expect(last(link.b, "SESSION_RESUMED").data).toMatchObject({
      outcome: "epoch_mismatch",
      epoch: link.store.record?.epoch,
    });
    expect(link.store.record?.attach[1]).toBe("c1");
  });

  it("[A2] closed and unknown", () => {
    const link = moved(options);
    link.say(link.a, link.close(6), link.ack(1));
    link.say(link.b, link.ack(6));
    link.say(link.b, link.resume(6, 2, 2));
    expect(last(link.b, "SESSION_RESUMED").data).toMatchObject({
      outcome: "closed",
      state: "closed",
      received: 1,
      delivered: 1,
    });
    const nothing = new Raw(options);
    nothing.say(nothing.b, nothing.resume(0, 1, 1));
    expect(last(nothing.b, "SESSION_RESUMED").data).toEqual({ outcome: "unknown", received: 0, delivered: 0 });
  });

  it("[A1, A3] the newest attachment wins; the older one is closed, and nothing of it counts", () => {
    const link = moved(options);
    link.log = [];
    const older = link.b.attach;
    link.b.reconnect();
    link.say(link.b, link.resume(5, 1, 2, { ack: 2 }));
    const closes = link.log.filter((effect) => effect.do === "close");
    expect(closes).toEqual([
      { do: "close", to: 1, attach: older, code: closeCodes.superseded, reason: expect.any(String) },
    ]);
    const newer = link.b.attach;
    link.b.attach = older;
    deafen(link.a, link.b);
    link.say(link.b, link.message(2), link.ack(5), link.of("PAUSE"), link.message(3));
    // Said once a frame, and nothing taken of it.
    expect(errorsOf(link.b)).toEqual(["session_not_attached"]);
    expect(contents(link.a)).toEqual([]);
    expect(said(link.a, "MESSAGE_ACK")).toEqual([]);
    link.b.attach = newer;
    link.say(link.a, link.message(6));
    expect(contents(link.b)).toEqual([6]);
  });

  it("[A3] that an older attachment is gone means nothing; that the present one is keeps everything", () => {
    const link = moved(options);
    link.event((broker) => broker.detached(1, "c0", link.now));
    expect(link.store.record?.attach[1]).toBe("c1");
    link.event((broker) => broker.detached(1, "c1", link.now));
    expect(link.store.record?.attach[1]).toBeNull();
    deafen(link.b);
    link.say(link.a, link.message(6));
    expect(link.b.got).toEqual([]);
    link.b.reconnect();
    link.say(link.b, link.resume(5, 1, 2));
    expect(contents(link.b)).toEqual([6]);
  });

  it("[A5] on the same connection, in the midst of everything", () => {
    const link = moved(options);
    deafen(link.b);
    link.say(link.b, link.resume(4, 1, 2, { ack: 3 }), link.message(2));
    expect(contents(link.b)).toEqual([5]);
    expect(contents(link.a)).toEqual([1, 2]);
    expect(link.log.filter((effect) => effect.do === "close")).toEqual([]);
  });

  it("[A5, S4] RESUME in a frame: work before it is counted in the limit, what stopped before it goes on after it", () => {
    const link = Raw.accepted(options);
    link.say(link.a, ...link.messages(1, 200), link.resume(0, 1, 201));
    expect(last(link.a, "SESSION_RESUMED")).toMatchObject({ limit: 512, data: { received: 200 } });
    link.say(link.a, link.message(300), link.resume(0, 1, 202), link.message(201));
    expect(errorsOf(link.a)).toEqual(["sequence_gap"]);
    expect(contents(link.b).at(-1)).toBe(201);
  });

  it("[A7, W6] a pause ends with its attachment", () => {
    const link = Raw.accepted(options);
    link.say(link.b, link.of("PAUSE"));
    link.say(link.a, link.message(1));
    expect(contents(link.b)).toEqual([]);
    link.b.reconnect();
    link.say(link.b, link.resume(0, 1, 1));
    link.say(link.a, link.message(2));
    expect(contents(link.b)).toEqual([1, 2]);
  });

  it("[C6, A1] an agent that is expelled is closed here, and resumes when it may", () => {
    const link = moved(options);
    link.event((broker) => broker.expel("stranger", closeCodes.revoked, "revoked", link.now));
    expect(link.b.up).toBe(true);
    link.event((broker) => broker.expel("analyst", closeCodes.revoked, "revoked", link.now));
    expect(link.b.closes).toEqual([4403]);
    expect(link.store.record?.attach).toEqual(["c1", null]);
    link.event((broker) => broker.expel("analyst", closeCodes.revoked, "revoked", link.now));
    link.b.reconnect();
    link.say(link.b, link.resume(5, 1, 2));
    expect(last(link.b, "SESSION_RESUMED").data.outcome).toBe("resumed");
  });
});
