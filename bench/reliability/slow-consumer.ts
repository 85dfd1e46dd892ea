// npm run slow-consumer: a producer ten times faster than its consumer. Shown is that the producer is held, that storage and
// memory stay within their bounds, and that other sessions do not notice: their p99 beside that of quiet times in the same run.
import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { limits } from "../../protocol/wire/limits.ts";
import { BrokerProcess, killChild, workerdPidOf } from "../../scripts/broker/child.ts";
import { certifyAgent } from "../../scripts/certificates/certify.ts";
import { readCommandLine } from "../../scripts/command-line.ts";
import { Failure, runCommand } from "../../scripts/failure.ts";
import { numberOf } from "./flags.ts";
import { largestSessionBytes, residentMiB, storageBoundBytes } from "./footprint.ts";
import type { Ends, OtherFigures, PairFigures, SlowOrder, SlowPlan, SlowReport } from "./slow-agents.ts";

const consumedPerS = 200;
const payloadBytes = 4096;
const others = { sessions: 8, perS: 25, payloadBytes: 512 };
/**
 * How much more workerd may hold in the second half of the time than it did in the first, in which V8 and SQLite take what any
 * load makes them take. Four windows: what waits is one, and garbage comes in waves. A broker that kept what its consumer does
 * not take would keep 240 MiB more in half a minute.
 */
const rssGrowthMiBMax = (4 * limits.windowBytes) / 2 ** 20;
const p99RatioMax = 2;
const sampleMs = 250;
const answerMsMax = 120_000;

const usage = `Usage: npm run slow-consumer -- [--seconds S] [--json]

A producer ten times faster than its consumer (${consumedPerS} messages of ${payloadBytes} bytes per second), while ${others.sessions} other sessions work. Exits 0 only
when everything arrived, storage stayed within its bound, workerd held at most ${rssGrowthMiBMax} MiB more in the second half of the time than in the
first, and the others' p99 grew by at most ${p99RatioMax}×.

  --seconds S   how long (default 60); a quarter of it before and after is the quiet time to compare with
  --json        prints one JSON object as the last line`;

/** A process with agents in it. */
class Troupe {
  readonly process: ChildProcess;
  #reports: SlowReport[] = [];
  #wake: () => void = () => {};

  constructor(plan: SlowPlan) {
    this.process = fork(fileURLToPath(new URL("./slow-agents.ts", import.meta.url)), {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.process.on("message", (report: SlowReport) => {
      this.#reports.push(report);
      this.#wake();
    });
    this.process.send(plan);
  }

  tell(order: SlowOrder): void {
    this.process.send(order);
  }

  async hear(): Promise<SlowReport> {
    const end = performance.now() + answerMsMax;
    while (performance.now() < end) {
      const report = this.#reports.shift();
      if (report !== undefined) return report;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000);
        this.#wake = () => resolve(clearTimeout(timer));
      });
      if (this.process.exitCode !== null && this.#reports.length === 0) break;
    }
    throw new Failure("An agent's process gave no answer.");
  }
}

const p99 = (latencies: readonly number[]): number => {
  const sorted = Float64Array.from(latencies).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? Number.NaN;
};

/** The largest that was seen while something went on. */
async function watchFootprint(state: string, stop: AbortSignal) {
  const pid = (await workerdPidOf(state)) ?? 0;
  const first = await residentMiB(pid);
  const resident: number[] = [];
  let storageBytesMax = 0;
  while (!stop.aborted) {
    storageBytesMax = Math.max(storageBytesMax, await largestSessionBytes(state));
    const now = await residentMiB(pid);
    if (now !== undefined) resident.push(now);
    await sleep(sampleMs, undefined, { signal: stop }).catch(() => undefined);
  }
  const half = Math.ceil(resident.length / 2);
  const [warm, late] = [Math.max(...resident.slice(0, half)), Math.max(...resident.slice(half))];
  const isKnown = first !== undefined && Number.isFinite(late);
  return {
    storageBytesMax,
    rssWarmUpMiB: isKnown ? warm - first : null,
    rssGrowthMiB: isKnown ? Math.max(0, late - warm) : null,
  };
}

