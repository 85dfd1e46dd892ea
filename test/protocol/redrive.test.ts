// Dead letters at their target: taken once, in order, as work of their sender's; bounded; and forgetting an ended session.
import { describe, expect, it } from "vitest";
import {
  deadReason,
  isRedrivable,
  type Letter,
  noteRedrive,
  type Redriven,
  takerOf,
} from "../../protocol/session/redrive.ts";
import type { Side, TaskRecord } from "../../protocol/session/tasks.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { type End, memories, mint } from "./link.ts";
import { contents, last, Raw, said } from "./raw.ts";

const source = mint();
const message = (seq: number, content: unknown = seq) => ({
  type: "MESSAGE",
  id: mint(),
  session_id: source,
  seq,
  from: "planner",
  data: { content },
});
const request = (seq: number, task_id: string, more: object = {}) => ({
  ...message(seq),
  type: "TASK_REQUEST",
  data: { task_id, capability: "analyze", input: task_id, ...more },
});
const letter = (envelope: { seq: number }): Letter => ({ seq: envelope.seq, line: JSON.stringify(envelope) });
const messages = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => letter(message(first + i)));

/** Hands letters to a session, as their source does. */
function hand(link: Raw, letters: Letter[], side: Side = 0): Redriven | undefined {
  let answer: Redriven | undefined;
  link.event((broker) => {
    const before = link.store.redrivenThrough(source, side);
    const output = broker.redrive(side, source, letters, before, link.now);
    answer = output.answer;
    return output;
  });
  return answer;
}

const seqs = (end: End) => said(end, "MESSAGE").map(({ seq }) => seq);

