// What a seed decides before anything happens: which faults there are and how often, what the applications do, how small the
// limits are. Each seed draws its own few (swarm testing): a run with every fault on hides what one with two of them shows.
import { assertLimits, limits } from "../../protocol/wire/limits.ts";
import type { Dice } from "./dice.ts";

export const faultKinds = [
  /** A connection breaks. */
  "cut",
  /** A connection swallows everything, both ways, until its heartbeat gives it up. */
  "swallow",
  /** A connection swallows what its client sends: the client hears on, and its agent's object finds out. */
  "mute",
  /** The agent is sent to connect anew (GOAWAY). */
  "drain",
  /** Frames of a connection take seconds for a while. */
  "stall",
  /** A client attaches again for no reason: on the same connection, or on a new one beside the old. */
  "reattach",
  /** A client asks where it stands as if it had no memory, though it has. */
  "ask",
  /** The object crashes between two events. */
  "crash",
  /** The object forgets its memory; its sockets stay. */
  "hibernate",
  /** The object comes back from an older copy of its storage. */
  "rollback",
  /** A client dies with its memory, for a while or for ever. */
  "die",
  /** The application takes nothing for a while. */
  "sleep",
  /** The agent says PAUSE for a while. */
  "pause",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Chances of what may go wrong with a single frame or event. */
export interface Mishaps {
  /** The relay loses a frame on its way to the session, and says so. */
  loseInbound: number;
  /** The relay loses a delivery, and says so; in one of four cases the connection goes with it. */
  loseDelivery: number;
  /** A frame that attaches arrives twice. */
  repeatAttach: number;
  /** The object crashes between two effects of an event. */
  crashInside: number;
  /** The session index does not answer. */
  indexDown: number;
  /** A question about dead letters does not arrive, or its answer does not. */
  loseCall: number;
  /** A report of usage comes once more, much later. */
  strayReport: number;
  /** A client with a journal is killed in a write, or between that and what it sends. */
  killInside: number;
  /** The memory of the object is gone before an event. */
  forget: number;
}

/** Weights of what an application does when its turn comes. */
export interface Habits {
  message: number;
  burst: number;
  request: number;
  progress: number;
  respond: number;
  cancel: number;
  /** Asks again for a task it asked for. */
  repeat: number;
  /** What a task does not allow: a second answer, an answer of the wrong side, another input under the same name. */
  mischief: number;
  take: number;
  close: number;
}

export interface Plan {
  /** Mean milliseconds between two faults of a kind; 0: never. */
  faults: Record<FaultKind, number>;
  mishaps: Mishaps;
  habits: [Habits, Habits];
  /** Mean milliseconds between two turns of an application. */
  turns: [number, number];
  /** The application takes what it hears at once. */
  quick: [boolean, boolean];
  /** Sessions go over a socket of their own once they are open. */
  direct: [boolean, boolean];
  /** It keeps a journal. */
  journal: [boolean, boolean];
  /** Receipts wait for company. */
  thrifty: [boolean, boolean];
  /** Milliseconds that a frame takes, at least and at most. */
  latency: [number, number];
  burstMax: number;
  bytesMax: number;
  /** The chance that a client which died comes back, and how long that takes at most. */
  returns: number;
  awayMsMax: number;
  /** Steps of trouble in one session before everything heals. */
  troubleSteps: [number, number];
}

export type Limits = { -readonly [K in keyof typeof limits]: number };
export const shippedLimits: Limits = { ...limits };

/** Limits are read where they are needed, so a small world needs no other code: windows fill within a few steps. */
export function useLimits(chosen: Limits): void {
  assertLimits(chosen);
  Object.assign(limits as Limits, chosen);
}

function drawLimits(dice: Dice): Limits {
  if (dice.chance(0.2)) return shippedLimits;
  const window = dice.pick([8, 16, 16, 32, 64]);
  const windowBytes = dice.pick([8, 16, 64]) * 1024;
  const own = dice.between(8, window);
  const tasks = dice.between(1, Math.floor(own / 2) - 1);
  const heartbeatTimeoutMs = dice.pick([100, 500, 5_000, shippedLimits.heartbeatTimeoutMs]);
  return {
    ...shippedLimits,
    windowMessages: window,
    cursorLagMessagesMax: Math.max(1, dice.between(1, window / 4)),
    receiptMessagesMax: dice.between(1, window / 4),
    brokerRowsMax: own,
    openTasksMax: tasks,
    redriveRowsMax: own - 2 * tasks,
    ringRowsMax: window * 3,
    envelopeBytesMax: 4096,
    frameBytesMax: 8192,
    frameEnvelopesMax: dice.pick([4, 8, 32]),
    windowBytes,
    ringBytesMax: windowBytes * dice.pick([1, 2, 4]),
    cursorLagBytesMax: dice.between(1, windowBytes / 4),
    heartbeatTimeoutMs,
    heartbeatIntervalMs: heartbeatTimeoutMs / 2 - 1,
    seenEveryMs: heartbeatTimeoutMs / 5,
    usageReportMessages: dice.pick([10, 100, shippedLimits.usageReportMessages]),
  };
}

const drawHabits = (dice: Dice): Habits => {
  const works = dice.chance(0.7);
  const may = (chance: number, weight: number) => (dice.chance(chance) ? weight : 0);
  return {
    message: may(0.8, dice.magnitude(1, 10)),
    burst: may(0.5, dice.magnitude(0.3, 3)),
    request: works ? dice.magnitude(0.5, 5) : 0,
    progress: may(0.5, 2),
    respond: may(0.9, dice.magnitude(1, 10)),
    cancel: may(0.5, dice.magnitude(0.1, 2)),
    repeat: may(0.5, dice.magnitude(0.1, 2)),
    mischief: may(0.3, dice.magnitude(0.1, 2)),
    take: dice.magnitude(1, 20),
    close: may(0.15, 0.05),
  };
};

const meanMs: Record<FaultKind, [number, number]> = {
  cut: [100, 10_000],
  swallow: [2_000, 60_000],
  mute: [1_000, 30_000],
  drain: [500, 20_000],
  stall: [500, 20_000],
  reattach: [50, 5_000],
  ask: [200, 10_000],
  crash: [50, 5_000],
  hibernate: [20, 2_000],
  rollback: [500, 20_000],
  die: [300, 20_000],
  sleep: [500, 10_000],
  pause: [200, 5_000],
};
/** Those that end sessions are rarer than the others: most of the work must go on. */
const isOn: Partial<Record<FaultKind, number>> = {
  rollback: 0.12,
  die: 0.4,
  swallow: 0.3,
  mute: 0.5,
  drain: 0.3,
  ask: 0.3,
};

/** Draws the plan of a seed, and puts its limits to use. */
export function drawPlan(dice: Dice): Plan {
  const faults = Object.fromEntries(
    faultKinds.map((kind) => [kind, dice.chance(isOn[kind] ?? 0.45) ? dice.magnitude(...meanMs[kind]) : 0]),
  ) as Plan["faults"];
  const some = (most: number) => (dice.chance(0.4) ? dice.magnitude(most / 50, most) : 0);
  const both = <T>(draw: () => T): [T, T] => [draw(), draw()];
  useLimits(drawLimits(dice));
  const fast = dice.chance(0.3);
  return {
    faults,
    mishaps: {
      loseInbound: some(0.1),
      loseDelivery: some(0.1),
      repeatAttach: some(0.5),
      crashInside: some(0.1),
      indexDown: some(0.9),
      loseCall: some(0.5),
      strayReport: some(0.5),
      killInside: some(0.01),
      forget: dice.chance(0.2) ? 1 : some(0.5),
    },
    habits: both(() => drawHabits(dice)),
    turns: both(() => dice.magnitude(3, 100)),
    quick: both(() => dice.chance(0.6)),
    direct: both(() => dice.chance(0.4)),
    journal: both(() => dice.chance(0.4)),
    thrifty: both(() => dice.chance(0.5)),
    latency: fast ? [0, 1] : [1, dice.between(2, 80)],
    burstMax: dice.pick([4, 30, limits.windowMessages, limits.windowMessages * 2]),
    bytesMax: dice.pick([0, 40, 40, Math.min(limits.envelopeBytesMax - 1024, 20_000)]),
    returns: dice.chance(0.35) ? 0 : 0.85,
    awayMsMax: dice.pick([50, 5_000, 60_000]),
    troubleSteps: [100, dice.between(300, 1500)],
  };
}
