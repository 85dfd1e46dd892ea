// The lanes that are compared, measured in turns: whatever the machine is doing, it does it to all of them.
import { serve } from "./child.ts";
import { type Figures, type Lane, measure, median } from "./lane.ts";
import { type Dial, relayLane, sessionLane } from "./lanes.ts";
import { type PeerName, peers } from "./peers/index.ts";
import type { PeerDial } from "./peers/peer.ts";

export interface Load {
  relay: [Dial, Dial];
  broker: [Dial, Dial];
  peers: Partial<Record<PeerName, PeerDial>>;
  payloadBytes: number;
  rounds: number;
  /** Messages in flight → messages in a round. */
  totals: Record<string, number>;
}

/** Lane → messages in flight → figures. */
export type Report = Record<string, Record<string, Figures>>;

type Opening = [name: string, open: () => Promise<Lane>];

const lanesOf = ({ relay, broker, peers: dials }: Load): Opening[] => [
  ["bareRelay", () => relayLane(...relay)],
  ["direct", () => sessionLane(...broker, true)],
  ["multiplexed", () => sessionLane(...broker, false)],
  ...(Object.entries(dials) as [PeerName, PeerDial][]).map(
    ([name, dial]): Opening => [name, () => peers[name].lane(dial)],
  ),
];

async function run(load: Load, tell: (said: string) => void): Promise<Report> {
  const payload = "x".repeat(load.payloadBytes);
  const lanes = lanesOf(load);
  const rounds: Record<string, Record<string, Figures[]>> = {};
  for (let round = 0; round <= load.rounds; round++) {
    for (const [name, open] of lanes) {
      const lane = await open();
      for (const [inFlight, total] of Object.entries(load.totals)) {
        // Round 0 warms up every code path and is not counted.
        const figures = await measure(lane, payload, Number(inFlight), round === 0 ? Math.ceil(total / 4) : total);
        if (round === 0) continue;
        rounds[name] ??= {};
        rounds[name][inFlight] ??= [];
        rounds[name][inFlight].push(figures);
        tell(`${name}, ${inFlight} in flight: ${figures.msgPerS} msg/s`);
      }
      await lane.close();
    }
  }
  const medians = (figures: Record<string, Figures[]>) =>
    Object.fromEntries(Object.entries(figures).map(([inFlight, all]) => [inFlight, median(all)]));
  return Object.fromEntries(Object.entries(rounds).map(([name, figures]) => [name, medians(figures)]));
}

serve({ run });
