// The order of effects: rows before frames, frames before notices; and when cursors are worth a row of their own.
import { describe, expect, it } from "vitest";
import type { Effect } from "../../protocol/session/effects.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { type Link, memories, mint } from "./link.ts";
import { Raw } from "./raw.ts";

const stages: Record<Effect["do"], number> = {
  store: 0,
  record: 0,
  cursors: 0,
  forget: 0,
  task: 0,
  cancelTasks: 0,
  redriven: 0,
  reply: 1,
  send: 1,
  replay: 1,
  close: 1,
  offer: 2,
  index: 2,
  erase: 2,
};

/** The effects of what `act` does, one event after the other. */
function effectsOf(link: Link, act: () => void): Effect[] {
  link.log = [];
  act();
  return link.log;
}
const kinds = (effects: Effect[]) => effects.map((effect) => effect.do);

describe.each(memories)("effects (evicting: $evicting)", (options) => {
  it("[S6] come as rows, then frames, then notices, whatever the event", () => {
    const link = new Raw(options);
    const task_id = mint();
    const events = [
      () => link.init(),
      () => link.accept(),
      () =>
        link.say(
          link.a,
          link.of("TASK_REQUEST", { seq: 1, data: { task_id, capability: "c", input: 1 } }),
          link.message(9),
        ),
      () => link.say(link.b, link.resume(1, 1, 1)),
      () => link.say(link.a, link.close(2), link.ack(0)),
      () => link.say(link.b, link.ack(2)),
    ];
    for (const act of events) {
      const effects = effectsOf(link, act);
      // `indexed` is an event of its own, given while the notice is carried out.
      const notice = effects.findIndex((effect) => effect.do === "index");
      const one = (notice < 0 ? effects : effects.slice(0, notice + 1)).map((effect) => stages[effect.do]);
      expect(one).toEqual([...one].sort());
    }
    expect(link.store.record?.state).toBe("closed");
  });

  it("[F6, S6] a frame of work is one row, one answer, one frame to the peer", () => {
    const link = Raw.accepted(options);
    let next = 1;
    for (const count of [1, 16, 128]) {
      const effects = effectsOf(link, () => link.say(link.a, ...link.messages(next, next + count - 1)));
      next += count;
      expect(kinds(effects)).toEqual(["store", "reply", "send"]);
      const [, reply, send] = effects;
      if (reply?.do === "reply") expect(reply.lines).toHaveLength(1);
      if (send?.do === "send") expect(send.frames[0]?.split("\n")).toHaveLength(count);
    }
  });

  it("[S6] an acknowledgement costs no row until losing it would cost much of the window", () => {
    const link = Raw.accepted(options);
    link.say(link.a, ...link.messages(1, 200));
    link.now += limits.deliveredQuietMs;
    expect(kinds(effectsOf(link, () => link.say(link.b, link.ack(63))))).toEqual(["send"]);
    link.now += limits.deliveredQuietMs;
    expect(kinds(effectsOf(link, () => link.say(link.b, link.ack(64))))).toEqual(["cursors", "send"]);
    expect(kinds(effectsOf(link, () => link.say(link.b, link.ack(64))))).toEqual([]);
  });

  it("[S6] nor many bytes of it", () => {
    const link = Raw.accepted(options);
    const large = "x".repeat(250_000);
    for (let seq = 1; seq <= 6; seq++) link.say(link.a, link.message(seq, large));
    const effects = effectsOf(link, () => link.say(link.b, link.ack(5)));
    expect(kinds(effects).slice(0, 2)).toEqual(["cursors", "send"]);
    expect(limits.cursorLagBytesMax).toBeLessThan(5 * large.length);
  });

  it("[N7] the last receipts of a closing session are stored", () => {
    const link = Raw.accepted(options);
    link.say(link.b, link.message(1));
    link.say(link.a, link.close(1));
    expect(kinds(effectsOf(link, () => link.say(link.a, link.ack(1))))).toContain("cursors");
    link.evict();
    link.say(link.b, link.ack(1));
    expect(link.store.record?.state).toBe("closed");
  });

  it("[N5] the index hears of each state, with the reason of the end, until it has answered", () => {
    const link = new Raw(options);
    link.init();
    link.say(link.b, link.of("SESSION_REJECT", { data: { message: "busy" } }));
    const notices = link.log.flatMap((effect) => (effect.do === "index" ? [effect.record] : []));
    expect(notices.map(({ state, ended }) => [state, ended])).toEqual([
      ["rejected", { reason: "offer_rejected", message: "busy", at: link.now }],
    ]);
    expect(link.deadline).toBe(link.now + limits.tombstoneMs);
  });

  it("[N5] a notice that failed is repeated by its timer, in the state of then", () => {
    const link = new Raw(options);
    link.init();
    link.indexes = false;
    link.accept();
    const due = link.now + limits.indexRetryMs;
    expect(link.deadline).toBe(due);
    link.now = due;
    const effects = effectsOf(link, () => link.wake());
    expect(effects.flatMap((effect) => (effect.do === "index" ? [effect.record.state] : []))).toEqual(["active"]);
    expect(link.deadline).toBe(due + limits.indexRetryMs);
    // An answer about a state that is past does not count.
    link.event((broker) => broker.indexed("pending", link.now));
    expect(link.deadline).toBe(due + limits.indexRetryMs);
    link.event((broker) => broker.indexed("active", link.now));
    expect(link.deadline).toBe(link.store.record?.timers.idle);
  });
});
