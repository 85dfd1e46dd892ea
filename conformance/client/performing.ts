// Tasks, as performer and as requester (PROTOCOL T).
import { randomUUID } from "node:crypto";
import { isWork } from "../../protocol/wire/envelope.ts";
import { type Check, must } from "../check.ts";
import { sleep } from "../mailbox.ts";
import type { Members } from "./link.ts";
import type { Scene, Session } from "./scene.ts";

const ask = (session: Session, task_id: string, input: unknown): Members =>
  session.work("TASK_REQUEST", { task_id, capability: "echo", input });

/** A task is handed to a handler that may not be there yet: that takes a moment. */
const taskMs = 10_000;

const performer: Check<Scene>[] = [
  {
    rules: ["T1", "T4"],
    title: "a task is answered once, by the right task_id",
    run: async (scene) => {
      const { link, session } = await scene.open();
      const tasks: string[] = [randomUUID(), randomUUID()];
      link.say(...tasks.map((task_id, i) => ask(session, task_id, i)));
      for (const _ of tasks) {
        const { data } = await link.next("TASK_RESPONSE", undefined, taskMs);
        must("T1", data.status === "succeeded", `its status is ${data.status}: ${JSON.stringify(data.error)}`);
        must("T1", data.result === tasks.indexOf(data.task_id), "the result is that of the task");
      }
      await link.quiet("T4", "a task is answered once", (one) => one.type === "TASK_RESPONSE", 500);
    },
  },
  {
    rules: ["T4", "S3", "A6"],
    title: "a request that comes again after a cut is not run again",
    run: async (scene) => {
      const { link, session } = await scene.open();
      link.say(ask(session, randomUUID(), 1));
      await link.next("TASK_RESPONSE", undefined, taskMs);
      await link.cut();
      const asked = await session.reconnected();
      session.resumed(asked.id, 1);
      session.link.say(...session.again(1));
      await session.link.quiet("T4", "what it has performed it does not perform again", isWork, 800);
    },
  },
  {
    rules: ["T5"],
    title: "a task that is cancelled is answered all the same, once",
    run: async (scene) => {
      const { link, session } = await scene.open();
      const task_id = randomUUID();
      link.say(ask(session, task_id, { ms: 1_500 }));
      await sleep(400);
      link.say(session.work("TASK_CANCEL", { task_id, reason: "changed my mind" }));
      const { data } = await link.next("TASK_RESPONSE", undefined, taskMs);
      must("T5", data.task_id === task_id && data.status !== "failed", `it answered ${data.status}`);
      await link.quiet("T4", "a task is answered once", (one) => one.type === "TASK_RESPONSE", 1_500);
    },
  },
  {
    rules: ["T8", "N10"],
    title: "a task whose session has ended is answered no more",
    run: async (scene) => {
      const { link, session } = await scene.open();
      link.say(ask(session, randomUUID(), { ms: 1_000 }));
      await sleep(300);
      link.say(session.of("SESSION_CLOSED", { data: { state: "expired", received: 0, delivered: 0 } }));
      await link.quiet("T8", "SESSION_CLOSED stands for the responses", (one) => one.type === "TASK_RESPONSE", 1_500);
    },
  },
];

const outcomes = [
  { status: "succeeded", result: { n: 1 } },
  { status: "failed", error: { reason: "no", message: "not today" } },
  { status: "expired" },
];

const requester: Check<Scene>[] = outcomes.map((outcome) => ({
  rules: ["T1"],
  title: `a task that it asks for and that ${outcome.status === "expired" ? outcome.status : `has ${outcome.status}`}: it hears so`,
  run: async (scene) => {
    const { link, session } = await scene.open();
    session.say({ do: "request", input: { n: 1 } });
    const { data } = await link.next("TASK_REQUEST");
    must("T1", data.capability === "echo", `it asks for ${data.capability}, not echo`);
    must("E4", JSON.stringify(data.input) === '{"n":1}', "the input is the one that it was told");
    link.say(session.work("TASK_RESPONSE", { task_id: data.task_id, ...outcome }));
    const [content] = await session.contents(1);
    const said = content as { status?: unknown; result?: unknown } | null;
    must("T1", said?.status === outcome.status, `it heard ${JSON.stringify(content)}`);
    if (outcome.result !== undefined)
      must("T1", JSON.stringify(said?.result) === JSON.stringify(outcome.result), "the result is the one that came");
  },
}));

const repeating: Check<Scene>[] = [
  {
    rules: ["A11", "T3"],
    title: "a request that was stored unheard may have been refused: it asks again, with a seq and an id of its own",
    run: async (scene) => {
      const { link, session } = await scene.open();
      link.acknowledges = false;
      session.say({ do: "request", input: { n: 1 } });
      const first = await link.next("TASK_REQUEST");
      await session.acknowledged(1);
      await link.cut();
      const asked = await session.reconnected();
      session.resumed(asked.id, 1);
      const again = await session.link.next("TASK_REQUEST");
      must("A11", again.seq === 2 && again.id !== first.id, "it has a seq and an id of its own");
      must("A11", JSON.stringify(again.data) === JSON.stringify(first.data), "the same task_id, capability and input");
      session.link.say(session.work("TASK_RESPONSE", { task_id: again.data.task_id, status: "succeeded", result: 1 }));
      must(
        "T1",
        JSON.stringify(await session.contents(1)) === '[{"status":"succeeded","result":1}]',
        "it hears the result",
      );
    },
  },
];

export const performing: Check<Scene>[] = [...performer, ...requester, ...repeating];
