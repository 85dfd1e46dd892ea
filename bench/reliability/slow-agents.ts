// The agents of the slow-consumer run, in processes of their own: the pair of which one is slow, and the others, who should not
// notice. One process holds both ends of its sessions, so that latency is measured by one clock.
import { setTimeout as sleep } from "node:timers/promises";
import { type Agent, connect, type Session } from "../../sdk/typescript/src/index.ts";

export interface Ends {
  url: string;
  caFile: string;
  /** Two agents, by the files of their certificates. */
  from: { certFile: string; keyFile: string };
  to: { certFile: string; keyFile: string };
}

export type SlowPlan =
  | { role: "pair"; ends: Ends; payloadBytes: number; consumedPerS: number; producedPerS: number }
  | { role: "others"; ends: Ends; payloadBytes: number; sessions: number; perS: number };

/** To the agents. `phase` names what is measured from now on; the pair produces only in phase "slow". */
export type SlowOrder = { phase: string } | { end: true };

export interface PairFigures {
  produced: number;
  consumed: number;
  /** How long the producer waited in `ready`, milliseconds. */
  heldMs: number;
  /** Sent and not yet stored, at most: what the producer's own process had to keep. */
  backlogMax: number;
}

/** Latencies from `send` to the other's code, milliseconds, by phase; unsorted. */
export type OtherFigures = Record<string, number[]>;

export type SlowReport = { ready: true } | { pair: PairFigures } | { others: OtherFigures };

const say = (report: SlowReport) => void process.send?.(report);

async function join({ url, caFile, from, to }: Ends): Promise<[Agent, Agent]> {
  return [await connect({ url, caFile, ...from }), await connect({ url, caFile, ...to })];
}

/** Both ends of a new session. */
async function openBetween(from: Agent, to: Agent): Promise<[Session, Session]> {
  const offered = to.sessions();
  const here = await from.open(to.id);
  const there = await offered.next();
  await offered.return?.();
  if (there.done) throw new Error("the session did not arrive");
  return [here, there.value];
}

/** Waits until `dueMs` (of `performance.now`); timers are coarse, so shorter waits are made up for by not waiting at all. */
async function until(dueMs: number): Promise<void> {
  const restMs = dueMs - performance.now();
  if (restMs >= 1) await sleep(restMs);
}

async function produce(session: Session, payloadBytes: number, perS: number, figures: PairFigures, stop: AbortSignal) {
  const content = "x".repeat(payloadBytes);
  let stored = 0;
  let dueMs = performance.now();
  while (!stop.aborted) {
    const before = performance.now();
    await session.ready;
    figures.heldMs += performance.now() - before;
    // What could not be said in time is not made up for: the producer works on at its own pace.
    dueMs = Math.max(dueMs, performance.now() - 5) + 1000 / perS;
    figures.produced++;
    void session.send(content).then(() => stored++);
    figures.backlogMax = Math.max(figures.backlogMax, figures.produced - stored);
    await until(dueMs);
  }
}

async function consume(session: Session, perS: number, figures: PairFigures, stop: AbortSignal) {
  let dueMs = performance.now();
  for await (const _ of session.messages()) {
    figures.consumed++;
    dueMs = Math.max(dueMs, performance.now() - 5) + 1000 / perS;
    // When the producer has stopped the rest is taken at once: the run need not wait for it.
    if (!stop.aborted) await until(dueMs);
  }
}

async function runPair({ ends, payloadBytes, consumedPerS, producedPerS }: SlowPlan & { role: "pair" }) {
  const [from, to] = await join(ends);
  const [here, there] = await openBetween(from, to);
  const figures: PairFigures = { produced: 0, consumed: 0, heldMs: 0, backlogMax: 0 };
  const stop = new AbortController();
  const consumed = consume(there, consumedPerS, figures, stop.signal);
  let produced: Promise<void> = Promise.resolve();
  say({ ready: true });
  process.on("message", async (order: SlowOrder) => {
    if (!("phase" in order)) process.exit();
    if (order.phase === "slow") produced = produce(here, payloadBytes, producedPerS, figures, stop.signal);
    else if (figures.produced > 0 && !stop.signal.aborted) {
      stop.abort();
      await produced;
      await here.close();
      await consumed;
      say({ pair: figures });
    }
  });
}

async function runOthers({ ends, payloadBytes, sessions, perS }: SlowPlan & { role: "others" }) {
  const [from, to] = await join(ends);
  const pad = "x".repeat(payloadBytes);
  const figures: OtherFigures = {};
  let phase = "";
  const opened: Session[] = [];
  for (let i = 0; i < sessions; i++) {
    const [here, there] = await openBetween(from, to);
    opened.push(here);
    void (async () => {
      for await (const { content } of there.messages()) {
        const { at, phase } = content as { at: number; phase: string };
        figures[phase] ??= [];
        figures[phase].push(performance.now() - at);
      }
    })();
  }
  // Sessions take turns, so that they do not all speak in the same millisecond.
  let turn = 0;
  setInterval(
    () => {
      const session = opened[turn++ % opened.length];
      void session?.send({ at: performance.now(), phase, pad });
    },
    1000 / (perS * sessions),
  );
  say({ ready: true });
  process.on("message", (order: SlowOrder) => {
    if ("phase" in order) phase = order.phase;
    else process.send?.({ others: figures }, () => process.exit());
  });
}

process.once("message", (plan: SlowPlan) => {
  (plan.role === "pair" ? runPair(plan) : runOthers(plan)).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
