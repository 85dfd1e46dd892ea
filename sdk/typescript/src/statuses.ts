// What happened, for everyone who reads `status()`: each reader has a queue of its own, bounded, so that one that stopped
// reading costs little.
import type { Status } from "./api.ts";
import { Channel } from "./channel.ts";

const unreadMax = 1024;

export class Statuses {
  readonly #readers = new Set<Channel<Status>>();
  #ended = false;

  say(status: Status): void {
    for (const reader of this.#readers) reader.push(status);
  }

  /** Everything from now on. */
  read(): AsyncIterableIterator<Status> {
    const channel = new Channel<Status>(undefined, unreadMax);
    if (this.#ended) channel.end();
    else this.#readers.add(channel);
    const values = channel[Symbol.asyncIterator]();
    return {
      next: () => values.next(),
      return: () => {
        this.#readers.delete(channel);
        channel.end();
        return Promise.resolve({ value: undefined, done: true });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  end(): void {
    this.#ended = true;
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }
}
