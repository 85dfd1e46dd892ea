// The tasks of one session that this agent asked for: from TASK_REQUEST to the one outcome of each.
import type { FromBroker } from "../../../protocol/wire/envelope.ts";
import { CapabilityName, isUuid, type Uuid } from "../../../protocol/wire/ids.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import type { Receipt, RequestOptions, Task } from "./api.ts";
import { Channel } from "./channel.ts";
import { jsonOf } from "./content.ts";
import { type Deferred, deferred, rejected } from "./deferred.ts";
import { AgentworksError, clientError, TaskCancelled, TaskExpired, TaskFailed, wireError } from "./error.ts";
import type { Say, Sent } from "./receipts.ts";
import { wordsOf } from "./words.ts";

/** Progress that nobody reads: the newest of it. */
const unreadProgressMax = 1024;
const reasonCharsMax = 1024;

/** The member that says when the task is due, or nothing. Throws invalid_argument beyond the protocol's bound. */
function deadlineIn(deadlineMs: number | undefined): string {
  if (deadlineMs === undefined) return "";
  if (!(deadlineMs >= 0 && deadlineMs <= limits.deadlineMsMax)) {
    throw clientError("invalid_argument", `deadlineMs is 0 to ${limits.deadlineMsMax} milliseconds.`);
  }
  return `,"deadline":"${new Date(Date.now() + deadlineMs).toISOString()}"`;
}

class RequestedTask implements Task {
  readonly id: Uuid;
  readonly stored: Promise<Receipt>;
  readonly progress = new Channel<unknown>(undefined, unreadProgressMax);
  readonly #outcome: Deferred<unknown> = deferred();
  readonly #sent: Sent | undefined;
  readonly #refusal: unknown;
  readonly #cancel: (reason: string | undefined) => void;
  #forgetSignal: (() => void) | undefined;

  constructor(id: Uuid, sent: Sent | { refused: unknown }, cancel: (reason: string | undefined) => void) {
    this.id = id;
    this.#cancel = cancel;
    if ("refused" in sent) {
      this.#refusal = sent.refused;
      this.stored = rejected(sent.refused);
      this.fail(sent.refused);
    } else {
      this.#sent = sent;
      this.requestId = sent.id;
      this.stored = sent.stored;
    }
  }

  get result(): Promise<unknown> {
    return this.#outcome.promise;
  }

  get delivered(): Promise<void> {
    return this.#sent?.delivered ?? rejected(this.#refusal);
  }

  /** The id of its latest TASK_REQUEST: what a refusal answers. */
  requestId: Uuid | undefined;

  cancel(reason?: string): void {
    this.#cancel(reason);
  }

  watch(signal: AbortSignal): void {
    const cancel = () => this.cancel(wordsOf(signal.reason));
    signal.addEventListener("abort", cancel, { once: true });
    this.#forgetSignal = () => signal.removeEventListener("abort", cancel);
  }

  #settle(): void {
    this.progress.end();
    this.#forgetSignal?.();
  }

  respond({ status, result, error }: FromBroker<"TASK_RESPONSE">["data"]): void {
    this.#settle();
    if (status === "succeeded") this.#outcome.resolve(result);
    else if (status === "expired") this.#outcome.reject(new TaskExpired(error?.message));
    else if (status === "cancelled") this.#outcome.reject(new TaskCancelled(error?.message));
    else this.#outcome.reject(new TaskFailed(error ?? { reason: "failed", message: "The performer said no more." }));
  }

  fail(error: unknown): void {
    this.#settle();
    this.#outcome.reject(error);
  }
}

export class Requests {
  readonly #open = new Map<Uuid, RequestedTask>();
  readonly #say: Say;
  readonly #mint: () => Uuid;

  constructor(say: Say, mint: () => Uuid) {
    this.#say = say;
    this.#mint = mint;
  }

  /** @param performing tasks of the session that this agent performs: both kinds share the broker's bound (L9) */
  ask(
    capability: string,
    input: unknown,
    { signal, task_id, deadlineMs }: RequestOptions,
    performing: number,
  ): RequestedTask {
    const id = task_id ?? this.#mint();
    const before = this.#open.get(id);
    if (before !== undefined) return before;
    let task: RequestedTask;
    try {
      if (!isUuid(id)) throw clientError("invalid_argument", "task_id must be a lower-case UUIDv7.");
      if (!CapabilityName.safeParse(capability).success) {
        throw clientError("invalid_argument", `${capability} is no name of a capability.`);
      }
      if (signal?.aborted) throw new TaskCancelled("The signal was aborted before the task was sent.");
      if (this.#open.size + performing >= limits.openTasksMax) throw wireError("too_many_tasks");
      const data = `{"task_id":"${id}","capability":"${capability}","input":${jsonOf(input)}${deadlineIn(deadlineMs)}}`;
      task = new RequestedTask(id, this.#say("TASK_REQUEST", data), (reason) => this.#cancel(id, reason));
    } catch (refused) {
      return new RequestedTask(id, { refused }, () => undefined);
    }
    if (signal !== undefined) task.watch(signal);
    this.#open.set(id, task);
    return task;
  }

  /** The broker may have refused these, and nobody heard it: the same task asked for again is not run twice (A11). */
  askAgain(requests: readonly string[]): void {
    for (const data of requests) {
      const { task_id } = JSON.parse(data) as { task_id: Uuid };
      const task = this.#open.get(task_id);
      if (task === undefined) continue;
      try {
        task.requestId = this.#say("TASK_REQUEST", data, false).id;
      } catch {
        // The session is closing: the task ends with it.
      }
    }
  }

  #cancel(task_id: Uuid, reason: string | undefined): void {
    if (!this.#open.has(task_id)) return;
    try {
      this.#say("TASK_CANCEL", JSON.stringify({ task_id, reason: reason?.slice(0, reasonCharsMax) }), false);
    } catch {
      // The session is closing: the task ends with it.
    }
  }

  progress({ data }: FromBroker<"TASK_PROGRESS">): void {
    this.#open.get(data.task_id)?.progress.push(data.progress);
  }

  response({ data }: FromBroker<"TASK_RESPONSE">): void {
    const task = this.#open.get(data.task_id);
    this.#open.delete(data.task_id);
    task?.respond(data);
  }

  /**
   * The broker refused something. When it was the request of a task, which has failed by that, its id. What was not processed
   * is no refusal: it will be sent again with the next attachment.
   */
  refused({ in_reply_to, data }: FromBroker<"ERROR">): Uuid | undefined {
    if (data.processed !== "yes") return undefined;
    for (const task of this.#open.values()) {
      if (in_reply_to === undefined || task.requestId !== in_reply_to) continue;
      this.#open.delete(task.id);
      task.fail(new AgentworksError(data));
      return task.id;
    }
    return undefined;
  }

  fail(error: unknown): void {
    const tasks = [...this.#open.values()];
    this.#open.clear();
    for (const task of tasks) task.fail(error);
  }
}
