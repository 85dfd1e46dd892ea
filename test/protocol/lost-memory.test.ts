// Agents that lost their memory: what they are told of their own past, and what comes again.
import { describe, expect, it } from "vitest";
import { ClientSession } from "../../protocol/session/client.ts";
import { type End, Link, memories, mint } from "./link.ts";
import { deafen, errorsOf, last, Raw, said } from "./raw.ts";

const lost = (link: Raw) => link.of("SESSION_RESUME", { data: { received: null } });

function withTask(options: { evicting: boolean }) {
  const link = Raw.accepted(options);
  const task_id = mint();
  const data = { task_id, capability: "c", input: { n: 1 } };
  link.say(link.a, link.of("TASK_REQUEST", { seq: 1, data }));
  return { link, task_id, data };
}

describe.each(memories)("an agent without memory (evicting: $evicting)", (options) => {
  it("[A8] learns where its streams stand, and gets what it had not acknowledged", () => {
    const link = Raw.accepted(options);
    link.say(link.a, ...link.messages(1, 5));
    link.say(link.b, link.message(1), link.message(2), link.ack(3));
    deafen(link.a, link.b);
    link.b.reconnect();
    link.say(link.b, lost(link));
    expect(last(link.b, "SESSION_RESUMED").data).toMatchObject({
      outcome: "resumed",
      epoch: link.store.record?.epoch,
      received: 2,
      taken: 3,
      sent: 5,
      requested: [],
    });
    expect(said(link.b, "MESSAGE").map(({ seq }) => seq)).toEqual([4, 5]);
    link.say(link.b, link.message(3), link.ack(5));
    expect(errorsOf(link.b)).toEqual([]);
    expect(said(link.a, "MESSAGE").map(({ seq }) => seq)).toEqual([3]);
  });

  it("[A8, T12] a performer gets its open task again, once, and can tell that it may have begun it", () => {
    const { link, task_id } = withTask(options);
    // Stored with the row that comes next: a broker that loses its memory before that knows less, and says so by `sent`.
    link.say(link.b, link.ack(1), link.message(1));
    for (const seq of [2, 2]) {
      deafen(link.b);
      link.b.reconnect();
      link.say(link.b, lost(link));
      const { sent = 0 } = last(link.b, "SESSION_RESUMED").data;
      const again = said(link.b, "TASK_REQUEST");
      expect(again.map((request) => [request.seq, request.data.task_id])).toEqual([[seq, task_id]]);
      expect(again.every((request) => request.data.redelivered || request.seq <= sent)).toBe(true);
    }
    link.say(link.b, link.ack(2), link.of("TASK_RESPONSE", { seq: 2, data: { task_id, status: "succeeded" } }));
    expect(last(link.a, "TASK_RESPONSE").data.status).toBe("succeeded");
    deafen(link.b);
    link.b.reconnect();
    link.say(link.b, lost(link));
    expect(said(link.b, "TASK_REQUEST")).toEqual([]);
  });

  it("[A8, T12] a request that was not acknowledged comes as it was", () => {
    const { link, data } = withTask(options);
    deafen(link.b);
    link.b.reconnect();
    link.say(link.b, lost(link));
    expect(said(link.b, "TASK_REQUEST").map((request) => [request.seq, request.data])).toEqual([[1, data]]);
  });

  it("[A8, T3, T12] a requester learns which of its tasks are open, asks again, and gets the response", () => {
    const { link, task_id, data } = withTask(options);
    link.say(link.b, link.ack(1));
    link.a.reconnect();
    link.say(link.a, lost(link));
    expect(last(link.a, "SESSION_RESUMED").data).toMatchObject({ received: 1, taken: 0, requested: [task_id] });
    link.say(link.a, link.of("TASK_REQUEST", { seq: 2, data }));
    expect(said(link.b, "TASK_REQUEST")).toHaveLength(1);
    link.say(link.b, link.of("TASK_RESPONSE", { seq: 1, data: { task_id, status: "succeeded", result: 7 } }));
    expect(last(link.a, "TASK_RESPONSE").data).toMatchObject({ task_id, result: 7 });
  });

  it("[A8, A2] hears of an ended session that it ended", () => {
    const link = Raw.accepted(options);
    link.say(link.a, link.close(1), link.ack(0));
    link.say(link.b, link.ack(1));
    link.say(link.a, lost(link));
    expect(last(link.a, "SESSION_RESUMED").data).toMatchObject({ outcome: "closed", received: 1 });
  });
});

/** Another life of that agent, on a connection of its own. */
function begin(end: End, session: ClientSession): void {
  end.session = session;
  deafen(end);
  end.reconnect();
}

const kindsOf = (end: End) => end.heard.map(({ kind }) => kind);

describe.each(memories)("the client half of a life without memory (evicting: $evicting)", (options) => {
  it("[N3, A8] accepts an offer that an earlier life had accepted: it asks where that came to", () => {
    const link = new Link(options);
    link.a.session = ClientSession.offer(link.session_id, "analyst", undefined, mint);
    link.run();
    link.a.session.send("MESSAGE", mint(), { content: "one" });
    link.run();
    const offer = said(link.b, "SESSION_INIT")[0];
    if (offer === undefined) throw new Error("no offer came");
    begin(link.b, ClientSession.accept(offer, mint));
    link.a.session.send("MESSAGE", mint(), { content: "two" });
    link.run();
    expect(errorsOf(link.b)).toEqual(["session_not_pending"]);
    expect(kindsOf(link.b)).toEqual(expect.arrayContaining(["recovered", "work"]));
    expect(link.b.work().at(-1)).toEqual({ content: "two" });
    link.b.session?.send("MESSAGE", mint(), { content: "three" });
    link.run();
    expect(link.a.work()).toEqual([{ content: "three" }]);
  });

  it("[A8] takes no work before it knows where the stream stands: then it comes, marked by `sent`", () => {
    const link = Link.open(options);
    link.b.takes = false;
    link.a.session?.send("MESSAGE", mint(), { content: "one" });
    link.run();
    begin(link.b, ClientSession.recover(link.session_id, "planner", mint));
    link.b.takes = true;
    link.loses = (_, frame) => frame.includes("SESSION_RESUMED");
    link.run();
    expect(said(link.b, "MESSAGE")).toHaveLength(1);
    expect(link.b.heard).toEqual([]);
    link.loses = undefined;
    link.b.session?.reattach();
    link.run();
    expect(kindsOf(link.b)).toEqual(["recovered", "work"]);
    expect(link.b.heard[0]).toMatchObject({ sent: 1, closing: false });
    expect(link.a.heard.at(-1)).toEqual({ kind: "receipts", stored: 1, delivered: 1 });
  });

  it("[A8, N8] learns that an earlier life has closed: it says nothing more, takes what is left, and the session ends", () => {
    const link = Link.open(options);
    link.b.takes = false;
    link.a.session?.send("MESSAGE", mint(), { content: "one" });
    link.run();
    link.b.session?.send("SESSION_CLOSE", mint(), {});
    link.run();
    begin(link.b, ClientSession.recover(link.session_id, "planner", mint));
    link.b.takes = true;
    link.run();
    expect(link.b.heard[0]).toMatchObject({ kind: "recovered", closing: true });
    expect(link.b.work()).toEqual([{ content: "one" }]);
    expect(link.b.heard.at(-1)).toMatchObject({ kind: "ended", reason: "closed" });
    expect(link.a.heard.at(-1)).toMatchObject({ kind: "ended", reason: "closed" });
  });
});
