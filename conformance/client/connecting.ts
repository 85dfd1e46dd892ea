// Connecting, registering, being closed and coming back; frames and envelopes that a client has to take (PROTOCOL C, R, H, E, F).
import { type Check, must } from "../check.ts";
import { sleep } from "../mailbox.ts";
import type { Scene } from "./scene.ts";

const finalCodes: [code: number, why: string, rule: string][] = [
  [4400, "it does not speak the protocol", "C5"],
  [4401, "its certificate expired", "C5"],
  [4403, "its certificate was revoked", "C5"],
  [4409, "a newer connection took over", "C4"],
  [4413, "its frame was too large", "C5"],
];

/** How long a client is watched that must not come back: its first waits are shorter by far (L16). */
const watchMs = 3_000;

const closes: Check<Scene>[] = finalCodes.map(([code, why, rule]) => ({
  rules: rule === "C5" ? ["C5"] : [rule, "C5"],
  title: `after ${code} (${why}) it does not connect again`,
  run: async (scene) => {
    const { link } = await scene.open();
    link.close(code);
    await scene.noArrival(rule, `it connected again after ${code}`, watchMs);
  },
}));

const returns: Check<Scene>[] = [4500, 4503, 4512, 4529, 1001, 1011, 0].map((code) => ({
  rules: ["C5", "A2"],
  title: `after ${code === 0 ? "a cut" : code} it connects again and resumes`,
  run: async (scene) => {
    const { link, session } = await scene.open();
    session.say("one");
    must("N2", (await session.contents(1))[0] === "one", "it sends back what it is sent");
    if (code === 0) await link.cut();
    else link.close(code);
    const asked = await session.reconnected();
    session.resumed(asked.id, 1);
    session.say("two");
    must("A2", (await session.contents(1))[0] === "two", "the session goes on");
  },
}));

const connections: Check<Scene>[] = [
  {
    rules: ["R1", "C1", "C2", "F1"],
    title: "it connects with its certificate and subprotocol, and REGISTER comes first",
    run: async (scene) => {
      const link = await scene.connected();
      await sleep(300);
      link.assertSound();
    },
  },
  {
    rules: ["R4"],
    title: "it announces what it can do",
    run: async (scene) => {
      const link = await scene.connected();
      for (let i = 0; i < 50 && !link.capabilities.includes("echo"); i++) await sleep(50);
      must("R4", link.capabilities.includes("echo"), `it announced ${JSON.stringify(link.capabilities)}, not "echo"`);
    },
  },
  {
    rules: ["L16"],
    title: "while nobody is there it tries again with growing waits",
    run: async (scene) => {
      const { link } = await scene.open();
      scene.refuses = "cut";
      await link.cut();
      const before = scene.attempts.length;
      await sleep(6_000);
      const attempts = scene.attempts.length - before;
      must("L16", attempts >= 2, `it tried ${attempts} times in 6 s`);
      must("L16", attempts <= 25, `it tried ${attempts} times in 6 s: waits of up to 100 ms × 2ⁿ are about 7`);
      scene.refuses = undefined;
      await scene.arrival(15_000);
    },
  },
  {
    rules: ["X1", "C3"],
    title: "an upgrade that is refused with 403, not retryable, is not tried again",
    run: async (scene) => {
      const { link } = await scene.open();
      scene.refuses = 403;
      await link.cut();
      // One attempt more is fine: some libraries have to ask again for what the answer said.
      await sleep(watchMs);
      await scene.noArrival("X1", "it tries again and again", watchMs);
    },
  },
  {
    rules: ["C8"],
    title: "GOAWAY: it connects anew by itself, at once, and resumes",
    run: async (scene) => {
      const { link, session } = await scene.open();
      session.say("one");
      await session.contents(1);
      await session.acknowledged(1);
      link.say({ type: "GOAWAY", data: { reason: "deploy" } });
      session.link = await scene.arrival(3_000);
      await session.link.registered();
      const asked = await session.asked();
      session.resumed(asked.id, 1);
      session.say("two");
      must("C8", (await session.contents(1))[0] === "two", "the session goes on");
    },
  },
  {
    rules: ["H2", "H1", "L14"],
    slow: true,
    title: "it says HEARTBEAT when it has sent nothing for 20 s, and gives a silent connection up after 45 s",
    run: async (scene) => {
      const link = await scene.connected();
      await link.next("HEARTBEAT", undefined, 25_000);
      link.beats = false;
      await link.ended("H2", "it holds on to a connection on which nothing came for 45 s", 60_000);
      await scene.arrival(5_000);
    },
  },
];

const reading: Check<Scene>[] = [
  {
    rules: ["E5"],
    title: "types and members that it does not know are ignored",
    run: async (scene) => {
      const { link, session } = await scene.open();
      link.raw('{"type":"NEWS_OF_LATER_VERSIONS","data":{}}');
      const [message] = session.messages("on");
      link.say({ ...message, type: "MESSAGE", hello: { of: "later versions" } });
      must("E5", (await session.contents(1))[0] === "on", "it goes on");
    },
  },
  {
    rules: ["X1"],
    title: "an ERROR whose reason it does not know ends nothing",
    run: async (scene) => {
      const { link, session } = await scene.open();
      const about = { code: "unavailable", detail: "…", retryable: true, processed: "yes", scope: "envelope" };
      link.say(session.of("ERROR", { data: { reason: "something_new", ...about } }));
      session.say("on");
      must("X1", (await session.contents(1))[0] === "on", "it goes on");
    },
  },
  {
    rules: ["F7"],
    title: "it takes a frame of 256 envelopes and almost 1 MiB",
    run: async (scene) => {
      const { session } = await scene.open();
      session.say(...Array.from({ length: 256 }, (_, i) => `${i} ${"x".repeat(3_800)}`));
      const back = await session.contents(256, 15_000);
      must(
        "F7",
        back.every((content, i) => String(content).startsWith(`${i} `)),
        "everything comes back, in order",
      );
    },
  },
  {
    rules: ["F2", "F3", "L1"],
    title: "what it sends stays within the limits of frames, however much it has to say",
    run: async (scene) => {
      const { session } = await scene.open();
      const large = "é".repeat(100_000);
      session.say(large);
      session.say(large);
      session.say(large);
      session.say({ do: "send", count: 1_000 });
      await session.contents(1_003, 20_000);
    },
  },
  {
    rules: ["E4", "E3", "E6"],
    title: "content comes back as it was",
    run: async (scene) => {
      const { session } = await scene.open();
      const contents = [null, 0, -0.5, 1e21, "", '😀\u0000\u2028"\\', [], {}, { "": 1, class: [null] }, [[[[]]]], true];
      session.say(...contents);
      const back = await session.contents(contents.length);
      must("E4", JSON.stringify(back) === JSON.stringify(contents), `it came back as ${JSON.stringify(back)}`);
    },
  },
];

export const connecting: Check<Scene>[] = [...connections, ...closes, ...returns, ...reading];
