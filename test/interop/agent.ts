// The TypeScript driver: one agent over the SDK's public API, led by JSON lines on stdin (README.md says which). It judges
// nothing: what it saw is what it answers.
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Agent,
  AgentworksError,
  connect,
  type Handler,
  type Message,
  type Receipt,
  type Session,
  type Status,
  type Task,
  TaskCancelled,
  type TaskContext,
  TaskExpired,
  TaskFailed,
} from "../../sdk/typescript/src/index.ts";
import type { Answer, Command, Commands, Failing, Outcome, Run } from "./protocol.ts";

/** One session, with the one reader of its messages. */
interface Held {
  session: Session;
  messages: AsyncIterator<Message>;
}

/** Values that may be asked for before they are there. */
class Shelf<T> {
  readonly #slots = new Map<string, PromiseWithResolvers<T>>();

  #slot(id: string): PromiseWithResolvers<T> {
    const slot = this.#slots.get(id) ?? Promise.withResolvers<T>();
    this.#slots.set(id, slot);
    return slot;
  }

  get = (id: string): Promise<T> => this.#slot(id).promise;
  put = (id: string, value: T): void => this.#slot(id).resolve(value);
}

const sessions = new Shelf<Held>();
const tasks = new Shelf<Task>();
const runs: Run[] = [];
const statuses: Status[] = [];
/** Wakes whoever waits for a status. */
let told = Promise.withResolvers<void>();
/** By the id of the task that holds. */
const released = new Shelf<true>();
let agent: Agent | undefined;

const connected = (): Agent => {
  if (agent === undefined) throw new Error("`connect` comes first");
  return agent;
};

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });

/** What every driver can do, by name. */
const behaviours: Record<string, (input: never, task: TaskContext) => unknown> = {
  echo: (input) => input,
  count: async ({ to, each_ms = 0 }: { to: number; each_ms?: number }, task) => {
    for (let n = 1; n <= to; n++) {
      await task.progress({ n });
      if (each_ms > 0) await sleep(each_ms, undefined, { signal: task.signal });
    }
    return to;
  },
  fail: ({ reason, message, retryable }: { reason?: string; message: string; retryable?: boolean }) => {
    if (reason === undefined) throw new Error(message);
    throw new TaskFailed({ reason, message, ...(retryable !== undefined && { retryable }) });
  },
  ask: async ({ capability, input }: { capability: string; input: unknown }, task) => ({
    asked: await task.session.request(capability, input).result,
  }),
  hang: (_input, task) => aborted(task.signal),
  hold: async (input, task) => {
    await Promise.race([released.get(task.id), aborted(task.signal)]);
    return { held: input, redelivered: task.redelivered };
  },
};

/** The behaviour, with a note of each run. */
function noted(capability: string, as: string): Handler {
  const behave = behaviours[as];
  if (behave === undefined) throw new Error(`there is no behaviour "${as}"`);
  return (input, task) => {
    const run: Run = {
      task: task.id,
      capability,
      requester: task.requester,
      redelivered: task.redelivered,
      aborted: false,
    };
    runs.push(run);
    task.signal.addEventListener("abort", () => {
      run.aborted = true;
    });
    return behave(input as never, task);
  };
}

function hold(session: Session): Held {
  const held = { session, messages: session.messages() };
  sessions.put(session.id, held);
  return held;
}

async function holdSessions(of: Agent): Promise<void> {
  for await (const session of of.sessions()) hold(session);
}

async function noteStatuses(of: Agent): Promise<void> {
  for await (const status of of.status()) {
    statuses.push(status);
    told.resolve();
    told = Promise.withResolvers();
  }
}

async function outcomeOf(task: Task): Promise<Outcome> {
  const progress: unknown[] = [];
  for await (const step of task.progress) progress.push(step);
  try {
    return { outcome: "succeeded", result: await task.result, progress };
  } catch (error) {
    if (error instanceof TaskFailed) return { outcome: "failed", error: { ...error.error }, progress };
    if (!(error instanceof AgentworksError)) throw error;
    const { reason, detail } = error;
    if (error instanceof TaskCancelled) return { outcome: "cancelled", error: { reason, message: detail }, progress };
    if (error instanceof TaskExpired) return { outcome: "expired", error: { reason, message: detail }, progress };
    return { outcome: "refused", error: { reason, message: detail }, progress };
  }
}

