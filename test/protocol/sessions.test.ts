// The life of a session at the broker: offer, answer, closing, expiry, and who may know of it.
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import { End, memories } from "./link.ts";
import { contents, deafen, errorsOf, last, Raw, said } from "./raw.ts";

const stranger = () => new End("stranger");

describe.each(memories)("opening (evicting: $evicting)", (options) => {
  it("[N1] the offer reaches the responder with the initiator's name, capabilities and metadata", () => {
    const link = new Raw(options);
    const capabilities = [{ name: "plan", version: "2" }];
    const init = link.of("SESSION_INIT", { to: "analyst", data: { metadata: { a: [1] } } });
    link.event((broker) =>
      broker.receive({ agent: "planner", attach: "c1", envelopes: [init as never], capabilities }, link.now),
    );
    const { session_id } = link;
    expect(last(link.b, "SESSION_INIT")).toMatchObject({
      session_id,
      from: "planner",
      to: "analyst",
      data: { metadata: { a: [1] }, capabilities },
    });
  });

  it("[N1] nobody opens a session with itself", () => {
    const link = new Raw(options);
    link.init(link.a, { to: "planner" });
    expect(errorsOf(link.a)).toEqual(["self_session"]);
    expect(link.store.record).toBeUndefined();
  });

  it("[N2] the acceptance hands each side the other, an epoch and its first limit", () => {
    const link = Raw.accepted(options);
    const epoch = link.store.record?.epoch;
    expect(last(link.a, "SESSION_ACCEPT")).toMatchObject({ limit: 512, data: { epoch, peer: "analyst" } });
    expect(last(link.b, "SESSION_ACCEPT")).toMatchObject({ limit: 512, data: { epoch, peer: "planner" } });
    expect(last(link.a, "SESSION_ACCEPT").in_reply_to).toBe(link.store.record?.init_id);
  });

  it("[N2, N4] only the responder answers, and only a pending session", () => {
    const link = new Raw(options);
    link.init();
    link.accept(link.a);
    link.say(link.a, link.of("SESSION_REJECT"));
    expect(errorsOf(link.a)).toEqual(["session_not_pending", "session_not_pending"]);
    link.accept();
    link.say(link.b, link.of("SESSION_REJECT"));
    expect(errorsOf(link.b)).toEqual(["session_not_pending"]);
    expect(link.store.record?.state).toBe("active");
  });

  it("[N3] INIT again: pending offers again, accepted answers again, and later it is refused", () => {
    const link = new Raw(options);
    link.init();
    link.a.reconnect();
    link.init();
    expect(said(link.b, "SESSION_INIT")).toHaveLength(2);
    link.accept();
    link.say(link.b, ...link.messages(1, 3));
    expect(contents(link.a)).toEqual([1, 2, 3]);
    deafen(link.a);
    link.a.reconnect();
    link.init();
    expect(last(link.a, "SESSION_ACCEPT").data.peer).toBe("analyst");
    expect(contents(link.a)).toEqual([1, 2, 3]);
    link.say(link.a, link.message(1));
    link.init();
    expect(errorsOf(link.a)).toEqual(["session_exists"]);
  });

  it("[N3] ACCEPT again, also on the same connection: the answer and everything since", () => {
    const link = Raw.accepted(options);
    link.say(link.a, ...link.messages(1, 3));
    for (const anew of [false, true]) {
      deafen(link.b);
      if (anew) link.b.reconnect();
      link.acceptAgain();
      expect(last(link.b, "SESSION_ACCEPT").limit).toBe(512);
      expect(contents(link.b)).toEqual([1, 2, 3]);
    }
    link.say(link.b, link.message(1));
    link.acceptAgain();
    expect(errorsOf(link.b)).toEqual(["session_not_pending"]);
  });

  it("[N3] another ACCEPT is a second one: refused, and the session goes on", () => {
    const link = Raw.accepted(options);
    link.accept();
    expect(errorsOf(link.b)).toEqual(["session_not_pending"]);
    link.say(link.a, link.message(1));
    expect(contents(link.b)).toEqual([1]);
  });

  it("[N4] a rejection names its reason, and says it again when asked again", () => {
    const link = new Raw(options);
    link.init();
    link.say(link.b, link.of("SESSION_REJECT", { data: { message: "busy" } }));
    link.init();
    for (const { data } of said(link.a, "SESSION_REJECT"))
      expect(data).toMatchObject({ reason: "offer_rejected", message: "busy" });
    expect(said(link.a, "SESSION_REJECT")).toHaveLength(2);
    link.accept();
    expect(errorsOf(link.b)).toEqual(["session_closed"]);
  });

  it.each(["agent_offline", "agent_unknown"] as const)(
    "[N4] an offer that nobody can take is rejected: %s",
    (reason) => {
      const link = new Raw(options);
      link.offers = reason;
      link.init();
      expect(last(link.a, "SESSION_REJECT").data.reason).toBe(reason);
      expect(link.store.record?.state).toBe("rejected");
      expect(said(link.a, "SESSION_CLOSED")).toEqual([]);
    },
  );

  it("[N4, N5, L12] an offer that nobody answers expires, and the initiator is told once", () => {
    const link = new Raw(options);
    link.init();
    expect(link.deadline).toBe(link.now + limits.offerMs);
    link.now += limits.offerMs - 1;
    link.wake();
    expect(link.store.record?.state).toBe("pending");
    link.now += 1;
    link.wake();
    expect(link.store.record?.state).toBe("expired");
    expect(last(link.a, "SESSION_REJECT").data.reason).toBe("offer_expired");
    expect(said(link.a, "SESSION_CLOSED")).toEqual([]);
    expect(link.deadline).toBe(link.now + limits.tombstoneMs);
    link.event((broker) => broker.offerFailed("agent_offline", link.now));
    expect(link.store.record?.state).toBe("expired");
  });

  it("[N6] another agent sees nothing, whatever it says", () => {
    const link = Raw.accepted(options);
    const eve = stranger();
    const tries = [
      link.accept,
      (end: End) => link.say(end, link.of("SESSION_REJECT")),
      (end: End) => link.say(end, link.message(1)),
    ];
    for (const attempt of tries) attempt.call(link, eve);
    link.say(eve, link.resume(0, 1, 1), link.ack(0), link.of("PAUSE"));
    expect(new Set(errorsOf(eve))).toEqual(new Set(["session_unknown"]));
    expect(last(eve, "SESSION_RESUMED").data).toEqual({ outcome: "unknown", received: 0, delivered: 0 });
    link.init(eve);
    expect(errorsOf(eve).at(-1)).toBe("session_exists");
    expect(link.broker.isParticipant("stranger")).toBe(false);
    expect(link.broker.isParticipant("analyst")).toBe(true);
    const nothing = new Raw(options);
    nothing.say(nothing.a, nothing.message(1), nothing.resume(0, 1, 1));
    expect(errorsOf(nothing.a)).toEqual(["session_unknown"]);
    expect(last(nothing.a, "SESSION_RESUMED").data).toEqual({ outcome: "unknown", received: 0, delivered: 0 });
    expect(nothing.store.record).toBeUndefined();
  });

  it("[N12] work waits for the acceptance, also RESUME", () => {
    const link = new Raw(options);
    link.init();
    link.say(link.a, link.message(1), link.resume(0, 1, 1, { epoch: "?" }));
    link.say(link.b, link.message(1));
    expect(errorsOf(link.a)).toEqual(["session_not_active", "session_not_active"]);
    expect(errorsOf(link.b)).toEqual(["session_not_active"]);
  });
});
