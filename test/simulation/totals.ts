// What a run has done: the proof that it did real work. Counted over all seeds.

export const noTotals = () => ({
  /** Things that happened; those after the trouble was over are among them. */
  steps: 0,
  healSteps: 0,
  sessions: 0,
  messages: 0,
  tasks: 0,
  tasksEnded: 0,
  cuts: 0,
  crashes: 0,
  hibernations: 0,
  rollbacks: 0,
  deaths: 0,
  /** Clients that came back, and how many of them found their session. */
  returns: 0,
  recoveries: 0,
  recalls: 0,
  framesLost: 0,
  reattached: 0,
  attachesRepeated: 0,
  resumes: 0,
  /** Agents that were sent to connect anew, half-open connections that were found, questions without need. */
  drains: 0,
  silent: 0,
  asked: 0,
  /** Sessions of which nothing is left. */
  forgotten: 0,
  /** Calls to redrive, and the dead letters that went. */
  redrives: 0,
  redriven: 0,
  /** Reports of usage. */
  reports: 0,
  /** Sessions that ended as gap, epoch_mismatch or unknown, after older storage came back. */
  lostSessions: 0,
});
export type Totals = ReturnType<typeof noTotals>;

/** Adds one to the other. */
export function addTotals(to: Totals, more: Totals): void {
  for (const name of Object.keys(more) as (keyof Totals)[]) to[name] += more[name];
}

/** What is missing for a run to have been worth its name, by its number of steps. */
export function missingWork(totals: Totals): string[] {
  const { steps } = totals;
  const least: Partial<Totals> = {
    sessions: steps / 5_000,
    messages: steps / 20,
    tasks: steps / 1_000,
    tasksEnded: steps / 1_000,
    cuts: steps / 2_000,
    crashes: steps / 2_000,
    hibernations: steps / 1_000,
    resumes: steps / 1_000,
    reports: steps / 1_000,
    drains: steps / 10_000,
    silent: steps / 500_000,
    asked: steps / 10_000,
    redriven: steps / 10_000,
    forgotten: steps / 20_000,
    rollbacks: steps / 200_000,
    deaths: steps / 20_000,
    recoveries: steps / 40_000,
    recalls: steps / 20_000,
  };
  return (Object.keys(least) as (keyof Totals)[])
    .filter((name) => totals[name] < Math.floor(least[name] ?? 0))
    .map((name) => `${name}: ${totals[name]}, at least ${Math.floor(least[name] ?? 0)} expected`);
}
