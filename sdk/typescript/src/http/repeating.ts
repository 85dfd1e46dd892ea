// Whether a request that failed is made again, and when. Pure: the dice are the caller's.
import { backoffMs } from "../backoff.ts";
import type { HttpFailure } from "./answer.ts";

export interface Attempt {
  method: string;
  /** It has `If-Match`. */
  conditional: boolean;
  /** How often it was repeated already. */
  repeats: number;
  /** In [0, 1). */
  random: number;
}

const backoff = { baseMs: 200, maxMs: 5000 };

/**
 * Whether doing it twice does what doing it once does: a POST has its `Idempotency-Key`. A change by `If-Match` that was made would
 * be refused the second time, and what was deleted is not there any more.
 */
const isRepeatable = ({ method, conditional }: Attempt): boolean => method !== "DELETE" && !conditional;

/** Failures that end by waiting: too many requests, one that is still at work, a broker that fails or does not answer. */
const passes = ({ status, error }: HttpFailure): boolean =>
  status === undefined
    ? error.reason === "connection_failed"
    : error.retryable && (status >= 500 || status === 429 || error.reason === "idempotency_in_progress");

/** How long to wait before the request is made again, in milliseconds; undefined: it is not. */
export function delayMs(attempt: Attempt, failure: HttpFailure): number | undefined {
  if (!passes(failure) || !(failure.unprocessed || isRepeatable(attempt))) return undefined;
  return failure.retryAfterMs ?? backoffMs(backoff, attempt.repeats, attempt.random);
}