const commands: Commands = {
  connect: async ({ url, ca, certificate, key, direct = false, journal, timeout_ms }) => {
    agent = await connect({
      url,
      caFile: ca,
      ...(certificate !== undefined && { certFile: certificate }),
      ...(key !== undefined && { keyFile: key }),
      direct,
      ...(journal !== undefined && { journal }),
      reconnect: { baseMs: 50, maxMs: 500 },
      accept: ({ metadata }) => {
        const { reject } = (metadata ?? {}) as { reject?: string };
        return reject === undefined ? true : { reject };
      },
      ...(timeout_ms !== undefined && { signal: AbortSignal.timeout(timeout_ms) }),
    });
    for (const name of Object.keys(behaviours)) void agent.handle(name, noted(name, name));
    void holdSessions(agent);
    void noteStatuses(agent);
    return { agent: agent.id, account: agent.account };
  },
  handle: async ({ capability, as, max_concurrency }) => {
    await connected().handle(
      capability,
      noted(capability, as),
      max_concurrency === undefined ? {} : { max_concurrency },
    );
    return {};
  },
  agents: async ({ capability }) => {
    const found = await connected().agents(capability === undefined ? {} : { capability });
    return { agents: found.map((one) => one.agent) };
  },
  open: async ({ peer, capability, metadata, wait_ms = 0 }) => {
    const session = await connected().open(peer ?? { capability: capability ?? "" }, { metadata, waitMs: wait_ms });
    hold(session);
    return { session: session.id, peer: session.peer, capabilities: session.capabilities.map(({ name }) => name) };
  },
  session: async ({ session: id }) => {
    const { session } = await sessions.get(id);
    return { peer: session.peer, recovered: session.recovered, requested: [...session.requested] };
  },
  request: async ({ session: id, capability, input, task: task_id, deadline_ms }) => {
    const { session } = await sessions.get(id);
    const task = session.request(capability, input, {
      ...(task_id !== undefined && { task_id }),
      ...(deadline_ms !== undefined && { deadlineMs: deadline_ms }),
    });
    tasks.put(task.id, task);
    return { task: task.id };
  },
  result: async ({ task }) => outcomeOf(await tasks.get(task)),
  started: async ({ task }) => {
    await (await tasks.get(task)).delivered;
    return {};
  },
  cancel: async ({ task, reason }) => {
    (await tasks.get(task)).cancel(reason);
    return {};
  },
  release: async ({ task }) => {
    released.put(task, true);
    return {};
  },
  runs: async () => ({ runs }),
  send: async ({ session: id, from, to, pad = 0, wait = "stored" }) => {
    const { session } = await sessions.get(id);
    const text = "x".repeat(pad);
    const stored: Promise<Receipt>[] = [];
    for (let n = from; n <= to; n++) {
      await session.ready;
      stored.push(session.send({ n, pad: text }));
    }
    if (wait === "queued") return { sent: stored.length };
    const receipts = await Promise.all(stored);
    if (wait === "delivered") await Promise.all(receipts.map((receipt) => receipt.delivered));
    return { sent: receipts.length };
  },
  receive: async ({ session: id, from, to, each_ms = 0 }) => {
    const { messages } = await sessions.get(id);
    const seen = { received: 0, lost: 0, duplicated: 0, out_of_order: 0, redelivered: 0 };
    const numbers = new Set<number>();
    for (let last = from - 1; last < to; ) {
      const { done, value: message } = await messages.next();
      if (done) break;
      const { n } = message.content as { n: number };
      seen.received++;
      if (message.redelivered) seen.redelivered++;
      if (n < from || numbers.has(n)) seen.duplicated++;
      else if (n < last) seen.out_of_order++;
      numbers.add(n);
      last = Math.max(last, n);
      if (each_ms > 0) await sleep(each_ms);
    }
    for (let n = from; n <= to; n++) if (!numbers.has(n)) seen.lost++;
    return seen;
  },
  pause: async ({ session }) => {
    (await sessions.get(session)).session.pause();
    return {};
  },
  resume: async ({ session }) => {
    (await sessions.get(session)).session.resume();
    return {};
  },
  close: async ({ session, reason }) => {
    await (await sessions.get(session)).session.close(reason);
    return {};
  },
  ended: async ({ session }) => {
    const { reason, error } = await (await sessions.get(session)).session.closed;
    return { reason, ...(error && { error: error.reason }) };
  },
  statuses: async ({ until, count = 1 }) => {
    const reached = () => until === undefined || statuses.filter(({ type }) => type === until).length >= count;
    while (!reached()) await told.promise;
    return { statuses: statuses.map(({ type }) => type) };
  },
  drain: async () => {
    await connected().drain();
    return {};
  },
  leave: async () => {
    await connected().close();
    return {};
  },
};

const failing = (error: unknown): Failing =>
  error instanceof AgentworksError
    ? { reason: error.reason, detail: error.detail, retryable: error.retryable }
    : { reason: "driver_failed", detail: error instanceof Error ? (error.stack ?? error.message) : String(error) };

async function obey({ id, do: name, ...parameters }: Command): Promise<Answer> {
  try {
    return { id, value: await commands[name](parameters as never) };
  } catch (error) {
    return { id, error: failing(error) };
  }
}

// Commands run side by side: each is answered when it is done. A line ends with "\n" and nothing else: values may hold U+2028.
let begun = "";
process.stdin
  .setEncoding("utf8")
  .on("data", (text: string) => {
    const lines = (begun + text).split("\n");
    begun = lines.pop() ?? "";
    for (const line of lines) void obey(JSON.parse(line)).then((answer) => console.log(JSON.stringify(answer)));
  })
  .on("end", () => process.exit());
