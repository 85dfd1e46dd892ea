// The two loads of the crowd measurement, each in a process of its own: many sessions that send at a modest rate, and one session
// that is watched.
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type Session } from "../sdk/typescript/src/index.ts";
import { serve } from "./child.ts";
import { type Dial, filesOf } from "./lanes.ts";

const payload = "x".repeat(512);

/** On sockets of their own: multiplexed, each message costs the embedded broker four calls between objects besides. */
async function sessionsBetween([sender, receiver]: [Dial, Dial], count: number): Promise<Session[]> {
  const connected = (dial: Dial) => connect({ ...filesOf(dial), direct: true });
  const [from, to] = [await connected(sender), await connected(receiver)];
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

/**
 * All of the crowd sends for that long, each session by its own beat: at times that are fixed beforehand, for intervals of one
 * length drift together and become bursts. Answers how many messages per second were stored, until the last of them was.
 */
async function load({ seconds, perSecond }: { seconds: number; perSecond: number }): Promise<number> {
  const everyMs = 1_000 / perSecond;
  const began = performance.now();
  const beats = crowd.map(async (session) => {
    const sent: Promise<unknown>[] = [];
    for (let at = began + Math.random() * everyMs; at < began + seconds * 1_000; at += everyMs) {
      await sleep(Math.max(0, at - performance.now()));
      sent.push(session.send(payload));
    }
    await Promise.all(sent);
    return sent.length;
  });
  const stored = (await Promise.all(beats)).reduce((sum, count) => sum + count, 0);
  return stored / Math.max(seconds, (performance.now() - began) / 1_000);
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
