// How a run ends badly, and what an honest client may hear without that being bad. Names only; who decides is the oracle.

export class Violation extends Error {
  override name = "Violation";
  readonly invariant: string;

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}

/** ERRORs that an honest client may get, because frames were lost or because its application did what it may not. */
export const honestFaults = new Set([
  "relay_lost",
  "sequence_gap",
  "session_not_attached",
  "session_not_active",
  "session_not_pending",
  "session_exists",
  "task_conflict",
  "task_not_yours",
  "task_unknown",
  "task_finished",
  "too_many_tasks",
]);
/** Ends that need no excuse. */
export const honestEnds = new Set([
  "closed",
  "expired",
  "resume_closed",
  "session_closed",
  "agent_offline",
  "offer_expired",
]);
/** Why a call to redrive may be refused: the other session is not open yet or any more, or another one took what is left. */
export const honestRefusals = new Set([
  "session_unknown",
  "session_not_active",
  "session_closed",
  "redrive_mismatch",
  "redrive_conflict",
]);
