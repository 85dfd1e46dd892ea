// Virtual time: a heap of what will happen, by time and then by the order in which it was planned. Nothing waits for real.

interface Planned {
  at: number;
  order: number;
  run: () => void;
}

const before = (a: Planned, b: Planned): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

export class Clock {
  /** Milliseconds, as the epoch's. */
  now = 1_700_000_000_000;
  #order = 0;
  readonly #heap: Planned[] = [];

  get planned(): number {
    return this.#heap.length;
  }

  /** Plans something `delay` milliseconds from now. */
  after(delay: number, run: () => void): void {
    this.at(this.now + Math.floor(delay), run);
  }

  at(at: number, run: () => void): void {
    const heap = this.#heap;
    const one = { at: Math.max(at, this.now), order: this.#order++, run };
    let i = heap.length;
    heap.push(one);
    while (i > 0) {
      const up = (i - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || before(parent, one)) break;
      heap[i] = parent;
      i = up;
    }
    heap[i] = one;
  }

  /** The next thing happens. False when nothing is planned. */
  step(): boolean {
    const first = this.#heap[0];
    if (first === undefined) return false;
    this.#dropFirst();
    this.now = first.at;
    first.run();
    return true;
  }

  #dropFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      const left = heap[2 * i + 1];
      const right = heap[2 * i + 2];
      const child = left !== undefined && right !== undefined && before(right, left) ? 2 * i + 2 : 2 * i + 1;
      const next = heap[child];
      if (next === undefined || before(last, next)) break;
      heap[i] = next;
      i = child;
    }
    heap[i] = last;
  }
}
