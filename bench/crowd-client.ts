// The two loads of the crowd measurement, each in a process of its own: many sessions that send at a modest rate, and one session
// that is watched.
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type Session } from "../sdk/typescript/src/index.ts";
import { serve } from "./child.ts";
import { type Dial, filesOf } from "./lanes.ts";

const payload = "x".repeat(512);

async function sessionsBetween([sender, receiver]: [Dial, Dial], count: number): Promise<Session[]> {
  const [from, to] = [await connect(filesOf(sender)), await connect(filesOf(receiver))];
  void (async () => {
    for await (const session of to.sessions()) {
      void (async () => {
        for await (const _ of session.messages());
      })();
    }
  })();
  const sessions: Session[] = [];
  while (sessions.length < count) sessions.push(await from.open(to.id));
  return sessions;
}

let crowd: Session[] = [];
let probe: Session | undefined;

/** Opens the sessions of a crowd. */
async function gather({ pairs, sessionsPerPair }: { pairs: [Dial, Dial][]; sessionsPerPair: number }): Promise<void> {
  const opened = await Promise.all(pairs.map((pair) => sessionsBetween(pair, sessionsPerPair)));
  crowd = opened.flat();
}

/** All of the crowd sends for that long, each session by its own beat. Answers how many messages per second were stored. */
async function load({ seconds, perSecond }: { seconds: number; perSecond: number }): Promise<number> {
  let stored = 0;
  const sent: Promise<unknown>[] = [];
  const send = (session: Session) => sent.push(session.send(payload).then(() => stored++));
  const beats = crowd.map(async (session) => {
    await sleep(Math.random() * (1_000 / perSecond));
    const beat = setInterval(() => send(session), 1_000 / perSecond);
    await sleep(seconds * 1_000);
    clearInterval(beat);
  });
  await Promise.all(beats);
  await Promise.all(sent);
  return stored / seconds;
}

/** One message every twenty milliseconds; from `send` until it is known to be stored, milliseconds each. */
async function watch({ pair, seconds }: { pair: [Dial, Dial]; seconds: number }): Promise<number[]> {
  probe ??= (await sessionsBetween(pair, 1))[0];
  const tookMs: number[] = [];
  const sent: Promise<unknown>[] = [];
  for (const end = performance.now() + seconds * 1_000; performance.now() < end; await sleep(20)) {
    const started = performance.now();
    sent.push(probe?.send(payload).then(() => tookMs.push(performance.now() - started)) ?? Promise.resolve());
  }
  await Promise.all(sent);
  return tookMs;
}

serve({ gather, load, watch });
