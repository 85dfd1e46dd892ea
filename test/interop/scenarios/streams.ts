// Messages: in order and once, as fast as the reader takes them and no faster.
import { setTimeout as sleep } from "node:timers/promises";
import { enterBoth, type Pair, Party } from "../pair.ts";
import { count, holds, type Scenario, same, whole } from "./scenario.ts";

/** Whether something has come to its end. */
function watched<T>(promise: Promise<T>): { promise: Promise<T>; readonly isDone: boolean } {
  let isDone = false;
  const done = () => {
    isDone = true;
  };
  promise.then(done, done);
  return {
    promise,
    get isDone() {
      return isDone;
    },
  };
}

const pause: Scenario = {
  name: "pause",
  shows: "what is sent to an agent that said PAUSE waits, stored, until it says RESUME",
  async play(pair: Pair) {
    const { a, b } = pair;
    const session = await pair.open();
    await b.ask("pause", { session });
    await sleep(200);
    await a.ask("send", { session, from: 1, to: 5 });
    const delivered = watched(a.ask("send", { session, from: 6, to: 10, wait: "delivered" }));
    const received = watched(b.ask("receive", { session, from: 1, to: 10 }));
    await sleep(300);
    holds("nothing arrives while it is paused", !received.isDone && !delivered.isDone);
    await b.ask("resume", { session });
    same("what arrives then", await received.promise, whole(10));
    await delivered.promise;
    await pair.close(session);
  },
};

const slowReader: Scenario = {
  name: "slow-reader",
  shows:
    "a reader that takes nothing holds its sender within a window (PAUSE), and lets it go on when it reads (RESUME)",
  async play(pair: Pair) {
    const { a, b } = pair;
    const session = await pair.open();
    const [paused, resumed] = [await count(a, "paused"), await count(a, "resumed")];
    const sending = watched(a.ask("send", { session, from: 1, to: 1_500, pad: 100 }));
    await a.ask("statuses", { until: "paused", count: paused + 1 });
    await sleep(300);
    holds("the sender is held", !sending.isDone);
    same("what arrives", await b.ask("receive", { session, from: 1, to: 1_500, each_ms: 0.1 }), whole(1_500));
    await sending.promise;
    await a.ask("statuses", { until: "resumed", count: resumed + 1 });
    await pair.close(session);
  },
};

async function flood(a: Party, b: Party, session: string, forth: number, back: number): Promise<void> {
  const sending = [
    a.ask("send", { session, from: 1, to: forth, pad: 64, wait: "delivered" }),
    b.ask("send", { session, from: 1, to: back, pad: 64, wait: "delivered" }),
  ];
  const [there, here] = await Promise.all([
    b.ask("receive", { session, from: 1, to: forth }),
    a.ask("receive", { session, from: 1, to: back }),
  ]);
  same("what arrives at b", there, whole(forth));
  same("what arrives at a", here, whole(back));
  await Promise.all(sending);
}

const tenThousand: Scenario = {
  name: "10000-messages",
  shows: "10,000 messages one way and 1,000 the other, in order and once",
  together: 2,
  async play(pair: Pair) {
    const session = await pair.open();
    await flood(pair.a, pair.b, session, 10_000, 1_000);
    await pair.close(session);
  },
};

const direct: Scenario = {
  name: "direct",
  shows: "each session on a WebSocket of its own, at one end or at both: the same order, and the same after a cut",
  together: 3,
  async play({ a, b, stage, name }: Pair) {
    const [near, far] = await enterBoth(
      Party.enter(stage, `${name}-direct-a`, a.language, "a", { direct: true }),
      Party.enter(stage, `${name}-direct-b`, b.language, "b", { direct: true }),
    );
    try {
      for (const other of [b, far]) {
        const { session } = await near.ask("open", { peer: other.agent });
        const flooding = flood(near, other, session, 2_000, 500);
        await sleep(100);
        for (const party of [near, other]) party.cable.cut();
        await flooding;
        await near.ask("close", { session, reason: "done" });
        await other.ask("ended", { session });
        same("what they wrote to stderr", near.complaints + far.complaints, "");
      }
    } finally {
      await Promise.all([near.end(), far.end()]);
    }
  },
};

export const streams = [pause, slowReader, tenThousand, direct] as const;
