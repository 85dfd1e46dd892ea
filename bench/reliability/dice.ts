// Dice that fall the same way again for the same seed (mulberry32). What they decide is repeatable; what the machine does
// between two throws is not.

export interface Dice {
  /** In [0, 1). */
  next(): number;
  /** An integer from `min` to `max`, both included. */
  between(min: number, max: number): number;
  /** Small numbers as often as large ones: an integer from 1 to `max`, evenly by its order of magnitude. */
  magnitude(max: number): number;
  chance(share: number): boolean;
}

/** @param seed any 32-bit integer */
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    between: (min, max) => min + Math.floor(next() * (max - min + 1)),
    magnitude: (max) => Math.floor(max ** next()),
    chance: (share) => next() < share,
  };
}

/** A seed for something that has a name, out of the one seed of the run (FNV-1a). */
export function seedOf(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const char of name) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}
