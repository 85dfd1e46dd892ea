// The named timers of a session. Times are epoch milliseconds that the caller brings; the next one is their minimum.

export const timerNames = ["task", "offer", "idle", "index", "forget"] as const;
/**
 * task: the first task that is due (never stored: the tasks know) · offer: an offer nobody answered · idle: no work for
 * `sessionIdleMs` · index: a state change that D1 has not got yet · forget: an ended session that nothing is to be left of.
 */
export type TimerName = (typeof timerNames)[number];
export type Timers = { [K in TimerName]?: number };

/** When the session must be woken, or undefined: no alarm. */
export function nextDeadline(timers: Timers): number | undefined {
  let next: number | undefined;
  for (const name of timerNames) {
    const at = timers[name];
    if (at !== undefined && (next === undefined || at < next)) next = at;
  }
  return next;
}

/** The timers that have run out, in the order of their names. */
export const dueTimers = (timers: Timers, now: number): TimerName[] =>
  timerNames.filter((name) => (timers[name] ?? Number.POSITIVE_INFINITY) <= now);
