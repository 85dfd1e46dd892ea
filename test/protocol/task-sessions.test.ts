// Tasks through the broker: what each side hears, what is stored, how many may be open.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import { type End, memories, mint } from "./link.ts";
import { deafen, errorsOf, last, Raw, said } from "./raw.ts";

/** Speaks tasks for both ends, and keeps their numbers. */
class Tasks extends Raw {
  readonly #seq = new Map<End, number>();

  tell(end: End, type: string, data: object): object {
    const seq = (this.#seq.get(end) ?? 0) + 1;
    this.#seq.set(end, seq);
    return this.of(type, { seq, data });
  }

  ask(task_id: string, input: unknown = 1): object {
    return this.tell(this.a, "TASK_REQUEST", { task_id, capability: "c", input });
  }

  answer(task_id: string, status = "succeeded", result: unknown = 3): object {
    return this.tell(this.b, "TASK_RESPONSE", { task_id, status, result });
  }

  static begun(options: { evicting: boolean }): Tasks {
    const link = new Tasks(options);
    link.init();
    link.accept();
    return link;
  }
}

describe.each(memories)("tasks (evicting: $evicting)", (options) => {
  it("[T1, T4] request, progress, response; a late response is refused and nothing of it passed on", () => {
    const link = Tasks.begun(options);
    const task_id = mint();
    link.say(link.a, link.ask(task_id));
    expect(last(link.b, "TASK_REQUEST").data).toEqual({ task_id, capability: "c", input: 1 });
    link.say(link.b, link.tell(link.b, "TASK_PROGRESS", { task_id, progress: 50 }), link.answer(task_id));
    expect(last(link.a, "TASK_PROGRESS").data.progress).toBe(50);
    expect(last(link.a, "TASK_RESPONSE").data).toEqual({ task_id, status: "succeeded", result: 3 });
    link.say(link.b, link.answer(task_id, "failed"), link.tell(link.b, "TASK_PROGRESS", { task_id, progress: 60 }));
    expect(errorsOf(link.b)).toEqual(["task_finished", "task_finished"]);
    expect(said(link.a, "TASK_RESPONSE")).toHaveLength(1);
    expect(link.store.tasks.get(task_id)?.state).toBe("succeeded");
  });

  it("[T2] a session has its own tasks, each with two parts", () => {
    const link = Tasks.begun(options);
    const task_id = mint();
    link.say(link.b, link.answer(task_id));
    link.say(link.a, link.ask(task_id), link.tell(link.a, "TASK_RESPONSE", { task_id, status: "failed" }));
    link.say(link.b, link.tell(link.b, "TASK_CANCEL", { task_id }));
    expect(errorsOf(link.b)).toEqual(["task_unknown", "task_not_yours"]);
    expect(errorsOf(link.a)).toEqual(["task_not_yours"]);
    expect(last(link.a, "ERROR").data.task_id).toBe(task_id);
  });

  it("[T3, S1] a repeated request never runs twice; once answered, the answer is sent again", () => {
    const link = Tasks.begun(options);
    const task_id = mint();
    link.say(link.a, link.ask(task_id), link.ask(task_id));
    expect(said(link.b, "TASK_REQUEST")).toHaveLength(1);
    link.say(link.b, link.answer(task_id, "succeeded", { a: [1, "\n"] }));
    const again = link.ask(task_id) as { id?: string };
    link.say(link.a, again);
    const answers = said(link.a, "TASK_RESPONSE");
    expect(answers.map(({ seq, data }) => [seq, data])).toEqual([1, 2].map((seq) => [seq, answers[0]?.data]));
    expect(answers[1]).toMatchObject({ from: "analyst", in_reply_to: again.id });
    expect(said(link.b, "TASK_REQUEST")).toHaveLength(1);
    link.say(link.a, link.ask(task_id, "other"));
    expect(errorsOf(link.a)).toEqual(["task_conflict"]);
    // The performer's stream goes on behind the answer that the broker made.
    link.say(link.b, link.tell(link.b, "MESSAGE", { content: "next" }));
    expect(last(link.a, "MESSAGE").seq).toBe(3);
    link.say(link.a, link.ack(3));
    expect(last(link.b, "MESSAGE_ACK").data?.delivered).toBe(2);
  });

  it("[T3] the answer to a repetition survives a reconnect, as work does", () => {
    const link = Tasks.begun(options);
    const task_id = mint();
    link.say(link.a, link.ask(task_id));
    link.say(link.b, link.answer(task_id));
    link.say(link.a, link.ask(task_id));
    const before = said(link.a, "TASK_RESPONSE");
    deafen(link.a);
    link.a.reconnect();
    link.say(link.a, link.resume(0, 1, 3));
    expect(said(link.a, "TASK_RESPONSE")).toEqual(before);
  });

  it("[T3] a slow requester that repeats without end is stopped", () => {
    const link = Tasks.begun(options);
    const task_id = mint();
    link.say(link.a, link.ask(task_id));
    link.say(link.b, link.ack(1), link.answer(task_id));
    for (let i = 0; i < limits.brokerRowsMax + 20; i++) {
      link.say(link.a, link.ask(task_id));
      if (i % 50 === 0) link.evict();
    }
    expect(new Set(errorsOf(link.a))).toEqual(new Set(["too_many_tasks"]));
    expect(link.store.rows[1].size).toBeLessThanOrEqual(limits.brokerRowsMax + 2);
  });

  it("[T5, T6] cancel: passed on once; the result that was faster stands, a cancel that crossed it is no error", () => {
    const link = Tasks.begun(options);
    const [one, two] = [mint(), mint()];
    const cancel = (task_id: string) => link.tell(link.a, "TASK_CANCEL", { task_id, reason: "late" });
    link.say(link.a, link.ask(one), link.ask(two), cancel(one), cancel(one));
    expect(said(link.b, "TASK_CANCEL").map(({ data }) => data)).toEqual([{ task_id: one, reason: "late" }]);
    expect(link.store.tasks.get(one)?.state).toBe("cancelling");
    link.say(link.b, link.answer(one), link.answer(two, "cancelled"));
    expect([one, two].map((id) => link.store.tasks.get(id)?.state)).toEqual(["succeeded", "cancelled"]);
    link.say(link.a, cancel(two));
    expect(errorsOf(link.a)).toEqual([]);
    expect(said(link.b, "TASK_CANCEL")).toHaveLength(1);
    expect(last(link.a, "MESSAGE_ACK").ack).toBe(5);
  });

  it("[T7, L9] 128 tasks are open at most; one that ends makes room, also in the same frame", () => {
    const link = Tasks.begun(options);
    const ids = Array.from({ length: limits.openTasksMax + 1 }, () => mint());
    for (const part of [ids.slice(0, 100), ids.slice(100)]) link.say(link.a, ...part.map((id) => link.ask(id)));
    expect(errorsOf(link.a)).toEqual(["too_many_tasks"]);
    expect(link.store.open().length).toBe(limits.openTasksMax);
    const own = { task_id: mint(), capability: "c", input: 1 };
    link.say(link.b, link.answer(ids[0] ?? ""), link.tell(link.b, "TASK_REQUEST", own));
    expect(errorsOf(link.b)).toEqual([]);
    expect(errorsOf(link.a)).toEqual(["too_many_tasks"]);
    expect(link.store.open().length).toBe(limits.openTasksMax);
  });

  it("[T8] the end of the session cancels what is open", () => {
    const link = Tasks.begun(options);
    const [open, done] = [mint(), mint()];
    link.say(link.a, link.ask(open), link.ask(done));
    link.say(link.b, link.answer(done));
    link.say(link.a, link.tell(link.a, "SESSION_CLOSE", {}), link.ack(1));
    link.say(link.b, link.ack(3));
    expect([open, done].map((id) => link.store.tasks.get(id)?.state)).toEqual(["cancelled", "succeeded"]);
  });

  it("[T9] what is refused or kept has taken its seq, and the rest of the frame is passed on in order", () => {
    const link = Tasks.begun(options);
    const task_id = mint();
    const frame = [
      link.ask(task_id),
      link.tell(link.a, "TASK_CANCEL", { task_id: mint() }),
      link.ask(task_id),
      link.tell(link.a, "MESSAGE", { content: "end" }),
    ];
    link.say(link.a, ...frame);
    expect(last(link.a, "ERROR").data).toMatchObject({ reason: "task_unknown", processed: "yes" });
    expect(last(link.a, "MESSAGE_ACK").ack).toBe(4);
    expect(said(link.b, "MESSAGE").map(({ seq }) => seq)).toEqual([2]);
    const receipts = [1, 2].map((ack) => {
      link.say(link.b, link.ack(ack));
      return last(link.a, "MESSAGE_ACK").data?.delivered;
    });
    expect(receipts.at(-1)).toBe(4);
  });

  it("[S7, T9] receipts are exact where the broker kept something in the midst of a frame", () => {
    const link = Tasks.begun(options);
    const kept = () => link.tell(link.a, "TASK_CANCEL", { task_id: mint() });
    const passed = () => link.tell(link.a, "MESSAGE", { content: 0 });
    const delivered = () => Math.max(...said(link.a, "MESSAGE_ACK").map(({ data }) => data?.delivered ?? 0));
    link.say(link.a, kept(), passed(), passed(), kept(), kept(), passed(), kept());
    const receipts = [0, 1, 2, 3].map((ack) => {
      link.say(link.b, link.ack(ack));
      return delivered();
    });
    expect(receipts).toEqual([1, 2, 5, 7]);
  });

  it("[T3, T4] whatever is said: one terminal state a task, and its first response is every later one", () => {
    const step = fc.record({
      what: fc.constantFrom("ask", "answer", "cancel", "progress"),
      which: fc.nat(3),
      side: fc.nat(1),
      n: fc.nat(1),
    });
    fc.assert(
      fc.property(fc.array(fc.array(step, { minLength: 1, maxLength: 8 }), { maxLength: 30 }), (frames) => {
        const link = Tasks.begun(options);
        const ids = Array.from({ length: 4 }, () => mint());
        const ended = new Map<string, string>();
        for (const frame of frames) {
          const end = frame[0]?.side === 0 ? link.a : link.b;
          const envelopes = frame.map(({ what, which, n }) => {
            const task_id = ids[which];
            if (what === "ask") return link.tell(end, "TASK_REQUEST", { task_id, capability: "c", input: n });
            if (what === "answer")
              return link.tell(end, "TASK_RESPONSE", { task_id, status: n ? "failed" : "succeeded" });
            return link.tell(end, what === "cancel" ? "TASK_CANCEL" : "TASK_PROGRESS", { task_id, progress: n });
          });
          link.say(end, ...envelopes);
          for (const { task_id, state, response } of link.store.tasks.values()) {
            if (response === undefined) continue;
            expect(`${state} ${response}`).toBe(ended.get(task_id) ?? `${state} ${response}`);
            ended.set(task_id, `${state} ${response}`);
          }
        }
        for (const end of link.ends) {
          for (const { data } of said(end, "TASK_RESPONSE"))
            expect(ended.get(data.task_id)).toBe(`${data.status} ${JSON.stringify(data)}`);
          expect(new Set(said(end, "TASK_REQUEST").map(({ data }) => data.task_id)).size).toBe(
            said(end, "TASK_REQUEST").length,
          );
        }
      }),
      { numRuns: 60 },
    );
  });
});