async function measure(state: string, broker: BrokerProcess, seconds: number, children: Set<ChildProcess>) {
  await broker.start();
  const url = `wss://localhost:${broker.port}`;
  const end = async (agentId: string) => {
    const { caFile, certificateFile: certFile, keyFile } = await certifyAgent({ stateDir: state, agentId });
    return { caFile, files: { certFile, keyFile } };
  };
  const ends = async (a: string, b: string): Promise<Ends> => {
    const [from, to] = [await end(a), await end(b)];
    return { url, caFile: from.caFile, from: from.files, to: to.files };
  };
  const troupe = async (plan: SlowPlan) => {
    const made = new Troupe(plan);
    children.add(made.process);
    await made.hear();
    return made;
  };
  const crowd = await troupe({ role: "others", ends: await ends("talker", "listener"), ...others });
  const rates = { payloadBytes, consumedPerS, producedPerS: 10 * consumedPerS };
  const pair = await troupe({ role: "pair", ends: await ends("fast", "slow"), ...rates });
  const phase = (name: string) => {
    console.error(`phase: ${name}`);
    for (const one of [crowd, pair]) one.tell({ phase: name });
  };
  const quietMs = Math.max(2_000, (seconds * 1000) / 4);

  phase("warming up");
  await sleep(quietMs / 2);
  phase("before");
  await sleep(quietMs);
  const stop = new AbortController();
  const watching = watchFootprint(state, stop.signal);
  phase("slow");
  await sleep(seconds * 1000);
  phase("ending");
  const heard = await pair.hear();
  stop.abort();
  const footprint = await watching;
  phase("after");
  await sleep(quietMs);
  crowd.tell({ end: true });
  const talk = await crowd.hear();
  if (!("pair" in heard) || !("others" in talk)) throw new Error("the agents answered out of turn");
  return { pair: heard.pair, talk: talk.others, footprint };
}

function judge(pair: PairFigures, talk: OtherFigures, footprint: Awaited<ReturnType<typeof watchFootprint>>) {
  const quiet = [talk.before ?? [], talk.after ?? []];
  const quietP99 = p99(quiet.flat());
  const slowP99 = p99(talk.slow ?? []);
  const { storageBytesMax, rssWarmUpMiB, rssGrowthMiB } = footprint;
  const rounded = (MiB: number | null) => (MiB === null ? null : Number(MiB.toFixed(1)));
  const result = {
    produced: pair.produced,
    consumed: pair.consumed,
    heldMs: Math.round(pair.heldMs),
    storageBytesMax,
    storageBoundBytes,
    rssWarmUpMiB: rounded(rssWarmUpMiB),
    rssGrowthMiB: rounded(rssGrowthMiB),
    otherP99Ratio: Number((slowP99 / quietP99).toFixed(2)),
  };
  const failures = [
    pair.produced === pair.consumed ? "" : "not everything that was produced was consumed",
    pair.heldMs > 0 ? "" : "the producer was not held",
    storageBytesMax <= storageBoundBytes ? "" : "storage passed its bound",
    (rssGrowthMiB ?? 0) <= rssGrowthMiBMax ? "" : `workerd went on growing, by more than ${rssGrowthMiBMax} MiB`,
    result.otherP99Ratio <= p99RatioMax ? "" : `the others' p99 grew beyond ${p99RatioMax}×`,
  ].filter((text) => text !== "");
  return { result, failures, p99s: { before: p99(quiet[0] ?? []), slow: slowP99, after: p99(quiet[1] ?? []) } };
}

await runCommand(async () => {
  const { values } = readCommandLine(usage, {
    seconds: { type: "string", default: "60" },
    json: { type: "boolean" },
  });
  const seconds = numberOf("--seconds", values.seconds, 1);
  const state = await mkdtemp(join(tmpdir(), "agentworks-slow-"));
  const broker = new BrokerProcess(state);
  const children = new Set<ChildProcess>();
  try {
    const { pair, talk, footprint } = await measure(state, broker, seconds, children);
    const { result, failures, p99s } = judge(pair, talk, footprint);
    const MiB = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
    const rows: [string, string][] = [
      ["produced, consumed", `${result.produced}, ${result.consumed}`],
      [
        "producer was held",
        `${result.heldMs} ms of ${seconds * 1000} ms; at most ${pair.backlogMax} unsent and unstored`,
      ],
      ["largest session on disk", `${MiB(result.storageBytesMax)}, bound ${MiB(storageBoundBytes)}`],
      [
        "workerd's memory grew",
        result.rssGrowthMiB === null
          ? "not measured here"
          : `${result.rssWarmUpMiB} MiB in the first half, ${result.rssGrowthMiB} MiB more in the second, bound ${rssGrowthMiBMax} MiB`,
      ],
      [
        "others' p99",
        `${p99s.before.toFixed(1)} ms before, ${p99s.slow.toFixed(1)} ms meanwhile, ${p99s.after.toFixed(1)} ms after: ${result.otherP99Ratio}×, bound ${p99RatioMax}×`,
      ],
    ];
    console.log();
    for (const [name, value] of rows) console.log(`${name.padEnd(25)} ${value}`);
    for (const failure of failures) console.log(`FAILED: ${failure}`);
    if (values.json) console.log(`\n${JSON.stringify(result)}`);
    if (failures.length > 0) process.exitCode = 1;
  } finally {
    for (const child of children) await killChild(child);
    await broker.end();
    await rm(state, { recursive: true, force: true, maxRetries: 3 });
  }
});
process.exit();
