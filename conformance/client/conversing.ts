// Sessions: offered and accepted either way, closed either way, ended, and found again after a crash (PROTOCOL N, A2, A8).
import { randomUUID } from "node:crypto";
import { limits } from "../../protocol/wire/limits.ts";
import { type Check, LeftOut, Missing, must } from "../check.ts";
import { type Scene, Session } from "./scene.ts";
import { scriptName } from "./witness.ts";

/** The client opens a session because it was told to: its INIT. */
async function told(session: Session) {
  session.say({ do: "open" });
  return session.link.next("SESSION_INIT", undefined, 10_000);
}

const opening: Check<Scene>[] = [
  {
    rules: ["N2", "S1"],
    title: "it accepts an offer, and both speak",
    run: async (scene) => {
      const { session } = await scene.open();
      session.say("one", "two");
      must("N2", (await session.contents(2)).join() === "one,two", "it sends back what it is sent, in order");
      await session.acknowledged(2);
    },
  },
  {
    rules: ["N3", "N14"],
    title: "an ACCEPT without answer goes again on the next connection with the same id; an offer may come twice",
    run: async (scene) => {
      const link = await scene.connected();
      const session = new Session(scene, link);
      session.offer();
      const first = await link.next("SESSION_ACCEPT");
      await link.cut();
      session.link = await scene.connected();
      session.offer();
      const again = await session.link.next("SESSION_ACCEPT");
      must("N3", again.id === first.id, "the same ACCEPT has the same id");
      session.accept(again.id, limits.windowMessages);
      session.say("on");
      must("N3", (await session.contents(1))[0] === "on", "the session is open");
    },
  },
  {
    rules: ["N1", "N3"],
    title: "it offers a session; an INIT without answer goes again on the next connection with the same id",
    run: async (scene) => {
      const { link, session } = await scene.open();
      const first = await told(session);
      must(
        "N1",
        first.to === scriptName && first.session_id !== session.id,
        "a fresh session_id, to the agent that was named",
      );
      await session.acknowledged(1);
      await link.cut();
      session.link = await scene.connected();
      const again = await session.link.next("SESSION_INIT");
      must("N3", again.id === first.id && again.session_id === first.session_id, "the same INIT has the same ids");
      const data = { epoch: randomUUID(), peer: scriptName, capabilities: [] };
      session.link.say({
        type: "SESSION_ACCEPT",
        session_id: again.session_id,
        in_reply_to: again.id,
        limit: 512,
        data,
      });
      const { data: said } = await session.link.next("MESSAGE", (one) => one.session_id === again.session_id);
      must("N2", said.content === "opened", "once it is accepted it speaks");
    },
  },
  {
    rules: ["N4", "X1"],
    title: "an offer of its own that is rejected is over, and nothing else is",
    run: async (scene) => {
      const { link, session } = await scene.open();
      const init = await told(session);
      const { data } = session.error("offer_rejected", { message: "not today" });
      link.say({
        type: "SESSION_REJECT",
        session_id: init.session_id,
        in_reply_to: init.id,
        data: data as Record<string, unknown>,
      });
      session.say("on");
      must("X3", (await session.contents(1))[0] === "on", "the other session goes on");
    },
  },
];

const refused: Check<Scene>[] = [
  {
    rules: ["C10"],
    title: "an INIT that came too fast (too_many_lookups) is asked again a little later, with the same id",
    run: async (scene) => {
      const { link, session } = await scene.open();
      const first = await told(session);
      const { data } = session.error("too_many_lookups");
      link.say({
        type: "ERROR",
        session_id: first.session_id,
        in_reply_to: first.id,
        data: data as Record<string, unknown>,
      });
      const again = await link.next("SESSION_INIT", undefined, 10_000);
      must("N3", again.id === first.id && again.session_id === first.session_id, "the same INIT has the same ids");
    },
  },
  {
    rules: ["N3", "A8"],
    title: "an ACCEPT that is session_not_pending: an earlier life accepted it; it asks where that came to",
    run: async (scene) => {
      const link = await scene.connected();
      const session = new Session(scene, link);
      session.offer();
      const accept = await link.next("SESSION_ACCEPT");
      link.say({ ...session.error("session_not_pending"), in_reply_to: accept.id });
      const asked = await session.asked(3_000).catch((error: unknown) => {
        if (error instanceof Missing) throw new LeftOut("it does not go on with sessions of an earlier life");
        throw error;
      });
      must("A8", asked.data.received === null, "without memory it says received: null, and no more");
      session.resumed(asked.id, 3, { taken: 0, sent: 0, requested: [] });
      session.say("on");
      const { seq } = await link.next("MESSAGE");
      must("A8", seq === 4, `its next seq is ${seq}, not \`received\` + 1`);
    },
  },
  {
    rules: ["N16", "X3"],
    title: "a session that is damaged is over; others go on",
    run: async (scene) => {
      const { link, session } = await scene.open();
      session.say("one");
      await session.contents(1);
      link.say(session.error("session_damaged"));
      session.say("late");
      await link.quiet(
        "N16",
        "the session is over",
        (one) => one.type === "SESSION_RESUME" || one.type === "MESSAGE",
        800,
      );
      const other = await scene.openOn(link);
      other.say("on");
      must("X3", (await other.contents(1))[0] === "on", "other sessions go on");
    },
  },
];

