// Streams: duplicates, gaps, lost relays, resuming, limits, and when a client acknowledges (PROTOCOL S, A, W, B3).
import { randomUUID } from "node:crypto";
import { isWork } from "../../protocol/wire/envelope.ts";
import type { ErrorReason } from "../../protocol/wire/errors.ts";
import { type Check, must } from "../check.ts";
import { sleep } from "../mailbox.ts";
import type { Scene } from "./scene.ts";

const taking: Check<Scene>[] = [
  {
    rules: ["S3"],
    title: "a duplicate is dropped, and acknowledged again",
    run: async (scene) => {
      const { link, session } = await scene.open();
      session.say("one", "two");
      await session.contents(2);
      await session.acknowledged(2);
      const acks = () => link.heard.filter(({ envelope }) => "ack" in envelope && envelope.ack === 2).length;
      const before = acks();
      link.say(...session.again(1));
      await link.quiet("S3", "a duplicate is not given to the application again", isWork, 800);
      must("S3", acks() > before, "a duplicate is acknowledged again");
    },
  },
  {
    rules: ["S4", "A5", "A2"],
    title: "a gap: it takes nothing of it, and sends RESUME on the same connection, saying what it has",
    run: async (scene) => {
      const { link, session } = await scene.open();
      session.say("one");
      await session.contents(1);
      const [, three] = session.messages("two", "three");
      if (three !== undefined) link.say(three);
      const asked = await session.asked();
      const { data } = asked;
      must("A2", data.received === 1, `it says received ${data.received}, not 1`);
      session.resumed(asked.id, 1);
      link.say(...session.again(2));
      must("S4", (await session.contents(2)).join() === "two,three", "everything is taken once, in order");
    },
  },
  {
    rules: ["S9"],
    title: "it acknowledges what its application has taken, not what has merely arrived",
    run: async (scene) => {
      const { session } = await scene.open();
      session.say({ do: "wait", ms: 2_000 }, ...Array.from({ length: 20 }, (_, i) => i));
      await sleep(1_200);
      must("S9", session.taken <= 2, `${session.taken} are acknowledged while its application is busy with the first`);
      await session.contents(20);
      await session.acknowledged(21);
    },
  },
  {
    rules: ["B3", "L17", "S5"],
    title: "a receipt comes soon after its application has taken something, though nothing else is to be sent",
    run: async (scene) => {
      const { session } = await scene.open();
      session.say({ do: "wait", ms: 0 });
      await session.acknowledged(1, 1_000);
    },
  },
  {
    rules: ["A10"],
    title: "a duplicate with another id is another history: it says no more in that session",
    run: async (scene) => {
      const { link, session } = await scene.open();
      session.say("one", "two");
      await session.contents(2);
      const [second] = session.again(2);
      if (second !== undefined) link.say({ ...second, id: randomUUID() });
      session.say("three");
      await link.quiet("A10", "the session cannot go on", isWork, 800);
    },
  },
];

