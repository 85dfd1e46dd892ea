// Tasks: who may say what when, repetitions, cancelling, deadlines, and a performer that lost its memory (PROTOCOL T).
import { type Check, must } from "../check.ts";
import { ack, close, message, recover, request, response, type Stage, uuid } from "./stage.ts";

const progress = (session_id: string, seq: number, task_id: string): object => ({
  type: "TASK_PROGRESS",
  id: uuid(),
  session_id,
  seq,
  data: { task_id, progress: 0.5 },
});

const cancel = (session_id: string, seq: number, task_id: string): object => ({
  type: "TASK_CANCEL",
  id: uuid(),
  session_id,
  seq,
  data: { task_id, reason: "changed my mind" },
});

export const tasks: Check<Stage>[] = [
  {
    rules: ["T1", "T4", "T9"],
    title: "asked, worked at, answered; a second answer is task_finished and has taken its seq",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      const task = uuid();
      a.say(request(session_id, 1, task));
      must("T1", (await b.next("TASK_REQUEST")).data.task_id === task, "the request comes");
      b.say(progress(session_id, 1, task), response(session_id, 2, task));
      must("T1", (await a.next("TASK_PROGRESS")).data.task_id === task, "the progress comes");
      must("T1", (await a.next("TASK_RESPONSE")).data.status === "succeeded", "the response comes");
      b.say(response(session_id, 3, task, "failed"));
      const error = await b.error("T4", "task_finished");
      must("T9", error.data.processed === "yes", `processed ${error.data.processed}, not yes`);
      b.say(message(session_id, 4, "on"));
      must("T9", (await a.next("MESSAGE")).data.content === "on", "the stream goes on");
    },
  },
  {
    rules: ["T2"],
    title: "the requester may not answer, the performer may not cancel, nobody answers what was never asked",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      const task = uuid();
      a.say(request(session_id, 1, task));
      await b.next("TASK_REQUEST");
      a.say(response(session_id, 2, task));
      await a.error("T2", "task_not_yours");
      b.say(cancel(session_id, 1, task));
      await b.error("T2", "task_not_yours");
      b.say(response(session_id, 2, uuid()));
      await b.error("T2", "task_unknown");
    },
  },
  {
    rules: ["T3"],
    title:
      "a request that is repeated never runs twice: kept while it is open, answered again afterwards, refused when it differs",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      const task = uuid();
      a.say(request(session_id, 1, task));
      await b.next("TASK_REQUEST");
      a.say(request(session_id, 2, task));
      await a.next("MESSAGE_ACK", (one) => one.ack === 2);
      await b.quiet("T3", ["TASK_REQUEST"], "while it is open a repetition is not passed on", 200);
      b.say(response(session_id, 1, task));
      await a.next("TASK_RESPONSE");
      const again = request(session_id, 3, task);
      a.say(again);
      const answered = await a.next("TASK_RESPONSE");
      must("T3", answered.in_reply_to === again.id, "the stored response names the repetition");
      must("T3", answered.data.status === "succeeded", "it is the response of before");
      a.say(request(session_id, 4, task, { input: "other" }));
      await a.error("T3", "task_conflict");
      b.say(request(session_id, 2, task));
      await b.error("T3", "task_conflict");
      await b.quiet("T3", ["TASK_REQUEST"], "nothing of this runs again", 200);
    },
  },
  {
    rules: ["T5", "T6"],
    title: "a cancel is passed on once, the performer's answer stands; one that crossed it is no error",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      const task = uuid();
      a.say(request(session_id, 1, task), cancel(session_id, 2, task), cancel(session_id, 3, task));
      await b.next("TASK_CANCEL");
      await b.quiet("T5", ["TASK_CANCEL"], "it is passed on once", 200);
      b.say(response(session_id, 1, task));
      must("T5", (await a.next("TASK_RESPONSE")).data.status === "succeeded", "what the performer answers stands");
      a.say(cancel(session_id, 4, task));
      await a.next("MESSAGE_ACK", (one) => one.ack === 4);
      await a.quiet("T6", ["ERROR"], "a cancel that crossed the response is no error", 100);
    },
  },
  {
    rules: ["T7", "L9"],
    title: "128 tasks may be open, the next is too_many_tasks",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      a.say(...Array.from({ length: 128 }, (_, i) => request(session_id, i + 1, uuid())));
      await a.next("MESSAGE_ACK", (one) => one.ack === 128);
      await b.next("TASK_REQUEST", ({ seq }) => seq === 128);
      a.say(request(session_id, 129, uuid()));
      await a.error("T7", "too_many_tasks");
    },
  },
  {
    rules: ["T8", "N10"],
    title: "what is open when the session ends is over: no response can be sent any more",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      const task = uuid();
      a.say(request(session_id, 1, task), close(session_id, 2));
      await b.next("SESSION_CLOSE");
      b.say(ack(session_id, 2));
      await b.next("SESSION_CLOSED");
      b.say(response(session_id, 1, task));
      await b.error("T8", "session_closed");
    },
  },
  {
    rules: ["T10", "L19"],
    title:
      "a deadline that passes: the requester hears expired, the performer deadline_exceeded; a late answer is task_finished",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      const task = uuid();
      // The clocks may differ a little: what is far behind ours is enough.
      const deadline = new Date(Date.now() + 1_000).toISOString();
      a.say(request(session_id, 1, task, { deadline }));
      await b.next("TASK_REQUEST");
      must(
        "T10",
        (await a.next("TASK_RESPONSE", undefined, 10_000)).data.status === "expired",
        "the status is expired",
      );
      must("T10", (await b.next("TASK_CANCEL")).data.reason === "deadline_exceeded", "the reason is deadline_exceeded");
      b.say(response(session_id, 1, task));
      await b.error("T10", "task_finished");
    },
  },
  {
    rules: ["T10", "L18"],
    title: "a deadline that has passed ends the task at once, one of more than 24 hours is deadline_too_far",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      a.say(request(session_id, 1, uuid(), { deadline: "2020-01-01T00:00:00Z" }));
      must("T10", (await a.next("TASK_RESPONSE")).data.status === "expired", "the status is expired");
      a.say(request(session_id, 2, uuid(), { deadline: new Date(Date.now() + 25 * 3_600_000).toISOString() }));
      await a.error("T10", "deadline_too_far");
      await b.quiet("T10", ["TASK_REQUEST"], "the performer hears of neither", 200);
    },
  },
  {
    rules: ["T11", "L20"],
    slow: true,
    title: "a cancel that nobody answers is finished by the broker after 30 seconds",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      const task = uuid();
      a.say(request(session_id, 1, task), cancel(session_id, 2, task));
      await b.next("TASK_CANCEL");
      const ended = await a.next("TASK_RESPONSE", undefined, 45_000);
      must("T11", ended.data.status === "cancelled", `status ${ended.data.status}`);
      must("T11", ended.data.error?.reason === "cancel_unanswered", `error ${ended.data.error?.reason}`);
    },
  },
  {
    rules: ["T12", "A8"],
    title: "a performer without memory gets its open tasks again, marked; a requester learns of its own",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      const [theirs, mine] = [uuid(), uuid()];
      a.say(request(session_id, 1, theirs));
      await b.next("TASK_REQUEST");
      b.say(request(session_id, 1, mine), ack(session_id, 1));
      await a.next("TASK_REQUEST");
      await a.next("MESSAGE_ACK", ({ data }) => data?.delivered === 1);
      b.cut();
      const back = await stage.connect("b");
      back.say(recover(session_id));
      const { data } = await back.next("SESSION_RESUMED");
      must("A8", data.requested?.join() === mine, `requested ${data.requested}`);
      const again = await back.next("TASK_REQUEST");
      must("T12", again.data.task_id === theirs && again.data.redelivered === true, "the open task, redelivered: true");
      must("T12", again.seq === 2, `under a new seq, not ${again.seq}`);
      back.say(response(session_id, 2, theirs));
      must("T12", (await a.next("TASK_RESPONSE")).data.task_id === theirs, "its answer comes");
    },
  },
];