const closing: Check<Scene>[] = [
  {
    rules: ["N7", "N10"],
    title:
      "it closes: SESSION_CLOSE after what it said before, its last ack once more behind it, and SESSION_CLOSED ends it",
    run: async (scene) => {
      const { link, session } = await scene.open();
      session.say("one");
      await session.contents(1);
      await session.acknowledged(1);
      session.say({ do: "close" });
      const { seq } = await link.next("SESSION_CLOSE");
      must("S1", seq === 2, `its SESSION_CLOSE has seq ${seq}, not 2`);
      const { ack } = await link.next("MESSAGE_ACK", (one) => one.session_id === session.id && behind(link.heard, one));
      must("N7", ack === 2, `its last ack behind SESSION_CLOSE is ${ack}, not 2`);
      link.say(session.of("SESSION_CLOSED", { data: { state: "closed", received: 2, delivered: 2 } }));
      await link.cut();
      const back = await scene.connected();
      await back.quiet("N10", "a session that has ended is not resumed", (one) => one.type === "SESSION_RESUME", 800);
    },
  },
  {
    rules: ["N7", "N8"],
    title: "a close of the peer's is acknowledged, after everything before it",
    run: async (scene) => {
      const { link, session } = await scene.open();
      session.say("one", "two");
      await session.contents(2);
      link.say(session.work("SESSION_CLOSE", { reason: "done" }));
      await session.acknowledged(3);
      link.say(session.of("SESSION_CLOSED", { data: { state: "closed", received: 2, delivered: 2 } }));
      const other = await scene.openOn(link);
      other.say("on");
      must("N10", (await other.contents(1))[0] === "on", "other sessions go on");
    },
  },
  ...(["closed", "unknown", "gap", "epoch_mismatch"] as const).map(
    (outcome): Check<Scene> => ({
      rules: ["A2"],
      title: `outcome ${outcome}: it says no more in that session, does not ask again, and goes on with others`,
      run: async (scene) => {
        const { link, session } = await scene.open();
        await link.cut();
        const asked = await session.reconnected();
        session.resumed(asked.id, 0, { outcome, state: outcome === "closed" ? "expired" : "active" }, 0);
        session.link.say(...session.messages("late"));
        await session.link.quiet(
          "A2",
          `after ${outcome} the session is over`,
          (one) => one.type === "SESSION_RESUME" || one.type === "MESSAGE",
          800,
        );
        const other = await scene.openOn(session.link);
        other.say("on");
        must("X3", (await other.contents(1))[0] === "on", "other sessions go on");
      },
    }),
  ),
];

const behind = (heard: readonly { envelope: object }[], envelope: object): boolean => {
  const types = heard.map((one) => one.envelope);
  return types.indexOf(envelope) > types.findIndex((one) => "type" in one && one.type === "SESSION_CLOSE");
};

const recovering: Check<Scene>[] = [
  {
    rules: ["A8", "T12"],
    title:
      "sessions that it knows nothing of are recovered: RESUME without memory, its next seq is `received` + 1, open tasks run",
    run: async (scene) => {
      const link = await scene.arrival();
      const session = new Session(scene, link);
      await link.registered([{ session_id: session.id, peer: scriptName }]);
      const asked = await session.asked(3_000).catch((error: unknown) => {
        if (error instanceof Missing) throw new LeftOut("it does not go on with sessions of an earlier life");
        throw error;
      });
      must("A8", asked.data.received === null, "without memory it says received: null, and no more");
      session.sent = 4;
      session.resumed(asked.id, 7, { taken: 4, sent: 5, requested: [] });
      const task_id = randomUUID();
      link.say(
        ...session.messages("five"),
        session.work("TASK_REQUEST", { task_id, capability: "echo", input: 1, redelivered: true }),
      );
      const seqs = [await link.next("MESSAGE"), await link.next("TASK_RESPONSE")].map(({ seq }) => seq);
      must("A8", Math.min(...seqs) === 8 && Math.max(...seqs) === 9, `its next were ${seqs}, not 8 and 9`);
      await session.acknowledged(6);
    },
  },
];

export const conversing: Check<Scene>[] = [...opening, ...refused, ...closing, ...recovering];
