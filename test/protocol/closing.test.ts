// How a session ends at the broker: closing by one, by both, crossing; idleness; and what is said afterwards.
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import { Link, memories, mint } from "./link.ts";
import { contents, deafen, errorsOf, last, Raw, said } from "./raw.ts";

describe.each(memories)("closing (evicting: $evicting)", (options) => {
  it("[N7, N10] ends when both have acknowledged everything, and tells both", () => {
    const link = Raw.accepted(options);
    link.say(link.a, link.message(1), link.close(2, "done"));
    expect(last(link.b, "SESSION_CLOSE")).toMatchObject({ seq: 2, data: { reason: "done" } });
    expect(link.store.record?.state).toBe("closing");
    link.say(link.b, link.message(1), link.ack(1));
    expect(contents(link.a)).toEqual([1]);
    link.say(link.b, link.ack(2));
    expect(link.store.record?.state).toBe("closing");
    link.say(link.a, link.ack(1));
    expect(link.store.record?.state).toBe("closed");
    expect(last(link.a, "SESSION_CLOSED").data).toEqual({ state: "closed", received: 2, delivered: 2 });
    expect(last(link.b, "SESSION_CLOSED").data).toEqual({ state: "closed", received: 1, delivered: 1 });
    expect(link.deadline).toBe(link.now + limits.tombstoneMs);
  });

  it("[N8] who closed has no more to say, nor has who acknowledged it", () => {
    const link = Raw.accepted(options);
    link.say(link.b, link.message(1));
    link.say(link.a, link.close(1), link.message(2));
    expect(errorsOf(link.a)).toEqual(["session_closed"]);
    link.say(link.b, link.message(2), link.ack(1), link.message(3));
    expect(errorsOf(link.b)).toEqual(["session_closed"]);
    expect(contents(link.a)).toEqual([1, 2]);
    expect(link.store.record?.state).toBe("closing");
  });

  it("[N9] both close at once: the first stands, the second is accepted and goes no further", () => {
    const link = Raw.accepted(options);
    link.say(link.a, link.close(1));
    link.say(link.b, link.message(1), link.close(2));
    expect(errorsOf(link.b)).toEqual([]);
    expect(last(link.b, "MESSAGE_ACK").ack).toBe(2);
    expect(said(link.a, "SESSION_CLOSE")).toEqual([]);
    link.say(link.a, link.ack(1));
    link.say(link.b, link.ack(1));
    expect(last(link.b, "SESSION_CLOSED").data).toEqual({ state: "closed", received: 2, delivered: 2 });
  });

  it("[N12, A2] after the end: work is refused, receipts are not, RESUME says how it stands", () => {
    const link = Raw.accepted(options);
    link.say(link.a, link.close(1));
    link.say(link.b, link.ack(1));
    deafen(link.a, link.b);
    link.say(link.a, link.message(2));
    link.say(link.b, link.ack(1), link.of("PAUSE"));
    expect(errorsOf(link.a)).toEqual(["session_closed"]);
    expect(link.b.got).toEqual([]);
    link.a.reconnect();
    link.say(link.a, link.resume(0, 1, 2));
    expect(last(link.a, "SESSION_RESUMED").data).toMatchObject({
      outcome: "closed",
      state: "closed",
      received: 1,
      delivered: 1,
    });
    link.init();
    link.accept();
    expect(errorsOf(link.a).at(-1)).toBe("session_closed");
    expect(errorsOf(link.b).at(-1)).toBe("session_closed");
  });

  it("[N10] who was away learns it by RESUME", () => {
    const link = Raw.accepted(options);
    link.say(link.b, link.close(1));
    link.a.up = false;
    link.event((broker) => broker.detached(0, "c1", link.now));
    link.a.reconnect();
    link.say(link.a, link.resume(1, 1, 1, { ack: 1 }));
    expect(last(link.a, "SESSION_RESUMED").data.outcome).toBe("resumed");
    expect(last(link.a, "SESSION_CLOSED").data.state).toBe("closed");
  });

  it("[N7] the client half says its last acknowledgement once more after its SESSION_CLOSE", () => {
    const link = Link.open(options);
    link.b.session?.send("MESSAGE", mint(), { content: 1 });
    link.run();
    link.a.session?.send("SESSION_CLOSE", mint(), {});
    const lines = link.a.session?.lines().map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { type: "SESSION_CLOSE", seq: 1 },
      { type: "MESSAGE_ACK", ack: 1 },
    ]);
  });

  it("[N11, L13, T8] without work for a day it expires; receipts do not keep it, work does", () => {
    const link = Raw.accepted(options);
    const task_id = mint();
    expect(link.deadline).toBe(link.now + limits.sessionIdleMs);
    link.now += 1000;
    link.say(link.a, link.of("TASK_REQUEST", { seq: 1, data: { task_id, capability: "c", input: 1 } }));
    link.now += 1000;
    link.say(link.b, link.ack(1));
    link.now += limits.sessionIdleMs - 2000;
    link.wake();
    expect(link.store.record?.state).toBe("active");
    expect(link.deadline).toBe(link.now + 1000);
    link.now += 1000;
    link.wake();
    // A broker that lost its memory asks first what was acknowledged (A9).
    if (options.evicting) link.now += limits.ackStallMs;
    link.wake();
    expect(link.store.record).toMatchObject({ state: "expired", ended: { reason: "session_expired", at: link.now } });
    expect(link.store.tasks.get(task_id)?.state).toBe("cancelled");
    expect(last(link.a, "SESSION_CLOSED").data).toMatchObject({ state: "expired", received: 1 });
    expect(said(link.b, "SESSION_CLOSED")).toHaveLength(1);
    link.say(link.a, link.resume(0, 1, 2));
    expect(last(link.a, "SESSION_RESUMED").data).toMatchObject({ outcome: "closed", state: "expired" });
    link.say(link.a, link.of("SESSION_INIT", { to: "analyst", data: {} }));
    expect(last(link.a, "SESSION_REJECT").data.reason).toBe("session_closed");
  });

  it("[N17] is ended from outside: both are told, open tasks are cancelled, and it stays as it is", () => {
    const link = Raw.accepted(options);
    const task_id = mint();
    link.say(link.a, link.of("TASK_REQUEST", { seq: 1, data: { task_id, capability: "c", input: 1 } }));
    link.event((broker) => broker.end(link.now));
    expect(link.store.record).toMatchObject({ state: "closed", ended: { reason: "closed", at: link.now } });
    expect(link.store.tasks.get(task_id)?.state).toBe("cancelled");
    expect(last(link.a, "SESSION_CLOSED").data).toEqual({ state: "closed", received: 1, delivered: 0 });
    expect(last(link.b, "SESSION_CLOSED").data).toEqual({ state: "closed", received: 0, delivered: 0 });
    expect(link.deadline).toBe(link.now + limits.tombstoneMs);
    deafen(link.a, link.b);
    link.now += 1000;
    link.event((broker) => broker.end(link.now));
    expect([link.a.got, link.b.got]).toEqual([[], []]);
    expect(link.store.record?.ended?.at).toBe(link.now - 1000);
  });
});
