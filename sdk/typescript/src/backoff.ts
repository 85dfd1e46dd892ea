// How long to wait before the next attempt. Pure: the dice are the caller's.

export interface Backoff {
  /** Upper bound of the first wait, in milliseconds. */
  baseMs: number;
  /** Upper bound of every wait, in milliseconds. */
  maxMs: number;
}

/**
 * Full jitter: a random time up to base × 2ⁿ, at most `maxMs`. A thousand agents that lost one broker do not come back at once.
 * @param attempt 0 for the first
 * @param random in [0, 1)
 * @returns whole milliseconds
 */
export function backoffMs({ baseMs, maxMs }: Backoff, attempt: number, random: number): number {
  return Math.floor(random * Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30)));
}
