// Agents that lost their memory: what they are told of their own past, and what comes again.
import { describe, expect, it } from "vitest";
import { memories, mint } from "./link.ts";
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
