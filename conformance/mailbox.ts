// What came and was not asked for yet, and waiting for what comes. It knows no protocol.
import { Missing } from "./check.ts";

/** How long something that is due is waited for. */
export const patienceMs = 5_000;

export class Mailbox<Item> {
  readonly #name: string;
  readonly #items: Item[] = [];
  #changed = Promise.withResolvers<void>();
  #failure: Error | undefined;
  #end: string | undefined;

  /** @param name whose it is, for people */
  constructor(name: string) {
    this.#name = name;
  }

  get unread(): readonly Item[] {
    return this.#items;
  }

  put(item: Item): void {
    this.#items.push(item);
    this.#wake();
  }

  /** Everybody who waits, now or later, hears this instead. The first counts. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  /** Nothing more will come. */
  end(why: string): void {
    this.#end ??= why;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** The oldest item for which `pick` gives something, taken out, as what it gave. Throws Missing when none comes in time. */
  async next<Picked>(what: string, pick: (item: Item) => Picked | undefined, ms = patienceMs): Promise<Picked> {
    const late = Promise.withResolvers<true>();
    const timer = setTimeout(() => late.resolve(true), ms);
    try {
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure;
        for (const [at, item] of this.#items.entries()) {
          const picked = pick(item);
          if (picked === undefined) continue;
          this.#items.splice(at, 1);
          return picked;
        }
        if (this.#end !== undefined) throw new Missing(`${this.#name}: ${what} did not come: ${this.#end}`);
        if (await Promise.race([this.#changed.promise, late.promise])) throw new Missing(this.#missing(what, ms));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #missing(what: string, ms: number): string {
    const rest = this.#items.length === 0 ? "nothing else came" : `came: ${JSON.stringify(this.#items).slice(0, 300)}`;
    return `${this.#name}: ${what} did not come within ${ms} ms; ${rest}`;
  }

  /** Throws what has failed by now. */
  assertSound(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
