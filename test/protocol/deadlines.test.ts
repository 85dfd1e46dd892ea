// Tasks and time: deadlines, cancels that nobody answers, and results that come a little late or too late. Time is the test's.
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import { memories, mint } from "./link.ts";
import { errorsOf, last, Raw, said } from "./raw.ts";

const at = (ms: number) => new Date(ms).toISOString();

/** One task of the planner's, due in a minute, that the analyst has. */
function asked(options: { evicting: boolean }, deadlineMs = 60_000) {
  const link = Raw.accepted(options);
  const task_id = mint();
  const deadline = link.now + deadlineMs;
  const data = { task_id, capability: "c", input: 1, deadline: at(deadline) };
  link.say(link.a, link.of("TASK_REQUEST", { seq: 1, data }));
  const answer = (seq: number, status = "succeeded") => link.of("TASK_RESPONSE", { seq, data: { task_id, status } });
  const ring = (now: number) => {
    link.now = now;
    link.event((broker) => broker.wake(undefined, now));
  };
  return { link, task_id, deadline, data, answer, ring };
}

describe.each(memories)("deadlines (evicting: $evicting)", (options) => {
  it("[T10] the performer hears of the deadline, and the session is woken for it after the grace", () => {
    const { link, deadline, data } = asked(options);
    expect(last(link.b, "TASK_REQUEST").data).toEqual(data);
    expect(link.deadline).toBe(deadline + limits.deadlineGraceMs);
  });

  it("[T10, T4] ends the task as expired: the requester hears it, the performer is to stop, a late result is refused", () => {
    const { link, task_id, deadline, answer, ring } = asked(options);
    ring(deadline + limits.deadlineGraceMs);
    expect(last(link.a, "TASK_RESPONSE").data).toMatchObject({ task_id, status: "expired" });
    expect(last(link.b, "TASK_CANCEL").data).toEqual({ task_id, reason: "deadline_exceeded" });
    link.say(link.b, answer(1));
    expect(errorsOf(link.b)).toEqual(["task_finished"]);
    expect(said(link.a, "TASK_RESPONSE")).toHaveLength(1);
    expect(link.store.tasks.get(task_id)).toMatchObject({ state: "expired" });
    ring(deadline + 10 * limits.deadlineGraceMs);
    expect(said(link.a, "TASK_RESPONSE")).toHaveLength(1);
  });

  it("[T10, L19] a result within the grace wins; one after it loses, even before the alarm has rung", () => {
    for (const [lateMs, status] of [
      [limits.deadlineGraceMs - 1, "succeeded"],
      [limits.deadlineGraceMs, "expired"],
    ] as const) {
      const { link, deadline, answer } = asked(options);
      link.now = deadline + lateMs;
      link.say(link.b, answer(1));
      expect(said(link.a, "TASK_RESPONSE").map(({ data }) => data.status)).toEqual([status]);
    }
  });

  it("[T10] a deadline that has passed ends the task before it begins", () => {
    const { link } = asked(options, 0);
    expect(last(link.a, "TASK_RESPONSE").data.status).toBe("expired");
    expect(said(link.b, "TASK_REQUEST")).toEqual([]);
  });

  it("[T10, L18] a deadline too far away is refused", () => {
    expect(errorsOf(asked(options, limits.deadlineMsMax + 1).link.a)).toEqual(["deadline_too_far"]);
    expect(errorsOf(asked(options, limits.deadlineMsMax).link.a)).toEqual([]);
  });

  it("[T10, S1] reaches who was away: the end of the task waits in the stream like everything else", () => {
    const { link, deadline, ring } = asked(options);
    link.a.up = false;
    ring(deadline + limits.deadlineGraceMs);
    link.a.reconnect();
    link.say(link.a, link.resume(0, 1, 2));
    expect(last(link.a, "TASK_RESPONSE").data.status).toBe("expired");
  });

  it("[T11, L20] a cancel that nobody answers is finished by the broker", () => {
    const { link, task_id, ring } = asked(options, limits.deadlineMsMax);
    link.say(link.a, link.of("TASK_CANCEL", { seq: 2, data: { task_id } }));
    expect(link.deadline).toBe(link.now + limits.cancelGraceMs);
    ring(link.now + limits.cancelGraceMs);
    expect(last(link.a, "TASK_RESPONSE").data).toMatchObject({
      status: "cancelled",
      error: { reason: "cancel_unanswered" },
    });
    expect(said(link.b, "TASK_CANCEL")).toHaveLength(1);
  });

  it("[T5, T11] an answered cancel wakes nobody any more", () => {
    const { link, task_id, answer } = asked(options, limits.deadlineMsMax);
    link.say(link.a, link.of("TASK_CANCEL", { seq: 2, data: { task_id } }));
    link.say(link.b, answer(1, "cancelled"));
    expect(link.deadline).toBe(link.store.record?.timers.idle);
  });
});
