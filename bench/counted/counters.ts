// What the counting Worker answers at /bench/counters. Types only.

export interface Counters {
  rowsWritten: number;
  rowsRead: number;
  d1Queries: number;
  /** Alarms set; each is billed as a row. */
  alarms: number;
  /** Frames given to sessions, and to agents. */
  sessionCalls: number;
  deliverCalls: number;
  /** Objects that came to life: new ones, and those that had hibernated. */
  starts: number;
}
