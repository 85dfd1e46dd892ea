// A queue that is read by `for await`. Each value goes to one reader; readers know nothing of each other.
// `onTake` is told when a value is about to leave the queue for the application: acknowledgement hangs on that.
import { Fifo } from "./fifo.ts";

interface Waiting<T> {
  reader: object;
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

const done: IteratorReturnResult<undefined> = { value: undefined, done: true };

export class Channel<T> implements AsyncIterable<T> {
  readonly #values = new Fifo<T>();
  #waiting: Waiting<T>[] = [];
  #end: { error: unknown } | undefined;
  readonly #onTake: ((value: T) => boolean) | undefined;
  readonly #sizeMax: number;
  #unwanted = false;
  /** Readers that have started and not left. */
  readers = 0;

  /**
   * @param onTake answers false when the value must not leave: whoever says so has ended the channel
   * @param sizeMax beyond it the oldest value is dropped: only for values that may be
   */
  constructor(onTake?: (value: T) => boolean, sizeMax = Number.POSITIVE_INFINITY) {
    this.#onTake = onTake;
    this.#sizeMax = sizeMax;
  }

  get size(): number {
    return this.#values.size;
  }

  push(value: T): void {
    if (this.#end !== undefined) return;
    if (this.#waiting.length === 0) {
      this.#values.push(value);
      if (this.#unwanted) this.#discard();
      else if (this.#values.size > this.#sizeMax) this.#values.shift();
    } else if (this.#mayLeave(value)) this.#waiting.shift()?.resolve({ value, done: false });
  }

  #mayLeave(value: T): boolean {
    return this.#onTake?.(value) ?? true;
  }

  /** No more values. What is queued can still be read; then readers end, or throw `error`. */
  end(error?: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    for (const waiting of this.#waiting) {
      if (error === undefined) waiting.resolve(done);
      else waiting.reject(error);
    }
    this.#waiting = [];
  }

  /** What the readers that are there do not read, nobody will: it is taken for nobody, once the last of them has left. */
  unwanted(): void {
    this.#unwanted = true;
    this.#discard();
  }

  #discard(): void {
    if (this.readers > 0) return;
    for (let value = this.#values.shift(); value !== undefined; value = this.#values.shift()) this.#onTake?.(value);
  }

  remove(drop: (value: T) => boolean): void {
    this.#values.remove(drop);
  }

  #next(reader: object): Promise<IteratorResult<T, undefined>> {
    if (this.#values.size > 0 && this.#mayLeave(this.#values.peek() as T)) {
      return Promise.resolve({ value: this.#values.shift() as T, done: false });
    }
    if (this.#end === undefined) {
      return new Promise((resolve, reject) => this.#waiting.push({ reader, resolve, reject }));
    }
    return this.#end.error === undefined ? Promise.resolve(done) : Promise.reject(this.#end.error);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined> {
    const reader = {};
    let left = false;
    this.readers++;
    return {
      next: () => (left ? Promise.resolve(done) : this.#next(reader)),
      return: () => {
        if (!left) this.readers--;
        left = true;
        const [mine, others] = [true, false].map((own) =>
          this.#waiting.filter((one) => (one.reader === reader) === own),
        );
        this.#waiting = others ?? [];
        for (const one of mine ?? []) one.resolve(done);
        if (this.#unwanted) this.#discard();
        return Promise.resolve(done);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}
