// The client half against a real broker: what it sends when, what the application hears, how it ends.
import { describe, expect, it } from "vitest";
import { ClientSession } from "../../protocol/session/client.ts";
import { errorLine } from "../../protocol/wire/codec.ts";
import type { BrokerEnvelope } from "../../protocol/wire/envelope.ts";
import type { ErrorReason } from "../../protocol/wire/errors.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { type End, Link, memories, mint } from "./link.ts";
import { errorsOf } from "./raw.ts";

function half(end: End): ClientSession {
  if (end.session === undefined) throw new Error(`${end.name} has no session`);
  return end.session;
}
const send = (end: End, ...contents: unknown[]) =>
  contents.map((content) => half(end).send("MESSAGE", mint(), { content }));
const typesOf = (lines: string[]) => lines.map((line) => JSON.parse(line).type);
const fault = (link: Link, reason: ErrorReason) =>
  JSON.parse(errorLine({ reason, session_id: link.session_id })) as BrokerEnvelope;
const ended = (end: End) => end.heard.flatMap((event) => (event.kind === "ended" ? [event.reason] : []));

describe.each(memories)("the client half (evicting: $evicting)", (options) => {
  it("[N1, N2, S1] opens, is accepted, sends and hears", () => {
    const link = Link.open(options);
    expect([half(link.a).state, half(link.b).state]).toEqual(["ready", "ready"]);
    expect([half(link.a).peer, half(link.b).peer]).toEqual(["analyst", "planner"]);
    expect(send(link.a, "one", "two")).toEqual([1, 2]);
    link.run();
    expect(link.b.work()).toEqual([{ content: "one" }, { content: "two" }]);
    expect(link.a.heard.at(-1)).toEqual({ kind: "receipts", stored: 2, delivered: 2 });
    expect(half(link.a).backlog).toEqual({ messages: 0, bytes: 0 });
  });

  it("[A2, A5] only the answer to its latest SESSION_RESUME counts: one to an older question may say gap by now", () => {
    const link = Link.open(options);
    link.b.reconnect();
    const [older = ""] = half(link.b).lines();
    half(link.b).reattach();
    const [newer = ""] = half(link.b).lines();
    link.say(link.b, JSON.parse(older));
    expect(half(link.b).state).toBe("resuming");
    link.say(link.b, JSON.parse(newer));
    send(link.a, "one", "two");
    link.run();
    // The older question comes once more, after receipts that it does not know of.
    link.b.reconnect();
    const [latest = ""] = half(link.b).lines();
    link.say(link.b, JSON.parse(older));
    // A broker that kept its memory says gap to it.
    const outcomes = link.b.got.flatMap((one) => (one.type === "SESSION_RESUMED" ? [one.data.outcome] : []));
    expect(outcomes).toEqual(["resumed", "resumed", options.evicting ? "resumed" : "gap"]);
    expect(half(link.b).state).toBe("resuming");
    link.say(link.b, JSON.parse(latest));
    send(link.a, "three");
    link.run();
    expect(link.b.work()).toEqual([{ content: "one" }, { content: "two" }, { content: "three" }]);
  });

  it("[N3, S8] work that comes before the answer to SESSION_INIT is not taken, and comes again after it", () => {
    const link = new Link(options);
    link.a.session = ClientSession.offer(link.session_id, "analyst", undefined, mint);
    link.loses = (end, frame) => end === link.a && frame.includes("SESSION_ACCEPT");
    link.run();
    send(link.b, "one");
    link.run();
    expect(link.a.got.map(({ type }) => type)).toContain("MESSAGE");
    expect(link.a.heard).toEqual([]);
    link.loses = undefined;
    half(link.a).reattach();
    link.run();
    expect(link.a.heard.map(({ kind }) => kind)).toEqual(["accepted", "work"]);
    expect(link.b.heard.at(-1)).toEqual({ kind: "receipts", stored: 1, delivered: 1 });
  });

  it("[N3, X3] a refusal of SESSION_INIT that comes once the session is open ends nothing", () => {
    const link = new Link(options);
    link.a.session = ClientSession.offer(link.session_id, "analyst", undefined, mint);
    const [init = ""] = half(link.a).lines();
    link.say(link.a, JSON.parse(init));
    link.run();
    send(link.a, "one");
    link.run();
    // The same question again, late: by now it is refused.
    link.say(link.a, JSON.parse(init));
    expect(errorsOf(link.a)).toEqual(["session_exists"]);
    expect(half(link.a).state).toBe("ready");
    send(link.a, "two");
    link.run();
    expect(link.b.work()).toEqual([{ content: "one" }, { content: "two" }]);
  });

  it("[B1, B2] what queues up beside a frame in flight shares the next, which waits unless it is full: half a frame", () => {
    const link = Link.open(options);
    const full = limits.frameEnvelopesMax / 2;
    const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
    send(link.a, 0);
    const first = half(link.a).lines();
    expect(first).toHaveLength(1);
    send(link.a, ...numbers(full - 1));
    expect([half(link.a).hasFullFrame, half(link.a).lines()]).toEqual([false, []]);
    send(link.a, ...numbers(5));
    expect(half(link.a).hasFullFrame).toBe(true);
    expect(half(link.a).lines()).toHaveLength(full);
    expect(half(link.a).hasFullFrame).toBe(false);
    expect(half(link.a).lines()).toEqual([]);
    // The first is stored, the second is still on its way: the rest waits.
    link.say(link.a, ...first.map((line) => JSON.parse(line)));
    expect(half(link.a).lines()).toEqual([]);
  });

  it("[B1, W1] no full frame goes beyond the limit", () => {
    const link = Link.open(options);
    send(link.a, ...Array.from({ length: limits.windowMessages + 200 }, (_, i) => i));
    const frames = [];
    do frames.push(half(link.a).lines().length);
    while (half(link.a).hasFullFrame);
    expect(frames).toEqual([128, 128, 128, 128]);
  });

  it("[B2] a large envelope goes alone", () => {
    const link = Link.open(options);
    const large = "x".repeat(60_000);
    send(link.a, large, large, large, 1);
    expect(half(link.a).lines()).toHaveLength(1);
  });

  it("[W1] never sends beyond the limit, and goes on when it rises", () => {
    const link = Link.open(options);
    link.b.takes = false;
    send(link.a, ...Array.from({ length: 600 }, (_, i) => i));
    link.run();
    expect(link.b.work()).toHaveLength(512);
    expect(half(link.a).backlog.messages).toBe(88);
    expect(half(link.a).paused).toBe(true);
    expect(half(link.a).oldestInFlight).toBeUndefined();
    link.b.takes = true;
    half(link.b).take(512);
    link.run();
    expect(link.b.work()).toHaveLength(600);
    expect(half(link.a).paused).toBe(false);
    expect(errorsOf(link.a)).toEqual([]);
  });

  it("[S9, A2] acknowledges what was taken, and says both numbers when it resumes", () => {
    const link = Link.open(options);
    link.b.takes = false;
    send(link.a, 1, 2, 3);
    link.run();
    half(link.b).take(2);
    expect(
      half(link.b)
        .lines()
        .map((line) => JSON.parse(line)),
    ).toMatchObject([{ type: "MESSAGE_ACK", ack: 2 }]);
    half(link.b).take(1);
    expect(half(link.b).lines()).toEqual([]);
    half(link.b).connected();
    expect(
      half(link.b)
        .lines()
        .map((line) => JSON.parse(line)),
    ).toMatchObject([{ type: "SESSION_RESUME", ack: 2, data: { received: 3, first: 1, next: 1 } }]);
    expect(half(link.b).lines()).toEqual([]);
  });

  it("[A6] after RESUMED it sends what was not stored, with the same seq and id, and nothing on a timer", () => {
    const link = Link.open(options);
    send(link.a, 1, 2);
    const lost = half(link.a).lines();
    expect(half(link.a).lines()).toEqual([]);
    expect(half(link.a).oldestInFlight).toBe(1);
    link.a.reconnect();
    expect(typesOf(half(link.a).lines())).toEqual(["SESSION_RESUME"]);
    link.a.reconnect();
    link.say(
      link.a,
      ...half(link.a)
        .lines()
        .map((line) => JSON.parse(line)),
    );
    expect(half(link.a).state).toBe("ready");
    expect(half(link.a).lines()).toEqual(lost);
  });

  it("[A5] a gap in what it receives makes it attach again, once, and what it missed comes", () => {
    const link = Link.open(options);
    link.loses = (end) => end === link.b;
    send(link.a, "lost");
    link.run();
    link.loses = undefined;
    send(link.a, "heard");
    link.run();
    send(link.a, "end");
    link.run();
    expect(link.b.work()).toEqual(["lost", "heard", "end"].map((content) => ({ content })));
    expect(link.b.got.filter(({ type }) => type === "SESSION_RESUMED")).toHaveLength(1);
  });

  it.each(["relay_lost", "session_not_attached", "sequence_gap", "flow_control"] as const)(
    "[A5] %s makes it attach again",
    (reason) => {
      const link = Link.open(options);
      expect(half(link.a).receive(fault(link, reason))).toMatchObject([{ kind: "fault" }]);
      expect(typesOf(half(link.a).lines())).toEqual(["SESSION_RESUME"]);
      // What it hears while it asks is answered by that question, unless the question itself may be lost.
      half(link.a).receive(fault(link, reason));
      expect(typesOf(half(link.a).lines())).toEqual(reason === "relay_lost" ? ["SESSION_RESUME"] : []);
    },
  );

  it("[A5, N3] relay_lost makes it ask again for what it waits for", () => {
    const link = new Link(options);
    link.a.session = ClientSession.offer(link.session_id, "analyst", { why: 1 }, mint);
    const init = half(link.a).lines();
    expect(half(link.a).lines()).toEqual([]);
    half(link.a).receive(fault(link, "relay_lost"));
    expect(half(link.a).lines()).toEqual(init);
    link.say(link.a, ...init.map((line) => JSON.parse(line)));
    const accept = half(link.b).lines();
    half(link.b).receive(fault(link, "relay_lost"));
    expect(half(link.b).lines()).toEqual(accept);
  });

  it("[N3] an acceptance that was lost is asked for again, with what came after it", () => {
    const link = new Link(options);
    link.loses = (end) => end === link.b;
    link.a.session = ClientSession.offer(link.session_id, "analyst", undefined, mint);
    link.run();
    send(link.a, 1);
    link.run();
    link.loses = undefined;
    link.b.reconnect();
    link.run();
    expect(link.b.work()).toEqual([{ content: 1 }]);
  });

  it("[S3] what comes twice is heard once, and acknowledged again", () => {
    const link = Link.open(options);
    send(link.a, 1);
    link.run();
    const again = link.b.got.find(({ type }) => type === "MESSAGE");
    if (again === undefined) throw new Error("it never came");
    expect(half(link.b).receive(again)).toEqual([]);
    expect(
      half(link.b)
        .lines()
        .map((line) => JSON.parse(line)),
    ).toMatchObject([{ type: "MESSAGE_ACK", ack: 1 }]);
  });

  it.each([
    "session_unknown",
    "session_closed",
    "invalid_envelope",
    "envelope_too_large",
    "too_deep",
    "from_mismatch",
  ] as const)("[X3] %s ends it; another error does not", (reason) => {
    const link = Link.open(options);
    expect(half(link.a).receive(fault(link, "task_unknown"))).toMatchObject([{ kind: "fault" }]);
    expect(half(link.a).state).toBe("ready");
    expect(half(link.a).receive(fault(link, reason))).toMatchObject([{ kind: "ended", reason }]);
    send(link.a, 1);
    half(link.a).connected();
    half(link.a).reattach();
    expect(half(link.a).lines()).toEqual([]);
    expect(half(link.a).receive(fault(link, "relay_lost"))).toEqual([]);
  });

  it.each(["session_exists", "self_session", "too_many_sessions"] as const)("[X3] %s ends an offer", (reason) => {
    const link = new Link(options);
    link.a.session = ClientSession.offer(link.session_id, "analyst", undefined, mint);
    expect(half(link.a).receive(fault(link, reason))).toMatchObject([{ kind: "ended", reason }]);
    expect(half(link.a).lines()).toEqual([]);
  });

  it.each(["gap", "epoch_mismatch", "unknown", "closed"] as const)("[A2] RESUMED %s ends it", (outcome) => {
    const link = Link.open(options);
    send(link.a, 1, 2);
    half(link.a).connected();
    const data = { outcome, received: 1, delivered: 0 };
    const events = half(link.a).receive({
      type: "SESSION_RESUMED",
      id: mint(),
      session_id: link.session_id,
      limit: 0,
      data,
    });
    expect(events).toMatchObject([
      { kind: "receipts", stored: 1 },
      { kind: "ended", reason: `resume_${outcome}` },
    ]);
  });

  it("[N4] a rejection ends it with its reason", () => {
    const link = new Link(options);
    link.b.up = false;
    link.a.session = ClientSession.offer(link.session_id, "analyst", undefined, mint);
    link.run();
    expect(ended(link.a)).toEqual(["agent_offline"]);
  });

  it("[N7, N10] SESSION_CLOSE comes after all before it, and both ends hear of the end", () => {
    const link = Link.open(options);
    send(link.a, 1);
    half(link.a).send("SESSION_CLOSE", mint(), {});
    send(link.b, 2);
    link.run();
    expect(link.b.work()).toEqual([{ content: 1 }, {}]);
    expect([ended(link.a), ended(link.b)]).toEqual([["closed"], ["closed"]]);
    expect(link.store.record?.state).toBe("closed");
  });
});
