// sessions200P99Ratio: the 99th percentile of one session's acknowledgements (a message every 20 ms) while 200 other sessions of 20
// other agents send ten messages a second each, over the same without them; alone and in company by turns, in one run. Of the turns
// the median counts: one bad moment of the machine does not decide.
import type { Broker } from "../scripts/broker/broker.ts";
import { Child } from "./child.ts";
import type { Dial } from "./lanes.ts";
import { dialOf } from "./places.ts";

const pairCount = 10;
const sessionsPerPair = 20;
const perSecond = 10;
const turns = 5;
const turnSeconds = 4;
/** Before and after the watching, so that none of it is without its company. */
const edgeSeconds = 1;

/** Of what is asked of the crowd, so much must be stored. */
const crowdShareMin = 0.8;
const wantedPerS = pairCount * sessionsPerPair * perSecond;

export interface Crowd {
  /** What was asked of the crowd … */
  wantedPerS: number;
  /** … and what of it the broker stored, in the turn in which it stored least. */
  storedPerS: number;
  aloneP99Ms: number;
  crowdedP99Ms: number;
  /** Null: less than `crowdShareMin` of what was asked was stored, so this is not what a session notices of that crowd. */
  ratio: number | null;
}

const quantile = (all: number[], q: number): number =>
  [...all].sort((a, b) => a - b)[Math.floor(all.length * q)] ?? Number.NaN;
const p99 = (all: number[]): number => quantile(all, 0.99);

const pairOf = async (broker: Broker, name: string): Promise<[Dial, Dial]> => [
  await dialOf(broker, `${name}-sender`),
  await dialOf(broker, `${name}-receiver`),
];

export async function measureCrowd(broker: Broker, tell: (line: string) => void): Promise<Crowd> {
  const pairs: [Dial, Dial][] = [];
  while (pairs.length < pairCount) pairs.push(await pairOf(broker, `crowd${pairs.length}`));
  const pair = await pairOf(broker, "probe");
  const [crowd, probe] = [new Child("./crowd-client.ts"), new Child("./crowd-client.ts")];
  const [alone, crowded, rates]: [number[], number[], number[]] = [[], [], []];
  const watch = (seconds: number) => probe.ask<number[]>("watch", { pair, seconds });
  try {
    await crowd.ask("gather", { pairs, sessionsPerPair });
    await watch(edgeSeconds);
    for (let turn = 0; turn < turns; turn++) {
      alone.push(p99(await watch(turnSeconds)));
      const loading = crowd.ask<number>("load", { seconds: turnSeconds + 2 * edgeSeconds, perSecond });
      await watch(edgeSeconds);
      crowded.push(p99(await watch(turnSeconds)));
      rates.push(await loading);
      const [a, c, rate] = [alone, crowded, rates].map((all) => all.at(-1) ?? Number.NaN) as [number, number, number];
      tell(
        `p99 alone ${a.toFixed(2)} ms, beside 200 sessions ${c.toFixed(2)} ms (${Math.round(rate)} messages a second)`,
      );
    }
  } finally {
    crowd.end();
    probe.end();
  }
  const rounded = (value: number) => Number(value.toFixed(2));
  const [a, c] = [quantile(alone, 0.5), quantile(crowded, 0.5)];
  const storedPerS = Math.round(Math.min(...rates));
  const ratio = storedPerS < wantedPerS * crowdShareMin ? null : rounded(c / a);
  return { wantedPerS, storedPerS, aloneP99Ms: rounded(a), crowdedP99Ms: rounded(c), ratio };
}
