// A session whose stored rows are not what was stored: it ends, says why, and sends nothing of it again.
import { describe, expect, it } from "vitest";
import { BrokerSession } from "../../protocol/session/broker.ts";
import { isWhole } from "../../protocol/session/damage.ts";
import { mint } from "./link.ts";
import { deafen, errorsOf, Raw } from "./raw.ts";

/** Five messages stored for B, three of them acknowledged. */
function busy(): Raw {
  const link = Raw.accepted();
  for (const seq of [1, 2, 3, 4, 5]) link.say(link.a, link.message(seq));
  link.say(link.b, link.ack(3), link.message(1));
  deafen(link.a, link.b);
  return link;
}

const dropRow = (link: Raw, row: number) => link.store.rows[0].delete(row);

describe("a damaged session", () => {
  it("[N16] a whole one is whole, one with a row missing anywhere but before the oldest is not", () => {
    const whole = busy().store.saved();
    expect(whole && isWhole(whole)).toBe(true);
    for (const row of [1, 2, 3, 4]) {
      const link = busy();
      dropRow(link, row);
      const saved = link.store.saved();
      expect([row, saved && isWhole(saved)]).toEqual([row, false]);
    }
    const none = busy();
    none.store.rows[0].clear();
    const saved = none.store.saved();
    expect(saved && isWhole(saved)).toBe(false);
  });

  it("[N16] both sides are told, and so is whoever asks; nothing is sent again, nothing is stored", () => {
    const link = busy();
    dropRow(link, 3);
    link.evict();
    link.log = [];
    link.say(link.a, link.resume(0, 6, 6));
    expect(errorsOf(link.b)).toEqual(["session_damaged"]);
    expect(errorsOf(link.a)).toEqual(["session_damaged", "session_damaged"]);
    expect(link.store.record).toMatchObject({ state: "expired", ended: { reason: "session_damaged" } });
    expect(link.log.map((effect) => effect.do)).not.toContain("replay");
    deafen(link.a, link.b);
    link.evict();
    link.say(link.a, link.message(6), link.ack(1));
    link.say(link.b, link.of("SESSION_RESUME", { data: { received: null } }));
    expect(errorsOf(link.a)).toEqual(["session_damaged", "session_damaged"]);
    expect(errorsOf(link.b)).toEqual(["session_damaged"]);
    expect(link.log.map((effect) => effect.do)).not.toContain("store");
  });

  it("[N16] the alarm finds out too, and forgets the session in its time", () => {
    const link = busy();
    dropRow(link, 3);
    link.evict();
    link.wake();
    expect(link.store.record).toMatchObject({ state: "expired", timers: { forget: expect.any(Number) } });
    expect(link.deadline).toBe(link.store.record?.timers.forget);
    link.now = link.deadline ?? 0;
    link.wake();
    expect(link.log.at(-1)?.do).toBe("erase");
  });

  it("[N16] what cannot be read at all is answered in the same way", () => {
    const link = busy();
    const broker = new BrokerSession(link.store, { id: mint, epoch: mint }, "unreadable");
    const { effects, deadline } = broker.receive(
      { agent: "planner", attach: "c1", envelopes: [{ type: "MESSAGE_ACK", session_id: link.session_id, ack: 1 }] },
      link.now,
    );
    expect(deadline).toBeUndefined();
    expect(effects.map((effect) => effect.do)).toEqual(["reply"]);
    expect(JSON.stringify(effects)).toContain("session_damaged");
  });
});
