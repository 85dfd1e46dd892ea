// Speed: agentworks over both of its paths, beside a bare Durable Object relay behind the same edge, and beside other brokers
// where they are installed, in one run.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startBroker, startWorkerBehindEdge } from "../scripts/broker/broker.ts";
import { describeOtherWorker } from "../scripts/broker/worker.ts";
import { Child } from "./child.ts";
import type { Load, Report } from "./client.ts";
import type { Dial } from "./lanes.ts";
import { installed, peerNames, peers, startPeers } from "./peers/index.ts";
import { dialsOf, row } from "./places.ts";

export interface SpeedOptions {
  state: string;
  rounds: number;
  withPeers: boolean;
  tell: (line: string) => void;
}

const totals = { "1": 1_500, "64": 20_000, "256": 50_000 };

export async function measureSpeed({ state, rounds, withPeers, tell }: SpeedOptions): Promise<Report> {
  const closing: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(opened: T): T => {
    closing.push(opened);
    return opened;
  };
  const load = new Child("./client.ts");
  try {
    const broker = keep(await startBroker({ stateDir: join(state, "broker") }));
    const relay = keep(
      await startWorkerBehindEdge({
        stateDir: join(state, "relay"),
        worker: await describeOtherWorker({
          name: "bare-relay",
          entry: fileURLToPath(new URL("./bare-relay/worker.ts", import.meta.url)),
          durableObjects: { RELAY: "Relay" },
        }),
      }),
    );
    const others = keep(await startPeers(join(state, "peers"), withPeers ? installed() : []));
    const certified = await dialsOf(broker);
    // The relay's edge has a CA of its own; the relay asks nobody who they are, so the same agents may dial it.
    const atRelay = (dial: Dial): Dial => ({ ...dial, url: relay.agentsUrl, caFile: relay.caFile });
    const job: Load = {
      relay: [atRelay(certified[0]), atRelay(certified[1])],
      broker: certified,
      peers: others.dials,
      payloadBytes: 512,
      rounds,
      totals,
    };
    return await load.ask<Report>("run", job, tell);
  } finally {
    load.end();
    for (const opened of closing.reverse()) await opened.close();
  }
}

export function speedTable(report: Report): string {
  const lines = [row("", "in flight", "msg/s", "× relay", "p50 ms", "× relay", "p99 ms", "arrival p50")];
  for (const [name, figures] of Object.entries(report)) {
    for (const n of Object.keys(totals)) {
      const [mine, relay] = [figures[n], report.bareRelay?.[n]];
      if (mine === undefined || relay === undefined) continue;
      const rate = (mine.msgPerS / relay.msgPerS).toFixed(2);
      const latency = (mine.p50Ms / relay.p50Ms).toFixed(2);
      lines.push(row(name, n, mine.msgPerS, rate, mine.p50Ms, latency, mine.p99Ms, mine.arrivalP50Ms));
    }
  }
  for (const name of peerNames.filter((name) => name in report)) {
    lines.push(`${name} acknowledges what is ${peers[name].acknowledges}.`);
  }
  return lines.join("\n");
}

/** As the JSON has it: peers apart. */
export function speedJson(report: Report): object {
  const isPeer = (name: string) => peerNames.some((peer) => peer === name);
  const entries = Object.entries(report);
  const others = entries.filter(([name]) => isPeer(name));
  return {
    ...Object.fromEntries(entries.filter(([name]) => !isPeer(name))),
    ...(others.length > 0 && { peers: Object.fromEntries(others) }),
  };
}
