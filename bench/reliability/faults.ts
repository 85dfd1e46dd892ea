// What goes wrong in a chaos run, and when: decided by the dice before it starts, so that a seed tells the same story again.
import type { Cut } from "../../scripts/cable.ts";
import type { Dice } from "./dice.ts";

export type Fault =
  /** SIGKILL: the whole broker (workerd dies with it), or workerd alone, which the broker then starts again. */
  | { do: "kill"; whole: boolean }
  /** One connection breaks at a byte. `agent` and `strand` in [0, 1): which. */
  | { do: "cut"; agent: number; strand: number; cut: Cut }
  /** SIGKILL of an agent's process. */
  | { do: "killAgent"; agent: number };

export interface TimedFault {
  atMs: number;
  fault: Fault;
}

const silenceMsMax = 2_000;
const cutBytesMax = 64 * 1024;
const cutWithinMs = 1_000;

function cutOf(dice: Dice): Cut {
  return {
    bytes: dice.magnitude(cutBytesMax),
    towards: dice.chance(0.5) ? "broker" : "agent",
    // Most breaks are noticed at once; some connections are dead for a while before anybody notices.
    silenceMs: dice.chance(0.2) ? dice.magnitude(silenceMsMax) : 0,
    withinMs: cutWithinMs,
  };
}

/** Each kind evenly over the time, each at a random moment of its share. Sorted by time. */
export function planFaults(
  dice: Dice,
  { kills, cuts, agentKills, durationMs }: { kills: number; cuts: number; agentKills: number; durationMs: number },
): TimedFault[] {
  const spread = (count: number, fault: () => Fault): TimedFault[] =>
    Array.from({ length: count }, (_, i) => ({ atMs: ((i + dice.next()) / count) * durationMs, fault: fault() }));
  return [
    ...spread(kills, () => ({ do: "kill", whole: dice.chance(2 / 3) })),
    ...spread(cuts, () => ({ do: "cut", agent: dice.next(), strand: dice.next(), cut: cutOf(dice) })),
    ...spread(agentKills, () => ({ do: "killAgent", agent: dice.next() })),
  ].sort((a, b) => a.atMs - b.atMs);
}
