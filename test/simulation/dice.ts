// The only source of chance in a simulation: xoshiro128** (Blackman and Vigna), seeded by splitmix32. The same seed, the same run.

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

export class Dice {
  readonly #s = new Uint32Array(4);

  /** @param seed any integer below 2⁵³; both halves of it count */
  constructor(seed: number) {
    let state = (seed ^ Math.imul(Math.floor(seed / 0x1_0000_0000), 0x85ebca6b)) >>> 0;
    for (let i = 0; i < 4; i++) {
      state = (state + 0x9e3779b9) >>> 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      this.#s[i] = z ^ (z >>> 15);
    }
  }

  #next(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#s;
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const c1 = c ^ a;
    const d1 = d ^ b;
    this.#s[1] = b ^ c1;
    this.#s[0] = a ^ d1;
    this.#s[2] = c1 ^ (b << 9);
    this.#s[3] = rotate(d1, 11);
    return result;
  }

  /** In [0, 1). */
  unit(): number {
    return this.#next() / 0x1_0000_0000;
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.unit() * below);
  }

  /** A whole number in [from, to]. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  /** Between two positive numbers, every order of magnitude as likely as another. */
  magnitude(from: number, to: number): number {
    return from * (to / from) ** this.unit();
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[this.below(from.length)] ?? from[0];
  }

  /** One of the names, as likely as its weight says; undefined when all weights are 0. */
  weighted<K extends string>(weights: { readonly [Name in K]: number }): K | undefined {
    const names = Object.keys(weights) as K[];
    let left = this.unit() * names.reduce((sum, name) => sum + weights[name], 0);
    return names.find((name) => {
      left -= weights[name];
      return left < 0;
    });
  }
}
