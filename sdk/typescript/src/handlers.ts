// The capabilities of an agent and who performs them: one table for all of its sessions, with the concurrency that each
// allows. It starts jobs and counts them; what a job is, and what becomes of its result, is the performer's business.
import { Capability, type TaskError } from "../../../protocol/wire/envelope.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import type { HandleOptions, Handler } from "./api.ts";
import { type Deferred, deferred } from "./deferred.ts";
import { clientError } from "./error.ts";
import { Fifo } from "./fifo.ts";

export interface Job {
  /** It has not started, and is not over. */
  readonly isWaiting: boolean;
  /** Runs the handler; never rejects. */
  start(handler: Handler): Promise<void>;
  /** It will not be run here. */
  refuse(error: TaskError): void;
}

interface Entry {
  capability: Capability;
  handler: Handler;
  running: number;
  readonly waiting: Fifo<Job>;
}

/** How long a task of a young agent waits for a handler that is registered a little later. */
const youthMs = 2_000;

/** As many may be over and still be held: letting go of them costs a walk along all that wait. */
const heldMax = 64;

const draining: TaskError = { reason: "agent_draining", message: "The agent takes no new tasks.", retryable: true };

export class Handlers {
  readonly #entries = new Map<string, Entry>();
  #running = 0;
  #draining = false;
  #idle: Deferred<void> | undefined;
  /** Tasks that came before their handler. Recovered sessions bring them at once, and programs register one by one. */
  #early: { name: string; job: Job }[] | undefined = [];
  /** Of those that wait, as many as this may be over. */
  #held = 0;

  constructor() {
    setTimeout(() => {
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const { name, job } of early) this.submit(name, job);
    }, youthMs).unref();
  }

  /** What the agent announces. */
  get capabilities(): Capability[] {
    return Array.from(this.#entries.values(), (entry) => entry.capability);
  }

  /** Throws invalid_argument when name or options do not fit a capability. */
  add(name: string, handler: Handler, options: HandleOptions): void {
    const parsed = Capability.safeParse({ ...options, name });
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw clientError("invalid_argument", `Capability ${name}: ${issue?.path.join(".")}: ${issue?.message}.`);
    }
    if (!this.#entries.has(name) && this.#entries.size === limits.capabilitiesMax) {
      throw clientError("invalid_argument", `An agent announces at most ${limits.capabilitiesMax} capabilities.`);
    }
    const before = this.#entries.get(name);
    if (before !== undefined) Object.assign(before, { capability: parsed.data, handler });
    else this.#entries.set(name, { capability: parsed.data, handler, running: 0, waiting: new Fifo() });
    const early = this.#early?.filter((one) => one.name === name) ?? [];
    this.#early = this.#early?.filter((one) => one.name !== name);
    for (const { job } of early) this.submit(name, job);
  }

  /** Starts the job now, or when it is its turn; refuses it when nobody performs that here, or while draining. */
  submit(name: string, job: Job): void {
    if (this.#draining) return job.refuse(draining);
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      if (this.#early !== undefined) return void this.#early.push({ name, job });
      return job.refuse({ reason: "capability_unknown", message: `This agent has no handler for ${name}.` });
    }
    entry.waiting.push(job);
    this.#next(entry);
  }

  /** So many that wait have ended without being started: they are not kept, with their input, until it would be their turn. */
  withdrawn(count: number): void {
    this.#held += count;
    if (this.#held < heldMax) return;
    this.#held = 0;
    this.#early = this.#early?.filter(({ job }) => job.isWaiting);
    for (const { waiting } of this.#entries.values()) waiting.remove((job) => !job.isWaiting);
  }

  #next(entry: Entry): void {
    const room = entry.capability.max_concurrency ?? Number.POSITIVE_INFINITY;
    while (entry.running < room) {
      const job = entry.waiting.shift();
      if (job === undefined) return;
      entry.running++;
      this.#running++;
      void job.start(entry.handler).finally(() => {
        entry.running--;
        this.#running--;
        if (this.#running === 0) this.#idle?.resolve();
        this.#next(entry);
      });
    }
  }

  /** Refuses what has not started and what comes. Resolves when nothing runs any more. */
  drain(): Promise<void> {
    this.#draining = true;
    for (const { job } of this.#early ?? []) job.refuse(draining);
    this.#early = undefined;
    for (const { waiting } of this.#entries.values()) {
      for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) job.refuse(draining);
    }
    this.#idle ??= deferred();
    if (this.#running === 0) this.#idle.resolve();
    return this.#idle.promise;
  }
}