describe.each(memories)("dead letters at their target (evicting: $evicting)", (options) => {
  it("[D2, D3] are taken once, in order, with their ids, between what their sender sends", () => {
    const link = Raw.accepted(options);
    link.say(link.a, ...link.messages(1, 2));
    const letters = messages(7, 9);
    expect(hand(link, letters)).toEqual({ through: 9, taken: 3, skipped: 0 });
    // The answer was lost: the same once more, and what comes after it.
    expect(hand(link, [...letters, letter(message(12))])).toEqual({ through: 12, taken: 1, skipped: 0 });
    expect(hand(link, letters)).toEqual({ through: 12, taken: 0, skipped: 0 });
    link.say(link.a, link.message(3, "after"));
    expect(contents(link.b)).toEqual([1, 2, 7, 8, 9, 12, "after"]);
    expect(seqs(link.b)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(said(link.b, "MESSAGE")[2]).toMatchObject({
      id: JSON.parse(letters[0]?.line ?? "").id,
      session_id: link.session_id,
      from: "planner",
    });
    link.say(link.b, link.ack(7));
    expect(last(link.a, "MESSAGE_ACK")).toMatchObject({ ack: 3, data: { delivered: 3 } });
  });

  it("[D2] what crashed before its rows were stored is taken when it is handed over again", () => {
    const link = Raw.accepted(options);
    const letters = messages(1, 3);
    // The effects are never carried out: rows and the note of them go together.
    link.broker.redrive(0, source, letters, 0, link.now);
    link.evict();
    expect(hand(link, letters)).toMatchObject({ taken: 3 });
    expect(contents(link.b)).toEqual([1, 2, 3]);
    const effects = link.log.filter(({ do: what }) => what === "store" || what === "redriven");
    expect(effects.map(({ do: what }) => what).slice(-4)).toEqual(["store", "store", "store", "redriven"]);
  });

  it("[D3] open their tasks there, as if requested there", () => {
    const link = Raw.accepted(options);
    const [one, two, three] = [mint(), mint(), mint()];
    link.say(link.a, link.of("TASK_REQUEST", { seq: 1, data: { task_id: one, capability: "analyze", input: one } }));
    const gone = new Date(link.now - 1).toISOString();
    const soon = new Date(link.now + 60_000).toISOString();
    const letters = [
      letter(request(4, one)),
      letter(request(5, two, { deadline: soon })),
      letter(request(6, three, { deadline: gone })),
    ];
    expect(hand(link, letters)).toEqual({ through: 6, taken: 1, skipped: 2 });
    expect(said(link.b, "TASK_REQUEST").map(({ data, seq }) => [data.task_id, seq])).toEqual([
      [one, 1],
      [two, 2],
    ]);
    expect(link.deadline).toBe(Date.parse(soon) + limits.deadlineGraceMs);
    link.say(link.b, link.of("TASK_RESPONSE", { seq: 1, data: { task_id: two, status: "succeeded", result: 2 } }));
    expect(last(link.a, "TASK_RESPONSE").data).toMatchObject({ task_id: two, result: 2 });
    expect(link.store.find(two)?.state).toBe("succeeded");
  });

  it("[D4, W2, L26] wait while there is no room, and leave the room of open tasks", () => {
    const link = Raw.accepted(options);
    const letters = messages(1, 300);
    expect(hand(link, letters)).toEqual({ through: limits.redriveRowsMax, taken: limits.redriveRowsMax, skipped: 0 });
    expect(hand(link, letters)).toMatchObject({ taken: 0, through: limits.redriveRowsMax });
    for (let seq = 1; seq <= limits.openTasksMax; seq++) {
      const data = { task_id: mint(), capability: "c", input: seq };
      link.say(link.a, link.of("TASK_REQUEST", { seq, data }));
    }
    expect(said(link.a, "ERROR")).toEqual([]);
    expect(hand(link, [letter(request(200, mint()))])).toMatchObject({ taken: 0 });
    link.say(link.b, link.ack(limits.redriveRowsMax));
    expect(hand(link, [letter(request(200, mint()))])).toMatchObject({ taken: 0 });
    expect(hand(link, letters)).toMatchObject({ taken: limits.redriveRowsMax, through: 2 * limits.redriveRowsMax });
  });

  it("[D4, L6] wait while as many bytes wait as a window has", () => {
    const link = Raw.accepted(options);
    const content = "x".repeat(200 * 1024);
    const letters = Array.from({ length: 40 }, (_, i) => letter(message(i + 1, content)));
    const taken = hand(link, letters)?.taken ?? 0;
    expect(taken * content.length).toBeGreaterThanOrEqual(limits.windowBytes);
    expect((taken - 1) * content.length).toBeLessThan(limits.windowBytes);
  });

  it("[D2] go into an active session only", () => {
    const link = Raw.accepted(options);
    link.say(link.a, link.close(1));
    expect(hand(link, messages(1, 1))).toBeUndefined();
    const pending = new Raw(options);
    pending.init();
    expect(hand(pending, messages(1, 1))).toBeUndefined();
    expect([...link.store.redriven, ...pending.store.redriven]).toEqual([]);
  });

  it("the source remembers where they went", () => {
    const link = Raw.accepted(options);
    link.say(link.a, ...link.messages(1, 9));
    link.expire();
    const [one, two] = [mint(), mint()];
    const note = (target: string, after: number, through: number) =>
      link.event((broker) => broker.redriving(0, target, after, through, link.now));
    note(one, 0, 0);
    note(one, 0, 4);
    note(two, 4, 4);
    note(two, 4, 9);
    const record = link.store.record;
    if (record === undefined) throw new Error("no record");
    expect([1, 4, 5, 9, 10].map((seq) => takerOf(record, 0, seq))).toEqual([one, one, two, two, undefined]);
    expect(takerOf(record, 1, 1)).toBeUndefined();
    expect(deadReason(record)).toBe("session_expired");
  });

  it("[D5, L27] an ended session is forgotten, and not before D1 knows of its end", () => {
    const link = Raw.accepted(options);
    link.indexes = false;
    link.say(link.a, link.close(1));
    link.say(link.b, link.ack(1));
    link.say(link.a, link.ack(0));
    expect(link.store.record?.state).toBe("closed");
    const endedAt = link.now;
    const erased = () => link.log.filter(({ do: what }) => what === "erase").length;
    link.now = endedAt + limits.tombstoneMs;
    link.wake();
    expect([erased(), link.deadline]).toEqual([0, link.now + limits.indexRetryMs]);
    link.indexes = true;
    link.now += limits.indexRetryMs;
    link.wake();
    link.now += limits.indexRetryMs;
    link.wake();
    // Asked for again until it is done.
    expect([erased() > 0, link.deadline]).toEqual([true, link.now + limits.indexRetryMs]);
    link.now += limits.indexRetryMs;
    link.log = [];
    link.wake();
    expect(erased()).toBe(1);
  });
});

it("targets that took nothing leave no trace in the list", () => {
  const [one, two, three] = [mint(), mint(), mint()];
  let list = noteRedrive(undefined, { side: 0, target: one, after: 3, through: 3 });
  list = noteRedrive(list, { side: 1, target: one, after: 0, through: 0 });
  list = noteRedrive(list, { side: 0, target: two, after: 3, through: 3 });
  list = noteRedrive(list, { side: 0, target: two, after: 5, through: 5 });
  list = noteRedrive(list, { side: 0, target: three, after: 5, through: 5 });
  expect(list).toEqual([
    { side: 1, target: one, after: 0, through: 0 },
    { side: 0, target: two, after: 3, through: 5 },
    { side: 0, target: three, after: 5, through: 5 },
  ]);
});

it("[D3] messages go on, and requests of tasks that were neither answered nor cancelled", () => {
  const open: TaskRecord = { task_id: mint(), requester: 0, state: "cancelled", digest: "" };
  expect(isRedrivable("MESSAGE")).toBe(true);
  expect(isRedrivable("TASK_REQUEST", open)).toBe(true);
  expect(isRedrivable("TASK_REQUEST", open, true)).toBe(false);
  expect(isRedrivable("TASK_REQUEST", { ...open, state: "succeeded", response: "{}" })).toBe(false);
  for (const type of ["TASK_PROGRESS", "TASK_RESPONSE", "TASK_CANCEL", "SESSION_CLOSE"]) {
    expect(isRedrivable(type, open)).toBe(false);
  }
});
