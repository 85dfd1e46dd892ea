// The load of one session: numbered messages in bursts, numbered tasks with numbered steps, and a reader that is sometimes
// slow. It notes what it knows in the ledger at the moment when it knows it; judging is done by others, afterwards.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { uuidv7 } from "../../protocol/wire/ids.ts";
import { type Session, TaskCancelled, type TaskContext } from "../../sdk/typescript/src/index.ts";
import type { Dice } from "./dice.ts";
import type { Ledger } from "./ledger.ts";
import type { Asked, Tasks } from "./notebook.ts";
import { type Numbered, stepsOf, streamOf, type Work } from "./rules.ts";

/** Who this is, and where it notes what it knows. */
export interface Self {
  readonly agent: string;
  readonly incarnation: number;
  /** Whether the SDK keeps a journal: then nothing comes again, but for what was asked again or had not finished. */
  readonly journal: boolean;
  readonly ledger: Ledger;
  readonly tasks: Tasks;
  readonly dice: Dice;
  /** Tells of something that must not happen. */
  trouble(text: string): void;
  /** What must settle before the agent may say that it is done. */
  readonly waiting: Set<Promise<unknown>>;
  readonly stopping: AbortSignal;
}

const burstMax = 40;
const padBytesMax = 8 * 1024;
const bigPadBytes = 100 * 1024;
const tasksAtOnceMax = 4;
const finishedMs = 50;

