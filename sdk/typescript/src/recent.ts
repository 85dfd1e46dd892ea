// The newest names of a kind, and no more of them than a bound: a memory that cannot grow.

export class Recent {
  readonly #names = new Set<string>();
  readonly #max: number;

  /** @param max how many are remembered; the oldest are forgotten first */
  constructor(max: number) {
    this.#max = max;
  }

  add(name: string): void {
    this.#names.add(name);
    if (this.#names.size <= this.#max) return;
    const [oldest] = this.#names;
    if (oldest !== undefined) this.#names.delete(oldest);
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }
}
