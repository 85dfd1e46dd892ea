// The load, in a process of its own so that it shares no event loop with the edge. Started by main.ts with one JSON argument
// over IPC; answers with the figures and exits.

import { type Figures, type Lane, measure, median } from "./lane.ts";
import { type Dial, relayLane, sessionLane } from "./lanes.ts";

export interface Load {
  relay: [Dial, Dial];
  broker: [Dial, Dial];
  payloadBytes: number;
  rounds: number;
  /** Messages in flight → messages in a round. */
  totals: Record<string, number>;
}

export type Report = Record<"bareRelay" | "direct" | "multiplexed", Record<string, Figures>>;

const lanes: [keyof Report, (load: Load) => Promise<Lane>][] = [
  ["bareRelay", ({ relay }) => relayLane(...relay)],
  ["direct", ({ broker }) => sessionLane(...broker, true)],
  ["multiplexed", ({ broker }) => sessionLane(...broker, false)],
];

async function run(load: Load): Promise<Report> {
  const payload = "x".repeat(load.payloadBytes);
  const rounds: Record<keyof Report, Record<string, Figures[]>> = { bareRelay: {}, direct: {}, multiplexed: {} };
  // Lanes take turns within a round: whatever the machine is doing, it does it to all of them.
  for (let round = 0; round <= load.rounds; round++) {
    for (const [name, open] of lanes) {
      const lane = await open(load);
      for (const [inFlight, total] of Object.entries(load.totals)) {
        // Round 0 warms up every code path and is not counted.
        const figures = await measure(lane, payload, Number(inFlight), round === 0 ? Math.ceil(total / 4) : total);
        if (round > 0) {
          rounds[name][inFlight] ??= [];
          rounds[name][inFlight].push(figures);
          process.send?.({ progress: `${name}, ${inFlight} in flight: ${figures.msgPerS} msg/s` });
        }
      }
      await lane.close();
    }
  }
  const medians = (name: keyof Report) =>
    Object.fromEntries(Object.entries(rounds[name]).map(([inFlight, figures]) => [inFlight, median(figures)]));
  return { bareRelay: medians("bareRelay"), direct: medians("direct"), multiplexed: medians("multiplexed") };
}

process.once("message", (load: Load) => {
  run(load).then(
    (report) => process.send?.({ report }, () => process.exit(0)),
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
});
