// npm run bench: speed beside a bare Durable Object relay behind the same edge in the same run, and cost as the runtime counts it.
import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startBroker, startWorkerBehindEdge } from "../scripts/broker/broker.ts";
import { describeOtherWorker, describeWorker } from "../scripts/broker/worker.ts";
import { certifyAgent } from "../scripts/certificates/certify.ts";
import { portOf, readCommandLine } from "../scripts/command-line.ts";
import { Failure, runCommand } from "../scripts/failure.ts";
import type { Load, Report } from "./client.ts";
import { type Cost, measureCost } from "./cost.ts";
import type { Counters } from "./counted/counters.ts";
import type { Dial } from "./lanes.ts";

const usage = `Usage: npm run bench -- [--rounds N] [--json]

Measures agentworks beside a bare Durable Object relay, behind the same mutual TLS edge: 512-byte messages, one sender and one
receiver, with 1, 64 and 256 in flight. Then counts the rows and D1 queries that messages cost.

  --rounds N   rounds per figure, the median counts (default 3)
  --json       prints one JSON object as the last line`;

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const agents = ["sender", "receiver"] as const;

/** Certificates of both agents for a running broker. */
async function dials(stateDir: string, url: string): Promise<[Dial, Dial]> {
  const dial = async (agentId: string): Promise<Dial> => {
    const { caFile, certificateFile, keyFile } = await certifyAgent({ stateDir, agentId });
    if (keyFile === undefined) throw new Error("a new certificate comes with its key");
    return { url, caFile, certificateFile, keyFile };
  };
  return [await dial(agents[0]), await dial(agents[1])];
}

/** Runs the load in its own process, telling how far it is. */
function runLoad(load: Load, progress: (line: string) => void): Promise<Report> {
  return new Promise((resolve, reject) => {
    const child = fork(here("./client.ts"), { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    child.on("message", (message: { progress?: string; report?: Report }) => {
      if (message.progress !== undefined) progress(message.progress);
      if (message.report !== undefined) resolve(message.report);
    });
    child.once("exit", (code) => reject(new Failure(`The load ended before it was measured (${code}).`)));
    child.send(load);
  });
}

async function measureSpeed(state: string, rounds: number, progress: (line: string) => void): Promise<Report> {
  const broker = await startBroker({ stateDir: join(state, "broker") });
  const relay = await startWorkerBehindEdge({
    stateDir: join(state, "relay"),
    worker: describeOtherWorker({
      name: "bare-relay",
      entry: here("./bare-relay/worker.ts"),
      durableObjects: { RELAY: "Relay" },
    }),
  });
  try {
    const certified = await dials(broker.stateDir, broker.agentsUrl);
    // The relay's edge has a CA of its own; the relay asks nobody who they are, so the same agents may dial it.
    const atRelay = (dial: Dial): Dial => ({ ...dial, url: relay.agentsUrl, caFile: relay.caFile });
    return await runLoad(
      {
        relay: [atRelay(certified[0]), atRelay(certified[1])],
        broker: certified,
        payloadBytes: 512,
        rounds,
        totals: { "1": 1_500, "64": 20_000, "256": 50_000 },
      },
      progress,
    );
  } finally {
    await relay.close();
    await broker.close();
  }
}

async function countCost(state: string): Promise<Cost> {
  const worker = { ...describeWorker(), entry: here("./counted/worker.ts") };
  const broker = await startBroker({ stateDir: join(state, "counted"), worker });
  try {
    const counters = async () => (await (await fetch(`${broker.apiUrl}/bench/counters`)).json()) as Counters;
    return await measureCost(await dials(broker.stateDir, broker.agentsUrl), 512, counters);
  } finally {
    await broker.close();
  }
}

const inFlight = ["1", "64", "256"];

function table(report: Report): string {
  const row = (...cells: (string | number)[]) =>
    cells.map((cell, i) => (i === 0 ? String(cell).padEnd(13) : String(cell).padStart(11))).join("");
  const lines = [row("", "in flight", "msg/s", "× relay", "p50 ms", "× relay", "p99 ms", "arrival p50")];
  for (const [name, figures] of Object.entries(report)) {
    for (const n of inFlight) {
      const [mine, relay] = [figures[n], report.bareRelay[n]];
      if (mine === undefined || relay === undefined) continue;
      const rate = (mine.msgPerS / relay.msgPerS).toFixed(2);
      const latency = (mine.p50Ms / relay.p50Ms).toFixed(2);
      lines.push(row(name, n, mine.msgPerS, rate, mine.p50Ms, latency, mine.p99Ms, mine.arrivalP50Ms));
    }
  }
  return lines.join("\n");
}

await runCommand(async () => {
  const { values } = readCommandLine(usage, { rounds: { type: "string", default: "3" }, json: { type: "boolean" } });
  const rounds = portOf("--rounds", values.rounds);
  if (rounds < 1) throw new Failure("--rounds takes 1 or more.");
  const state = await mkdtemp(join(tmpdir(), "agentworks-bench-"));
  try {
    const report = await measureSpeed(state, rounds, (line) => console.error(line));
    const cost = await countCost(state);
    console.log(
      `\n512-byte messages through the mutual TLS edge; p50 and p99 from send until the sender knows it acknowledged\n(agentworks: stored, fsync included; the relay: answered by the receiver through the relay)\n`,
    );
    console.log(table(report));
    console.log(
      `\nrows written per message: ${cost.rowsPerMessage.frame1} in frames of one, ${cost.rowsPerMessage.frame16} in frames of sixteen`,
    );
    console.log(
      `calls to objects per message in frames of one: ${cost.callsPerMessage}; D1 queries per message: ${cost.d1QueriesPerMessage}\n`,
    );
    if (values.json) console.log(JSON.stringify({ ...report, ...cost }));
  } finally {
    await rm(state, { recursive: true, force: true });
  }
});
process.exit();