/** Waits for something in the background; what it rejects with is trouble. */
export async function guard(self: Self, what: string, promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch (error) {
    self.trouble(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The same, for what must settle before the agent is done. */
export function expect(self: Self, what: string, promise: Promise<unknown>): void {
  const kept = guard(self, what, promise).finally(() => self.waiting.delete(kept));
  self.waiting.add(kept);
}

/** Rests, but not beyond the end of the load. */
export async function rest(self: Self, ms: number): Promise<void> {
  await sleep(ms, undefined, { signal: self.stopping }).catch(() => undefined);
}

/** Sends one numbered message; it counts as done when the peer's application has taken it. */
export function sendNumbered(self: Self, session: Session, stream: string, n: number): void {
  const { dice, ledger } = self;
  const pad = "x".repeat(dice.chance(0.002) ? bigPadBytes : dice.magnitude(padBytesMax));
  ledger.note("sent", stream, n);
  const done = session.send({ stream, n, pad }).then((receipt) => {
    ledger.note("stored", stream, n);
    return receipt.delivered;
  });
  expect(self, `message ${stream} ${n}`, done);
}

/** Messages in bursts, as many per second as `rate` on average, until the load stops. */
export async function produceMessages(self: Self, session: Session, link: string, rate: number): Promise<void> {
  const stream = streamOf(link, self.agent, self.incarnation, "m");
  let n = 0;
  while (!self.stopping.aborted) {
    const burst = self.dice.magnitude(burstMax);
    for (let i = 0; i < burst && !self.stopping.aborted; i++) {
      await session.ready;
      sendNumbered(self, session, stream, ++n);
    }
    await rest(self, self.dice.next() * 2 * (burst / rate) * 1000);
  }
  self.ledger.note("ended", stream, n);
}

/** Takes messages until the session ends. Now and then it is slow, or asks the broker to pause. */
export async function consumeMessages(self: Self, session: Session): Promise<void> {
  for await (const { content, redelivered = false } of session.messages()) {
    const { stream, n } = content as Numbered;
    self.ledger.take(stream, n, redelivered && !self.journal);
    if (!self.dice.chance(0.01)) continue;
    const pausing = self.dice.chance(0.2);
    if (pausing) session.pause();
    await rest(self, self.dice.magnitude(200));
    if (pausing) session.resume();
  }
}

/** One task from its request to its outcome; some are cancelled on the way. */
export async function requestTask(self: Self, session: Session, stream: string, n: number): Promise<void> {
  const { dice, ledger, tasks } = self;
  const work: Work = { stream, n, steps: dice.magnitude(8), stepMs: dice.magnitude(100) };
  const asked: Asked = { task_id: uuidv7(Date.now(), randomBytes(10)), session: session.id, work };
  const cancelAfterMs = dice.chance(0.1) ? dice.magnitude(100) : undefined;
  tasks.asked(asked);
  ledger.note("sent", stream, n);
  await pursueTask(self, session, asked, cancelAfterMs);
}

/** What an earlier incarnation asked for: asked for again it does not run again, and its outcome comes. */
export function requestAgain(self: Self, session: Session, asked: Asked): Promise<void> {
  // It may have been killed between its two notes.
  self.ledger.note("sent", asked.work.stream, asked.work.n);
  return pursueTask(self, session, asked, undefined, true);
}

async function pursueTask(
  self: Self,
  session: Session,
  { task_id, work }: Asked,
  cancelAfterMs: number | undefined,
  again = false,
): Promise<void> {
  const { ledger, tasks } = self;
  const task = session.request<Numbered, Numbered>("work", work, { task_id });
  const stored = task.stored.then(() => ledger.note("stored", work.stream, work.n));
  if (cancelAfterMs !== undefined) void rest(self, cancelAfterMs).then(() => task.cancel("the dice said so"));
  for await (const { stream, n } of task.progress) ledger.take(stream, n, again && !self.journal);
  await stored;
  try {
    const { stream, n } = await task.result;
    ledger.take(stream, n, again);
  } catch (error) {
    // The earlier incarnation may have cancelled it.
    if ((cancelAfterMs === undefined && !again) || !(error instanceof TaskCancelled)) throw error;
    ledger.note("cancelled", work.stream, work.n);
  }
  tasks.over(task_id);
}

/** Tasks, some at once, until the load stops; `rate` is what all of them together start per second. */
export async function produceTasks(self: Self, session: Session, link: string, rate: number): Promise<void> {
  const stream = streamOf(link, self.agent, self.incarnation, "r");
  const running = new Set<Promise<void>>();
  let n = 0;
  while (!self.stopping.aborted) {
    if (running.size >= tasksAtOnceMax) await Promise.race(running);
    const task = requestTask(self, session, stream, ++n);
    const kept = task.catch(() => undefined).finally(() => running.delete(kept));
    running.add(kept);
    expect(self, `task ${stream} ${n}`, task);
    await rest(self, (self.dice.next() * 2 * 1000) / rate);
  }
  self.ledger.note("ended", stream, n);
}

async function tellStep({ ledger }: Self, task: TaskContext, step: Numbered): Promise<void> {
  try {
    await task.progress(step);
  } catch (error) {
    // Nobody waits for it any more: cancelled, or the session is closed.
    if (!task.signal.aborted) throw error;
    return;
  }
  ledger.note("stored", step.stream, step.n);
}

/** The performer's side: takes the number of the request, tells of each step, and ends with the number after the last. */
export async function performTask(self: Self, input: unknown, task: TaskContext): Promise<Numbered> {
  const { ledger } = self;
  const { stream: requests, n: number, steps, stepMs } = input as Work;
  const mayComeAgain = !self.journal || !ledger.hadFinished(requests, number);
  ledger.take(requests, number, task.redelivered && mayComeAgain);
  const stream = stepsOf(requests, number, self.agent, self.incarnation);
  let n = 0;
  try {
    while (n < steps && !task.signal.aborted) {
      n++;
      ledger.note("sent", stream, n);
      expect(self, `step ${stream} ${n}`, tellStep(self, task, { stream, n }));
      await sleep(stepMs, undefined, { signal: task.signal }).catch(() => undefined);
    }
    if (task.signal.aborted) throw new TaskCancelled();
    n++;
    ledger.note("sent", stream, n);
    return { stream, n };
  } finally {
    ledger.note("ended", stream, n);
    // By then the SDK has it in its journal.
    setTimeout(() => ledger.note("finished", requests, number), finishedMs).unref();
  }
}
