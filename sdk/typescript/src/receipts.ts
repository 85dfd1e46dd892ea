// What was sent and waits for its receipts, in the order of `seq`: receipts are cumulative, so settling them is a walk
// along a queue. Not everything sent is here, only what somebody holds a promise for.
import type { WorkType } from "../../../protocol/wire/envelope.ts";
import type { Uuid } from "../../../protocol/wire/ids.ts";
import type { Receipt } from "./api.ts";
import { type Deferred, deferred, noop } from "./deferred.ts";
import { Fifo } from "./fifo.ts";

/**
 * Queues one envelope of a session. `data` is JSON text of an object. `bounded`: what the outbox has no room for is refused;
 * answers are not bounded by it, there are never more of them than open tasks.
 * Throws AgentworksError: resource_exhausted, or why the session takes nothing any more.
 */
export type Say = (type: WorkType, data: string, bounded?: boolean) => Sent;

/** One sent envelope; it is its own receipt. */
export class Sent implements Receipt {
  readonly id: Uuid;
  readonly seq: number;
  readonly stored: Promise<Receipt>;
  #resolve: (receipt: Receipt) => void = noop;
  #reject: (error: unknown) => void = noop;
  #delivered: Deferred<void> | undefined;
  /** undefined: open · null: delivered · else why it never will be. */
  #fate: { error: unknown } | null | undefined;

  constructor(id: Uuid, seq: number) {
    this.id = id;
    this.seq = seq;
    this.stored = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Made when somebody asks: most senders never do. */
  get delivered(): Promise<void> {
    if (this.#delivered === undefined) {
      this.#delivered = deferred();
      if (this.#fate === null) this.#delivered.resolve();
      else if (this.#fate !== undefined) this.#delivered.reject(this.#fate.error);
    }
    return this.#delivered.promise;
  }

  markStored(): void {
    this.#resolve(this);
  }

  markDelivered(): void {
    this.#fate = null;
    this.#delivered?.resolve();
  }

  fail(error: unknown): void {
    this.stored.catch(noop);
    this.#reject(error);
    this.#fate = { error };
    this.#delivered?.reject(error);
  }
}

export class Receipts {
  readonly #unstored = new Fifo<Sent>();
  readonly #undelivered = new Fifo<Sent>();

  add(id: Uuid, seq: number): Sent {
    const sent = new Sent(id, seq);
    this.#unstored.push(sent);
    return sent;
  }

  /** Everything through `stored` is stored, everything through `delivered` was taken by the peer's application. */
  settle(stored: number, delivered: number): void {
    for (let sent = this.#unstored.peek(); sent !== undefined && sent.seq <= stored; sent = this.#unstored.peek()) {
      this.#unstored.shift();
      this.#undelivered.push(sent);
      sent.markStored();
    }
    for (
      let sent = this.#undelivered.peek();
      sent !== undefined && sent.seq <= delivered;
      sent = this.#undelivered.peek()
    ) {
      this.#undelivered.shift();
      sent.markDelivered();
    }
  }

  /** The session ended: no further receipt will come. */
  fail(error: unknown): void {
    for (const queue of [this.#unstored, this.#undelivered]) {
      for (let sent = queue.shift(); sent !== undefined; sent = queue.shift()) sent.fail(error);
    }
  }
}