const resuming: Check<Scene>[] = [
  {
    rules: ["A6", "A2"],
    title: "after a cut it sends again what is not stored, as it was, and nothing else",
    run: async (scene) => {
      const { link, session } = await scene.open();
      link.acknowledges = false;
      session.say("one");
      await session.contents(1);
      session.say("two", "three");
      await sleep(300);
      link.receipt(session.id, 1);
      await session.contents(2);
      await link.cut();
      const asked = await session.reconnected();
      must("A2", asked.data.received !== null && asked.data.next === 4, "RESUME says that it will give out 4 next");
      // The second is stored too: only its receipt was lost.
      session.resumed(asked.id, 2);
      const { seq, data } = await session.link.next("MESSAGE");
      must("A6", seq === 3 && data.content === "three", `it sends ${seq} again, not 3`);
      await session.link.quiet("A6", "nothing else goes again", isWork, 500);
    },
  },
  {
    rules: ["A6"],
    title: "it sends nothing again on a timer",
    run: async (scene) => {
      const { link, session } = await scene.open();
      link.acknowledges = false;
      session.say("one");
      await session.contents(1);
      await link.quiet("A6", "nothing goes twice", isWork, 8_000);
    },
  },
  {
    rules: ["L15", "A5"],
    slow: true,
    title: "work without an acknowledgement for 30 s makes it attach again, on the same connection",
    run: async (scene) => {
      const { link, session } = await scene.open();
      link.acknowledges = false;
      session.say("one");
      await session.contents(1);
      await link.quiet("L15", "not before its time", (one) => one.type === "SESSION_RESUME", 20_000);
      const asked = await session.asked(30_000);
      session.resumed(asked.id, 0);
      must("A6", (await session.contents(1))[0] === "one", "then it sends again");
    },
  },
  {
    rules: ["A2"],
    title: "only the answer to its latest question counts",
    run: async (scene) => {
      const { link, session } = await scene.open();
      await link.cut();
      const older = await session.reconnected();
      await session.link.cut();
      const newer = await session.reconnected();
      must("A2", newer.id !== older.id, "each question has an id of its own");
      const before = scene.witness.ignored(session.id);
      session.resumed(older.id, 0, { outcome: "gap" });
      before.restore();
      session.resumed(newer.id, 0);
      session.say("on");
      must("A2", (await session.contents(1))[0] === "on", "an older answer ended the session");
    },
  },
  {
    rules: ["A1", "S2"],
    title: "three cuts in a row: everything comes once, in order, both ways",
    run: async (scene) => {
      const { session } = await scene.open();
      const heard: unknown[] = [];
      for (let round = 0; round < 3; round++) {
        session.say(round * 2, round * 2 + 1);
        heard.push(...(await session.contents(1)));
        await session.link.cut();
        const asked = await session.reconnected();
        const stored = scene.witness.highest(session.id);
        session.resumed(asked.id, stored);
        while (heard.length < stored) heard.push(heard.length);
        session.link.say(...session.again((asked.data.received ?? 0) + 1));
        if (stored < session.sent) heard.push(...(await session.contents(session.sent - stored)));
      }
      must("S2", heard.join() === "0,1,2,3,4,5", `it sent ${heard.join()}`);
    },
  },
];

const reattaching: Check<Scene>[] = (
  ["relay_lost", "session_not_attached", "sequence_gap", "flow_control", "ack_beyond"] satisfies ErrorReason[]
).map((reason) => ({
  rules: ["A5", "A6"],
  title: `${reason}: it sends RESUME for that session on the same connection, and goes on`,
  run: async (scene) => {
    const { link, session } = await scene.open();
    session.say("one");
    await session.contents(1);
    link.say(session.error(reason));
    const asked = await session.asked();
    session.resumed(asked.id, 1);
    link.say(...session.again((asked.data.received ?? 0) + 1));
    session.say("two");
    must("A5", (await session.contents(1))[0] === "two", "the session goes on");
  },
}));

const relays: Check<Scene>[] = [
  {
    rules: ["A5"],
    title: "relay_lost while it waits for the answer to RESUME: it asks again",
    run: async (scene) => {
      const { link, session } = await scene.open();
      await link.cut();
      await session.reconnected();
      session.link.say(session.error("relay_lost"));
      const again = await session.asked();
      session.resumed(again.id, 0);
      session.say("on");
      must("A5", (await session.contents(1))[0] === "on", "the session goes on");
    },
  },
];

const flow: Check<Scene>[] = [
  {
    rules: ["W1"],
    title: "it never sends beyond the limit, and goes on when that rises",
    run: async (scene) => {
      const { link, session } = await scene.open(5);
      link.acknowledges = false;
      session.say({ do: "send", count: 50 });
      await session.contents(5);
      session.link.receipt(session.id, 5, 5);
      await link.quiet("W1", "nothing goes beyond the limit", isWork, 800);
      link.receipt(session.id, 5, 8);
      await session.contents(3);
      await link.quiet("W1", "nothing goes beyond the limit", isWork, 400);
      link.acknowledges = true;
      link.receipt(session.id, 8);
      await session.contents(42);
    },
  },
  {
    rules: ["S7", "W1"],
    title: "receipts that are older than one before take nothing back",
    run: async (scene) => {
      const { link, session } = await scene.open(10);
      link.acknowledges = false;
      session.say({ do: "send", count: 10 });
      await session.contents(1);
      link.receipt(session.id, 1, 10);
      link.receipt(session.id, 0, 2);
      await session.contents(9);
      link.receipt(session.id, 10);
    },
  },
  {
    rules: ["W5"],
    title: "PAUSE and RESUME of the broker's break nothing",
    run: async (scene) => {
      const { link, session } = await scene.open();
      link.say(session.of("PAUSE"));
      session.say("one");
      await sleep(200);
      link.say(session.of("RESUME"));
      must("W5", (await session.contents(1))[0] === "one", "after RESUME it speaks");
    },
  },
];

export const streaming: Check<Scene>[] = [...taking, ...resuming, ...reattaching, ...relays, ...flow];
