// The tasks of one session that this agent performs: from TASK_REQUEST to exactly one TASK_RESPONSE each.
import type { FromBroker, TaskError } from "../../../protocol/wire/envelope.ts";
import type { Handler, Session, TaskContext } from "./api.ts";
import { jsonOf } from "./content.ts";
import { AgentworksError, TaskCancelled, TaskFailed } from "./error.ts";
import type { Handlers, Job } from "./handlers.ts";
import type { Inbox, Slot } from "./inbox.ts";
import type { StartedTask } from "./journal-records.ts";
import type { Say } from "./receipts.ts";
import { wordsOf } from "./words.ts";

/** As much of a message as TASK_RESPONSE has room for. */
const messageCharsMax = 8192;
const reasonCharsMax = 128;
const usualReason = "handler_failed";

/** Of programs without types too: each member is what TASK_RESPONSE may have, whatever was thrown. Throws where reading that does. */
function taskErrorOf(error: unknown): TaskError {
  if (error instanceof TaskFailed) {
    const { reason, message, retryable } = error.error;
    return {
      reason: String(reason ?? usualReason).slice(0, reasonCharsMax),
      message: String(message ?? "The handler said no more.").slice(0, messageCharsMax),
      ...(typeof retryable === "boolean" && { retryable }),
    };
  }
  const reason = error instanceof AgentworksError ? error.reason : usualReason;
  return { reason: reason.slice(0, reasonCharsMax), message: wordsOf(error).slice(0, messageCharsMax) };
}

/** How a task ends whose handler threw. Never throws: it would be answered by nobody. */
function outcomeOf(error: unknown, isAborted: boolean): ["cancelled" | "failed", more: string] {
  try {
    if (isAborted && !(error instanceof TaskFailed)) return ["cancelled", ""];
    return ["failed", `,"error":${JSON.stringify(taskErrorOf(error))}`];
  } catch {
    return ["failed", `,"error":${JSON.stringify({ reason: usualReason, message: wordsOf(error) })}`];
  }
}

/** One task and its context for the handler. */
class Performance implements Job, TaskContext {
  readonly id: string;
  readonly session: Session;
  readonly redelivered: boolean;
  readonly deadline: Date | undefined;
  readonly #input: unknown;
  readonly #say: Say;
  readonly #began: () => void;
  readonly #ended: () => void;
  readonly #abort = new AbortController();
  #state: "waiting" | "running" | "over" = "waiting";

  constructor(
    { data }: FromBroker<"TASK_REQUEST">,
    session: Session,
    say: Say,
    hooks: { began(): void; ended(): void },
    redelivered: boolean,
  ) {
    this.redelivered = redelivered;
    this.deadline = data.deadline === undefined ? undefined : new Date(data.deadline);
    this.id = data.task_id;
    this.session = session;
    this.#input = data.input;
    this.#say = say;
    this.#began = hooks.began;
    this.#ended = hooks.ended;
  }

  get requester(): string {
    return this.session.peer;
  }

  get isWaiting(): boolean {
    return this.#state === "waiting";
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  async progress(value: unknown): Promise<void> {
    if (this.#state === "over") throw new TaskCancelled("The task is over: nobody hears of its progress.");
    await this.#say("TASK_PROGRESS", `{"task_id":"${this.id}","progress":${jsonOf(value)}}`).stored;
  }

  async start(handler: Handler): Promise<void> {
    if (this.#state === "over") return;
    this.#state = "running";
    this.#began();
    // What could not be noted as begun must not begin: the session is gone.
    if (this.signal.aborted) return;
    try {
      const result = await handler(this.#input, this);
      this.#respond("succeeded", result === undefined ? "" : `,"result":${jsonOf(result)}`);
    } catch (error) {
      this.#respond(...outcomeOf(error, this.signal.aborted));
    }
  }

  refuse(error: TaskError): void {
    this.#began();
    this.#respond("failed", `,"error":${JSON.stringify(error)}`);
  }

  /** The requester does not want it any more. A handler that runs decides by itself how it ends. */
  cancel(reason: string | undefined): void {
    this.#abort.abort(new TaskCancelled(reason));
    if (this.#state !== "waiting") return;
    this.#began();
    this.#respond("cancelled", "");
  }

  /** The session goes: no response can be sent any more. */
  abandon(error: unknown): void {
    this.#state = "over";
    this.#began();
    this.#abort.abort(error);
  }

  #respond(status: "succeeded" | "failed" | "cancelled", more: string): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#ended();
    try {
      this.#say("TASK_RESPONSE", `{"task_id":"${this.id}","status":"${status}"${more}}`, false);
    } catch {
      // The session ended in the same moment: the requester has been told so.
    }
  }
}

export class Performer {
  readonly #open = new Map<string, Performance>();
  readonly #session: Session;
  readonly #handlers: Handlers;
  readonly #inbox: Inbox;
  readonly #say: Say;

  constructor(session: Session, handlers: Handlers, inbox: Inbox, say: Say) {
    this.#session = session;
    this.#handlers = handlers;
    this.#inbox = inbox;
    this.#say = say;
  }

  /** Tasks without a response. */
  get size(): number {
    return this.#open.size;
  }

  /** The number of the request is taken when its handler starts, so that a busy agent slows its requesters down. */
  request(envelope: FromBroker<"TASK_REQUEST">, slot: Slot, redelivered: boolean): void {
    const { task_id, capability } = envelope.data;
    if (this.#open.has(task_id)) return void this.#inbox.done(slot);
    this.#handlers.submit(capability, this.#begin(envelope, slot, redelivered));
  }

  #begin(envelope: FromBroker<"TASK_REQUEST">, slot: Slot, redelivered: boolean): Performance {
    const { task_id } = envelope.data;
    const hooks = { began: () => void this.#inbox.done(slot), ended: () => this.#open.delete(task_id) };
    const again = redelivered || envelope.data.redelivered === true;
    const task = new Performance(envelope, this.#session, this.#say, hooks, again);
    this.#open.set(task_id, task);
    return task;
  }

  /** Tasks that an earlier life had begun, and not finished: they run again, but for those that nobody wants any more. */
  recall(tasks: Iterable<StartedTask>): void {
    for (const { request, cancel } of tasks) {
      const slot = { seq: request.seq, taken: true };
      if (cancel === undefined) this.request(request, slot, true);
      else this.#begin(request, slot, true).cancel(cancel.data.reason);
    }
  }

  /** A handler that runs hears of it once it is taken. A task that waits is answered first: its request comes before. */
  cancel({ data }: FromBroker<"TASK_CANCEL">, slot: Slot): void {
    const task = this.#open.get(data.task_id);
    if (task?.isWaiting) {
      task.cancel(data.reason);
      this.#handlers.withdrawn(1);
    }
    if (this.#inbox.done(slot)) task?.cancel(data.reason);
  }

  abandon(error: unknown): void {
    const tasks = [...this.#open.values()];
    const waiting = tasks.filter(({ isWaiting }) => isWaiting).length;
    this.#open.clear();
    for (const task of tasks) task.abandon(error);
    this.#handlers.withdrawn(waiting);
  }
}
