// The life of sessions: offers, answers, refusals, closing (PROTOCOL N, E3, E4, E7).
import { type Check, must } from "../check.ts";
import { sleep } from "../mailbox.ts";
import { ack, close, message, recover, type Stage, uuid } from "./stage.ts";

const opening: Check<Stage>[] = [
  {
    rules: ["N1", "N2"],
    title: "an offer carries from, metadata and capabilities; both sides get SESSION_ACCEPT with epoch, limit and peer",
    run: async (stage) => {
      const a = await stage.connect("a", [{ name: "conformance.offer" }]);
      const b = await stage.connect("b", [{ name: "conformance.accept" }]);
      const session_id = uuid();
      const init = stage.init(session_id, { metadata: { deep: [1, null, "…"] } }) as { id: string };
      a.say(init);
      const offer = await b.next("SESSION_INIT", (one) => one.session_id === session_id);
      must("N1", offer.id === init.id, "the id is the initiator's");
      must("E3", offer.from === stage.names.a, "`from` is stamped");
      must("N1", JSON.stringify(offer.data.metadata) === '{"deep":[1,null,"…"]}', "`metadata` is passed on as it is");
      must("N1", offer.data.capabilities[0]?.name === "conformance.offer", "the initiator's capabilities are told");
      const accept = { type: "SESSION_ACCEPT", id: uuid(), session_id, in_reply_to: offer.id };
      b.say(accept);
      const [mine, theirs] = [await a.next("SESSION_ACCEPT"), await b.next("SESSION_ACCEPT")];
      must("N2", mine.in_reply_to === init.id && theirs.in_reply_to === accept.id, "each names what it answers");
      must("N2", mine.data.peer === stage.names.b && theirs.data.peer === stage.names.a, "`peer` is the other one");
      must("N2", mine.data.epoch === theirs.data.epoch, "both have one epoch");
      must("N2", mine.data.capabilities[0]?.name === "conformance.accept", "the responder's capabilities are told");
      must("W1", mine.limit > 0 && theirs.limit > 0, "the first limit lets something be sent");
    },
  },
  {
    rules: ["N3"],
    title: "INIT and ACCEPT may be sent again until work was sent: the same answer; not after that",
    run: async (stage) => {
      const { a, b } = await stage.both();
      const session_id = uuid();
      const init = stage.init(session_id);
      a.say(init);
      await b.next("SESSION_INIT");
      a.say(init);
      const offer = await b.next("SESSION_INIT", (one) => one.session_id === session_id);
      const accept = { type: "SESSION_ACCEPT", id: uuid(), session_id, in_reply_to: offer.id };
      b.say(accept);
      const [mine, theirs] = [await a.next("SESSION_ACCEPT"), await b.next("SESSION_ACCEPT")];
      a.say(init);
      b.say(accept);
      must("N3", (await a.next("SESSION_ACCEPT")).data.epoch === mine.data.epoch, "INIT again: the same answer");
      must("N3", (await b.next("SESSION_ACCEPT")).data.epoch === theirs.data.epoch, "ACCEPT again: the same answer");
      a.say(message(session_id, 1));
      await a.next("MESSAGE_ACK");
      a.say(init);
      await a.error("N3", "session_exists");
      b.say({ ...accept, id: uuid() });
      await b.error("N3", "session_not_pending");
    },
  },
  {
    rules: ["N4", "X1"],
    title: "a rejected offer: the responder's message reaches the initiator, again when it asks again",
    run: async (stage) => {
      const { a, b } = await stage.both();
      const session_id = uuid();
      const init = stage.init(session_id);
      a.say(init);
      await b.next("SESSION_INIT", (one) => one.session_id === session_id);
      b.say({ type: "SESSION_REJECT", id: uuid(), session_id, data: { message: "not today" } });
      const told = await a.next("SESSION_REJECT");
      must("N4", told.data.reason === "offer_rejected", `reason ${told.data.reason}`);
      must("N4", told.data.message === "not today", "`message` is the responder's");
      a.say(init);
      must("N4", (await a.next("SESSION_REJECT")).data.reason === "offer_rejected", "asked again: the same answer");
      b.say({ type: "SESSION_ACCEPT", id: uuid(), session_id });
      await b.error("N3", "session_closed");
    },
  },
  {
    rules: ["N4"],
    title: "an offer to an agent that nobody knows is agent_unknown",
    run: async (stage) => {
      const a = await stage.connect("a");
      a.say({ type: "SESSION_INIT", id: uuid(), session_id: uuid(), to: `nobody-${uuid().slice(0, 8)}` });
      const told = await a.next("SESSION_REJECT");
      must("N4", told.data.reason === "agent_unknown", `reason ${told.data.reason}`);
    },
  },
  {
    rules: ["N14", "N4"],
    title: "with ttl_ms 0 an offer to an agent that is away is agent_offline at once",
    run: async (stage) => {
      const { a, b } = await stage.both();
      b.cut();
      await sleep(300);
      a.say(stage.init(uuid(), { ttl_ms: 0 }));
      const told = await a.next("SESSION_REJECT");
      must("N14", told.data.reason === "agent_offline", `reason ${told.data.reason}`);
    },
  },
  {
    rules: ["N14"],
    title: "an offer waits for an agent that is away, and comes after its REGISTER_ACK",
    run: async (stage) => {
      const { a, b } = await stage.both();
      b.cut();
      await sleep(300);
      const session_id = uuid();
      a.say(stage.init(session_id, { ttl_ms: 20_000 }));
      await a.settled();
      const back = await stage.connect("b");
      await back.next("SESSION_INIT", (one) => one.session_id === session_id);
    },
  },
  {
    rules: ["N14", "N5"],
    title: "an offer that nobody answers in its time is offer_expired",
    run: async (stage) => {
      const { a, b } = await stage.both();
      const session_id = uuid();
      a.say(stage.init(session_id, { ttl_ms: 500 }));
      await b.next("SESSION_INIT", (one) => one.session_id === session_id);
      const told = await a.next("SESSION_REJECT");
      must("N14", told.data.reason === "offer_expired", `reason ${told.data.reason}`);
    },
  },
  {
    rules: ["N15"],
    title: "an offer by capability finds whoever announced it, obeys max_concurrency, and says when nobody can",
    run: async (stage) => {
      const name = `conformance.${uuid()}`;
      const { a, b } = await stage.both([{ name, max_concurrency: 1 }]);
      const byName = (capability: string) => ({
        type: "SESSION_INIT",
        id: uuid(),
        session_id: uuid(),
        data: { capability },
      });
      const first = byName(name);
      a.say(first);
      const offer = await b.next("SESSION_INIT", (one) => one.session_id === first.session_id);
      must("N15", offer.data.capability === name, "the offer says what it is for");
      b.say({ type: "SESSION_ACCEPT", id: uuid(), session_id: first.session_id });
      must("N15", (await a.next("SESSION_ACCEPT")).data.peer === stage.names.b, "`peer` says who was found");
      a.say(byName(name));
      must("N15", (await a.next("SESSION_REJECT")).data.reason === "capability_busy", "nobody has room any more");
      a.say(byName(`conformance.${uuid()}`));
      must("N15", (await a.next("SESSION_REJECT")).data.reason === "capability_unknown", "nobody announced it");
    },
  },
  {
    rules: ["N1"],
    title: "a session with oneself is self_session",
    run: async (stage) => {
      const a = await stage.connect("a");
      a.say({ type: "SESSION_INIT", id: uuid(), session_id: uuid(), to: stage.names.a });
      await a.error("N1", "self_session");
    },
  },
  {
    rules: ["N6"],
    title: "work for a session that is not there is session_unknown; RESUME says unknown",
    run: async (stage) => {
      const a = await stage.connect("a");
      const session_id = uuid();
      a.say(message(session_id, 1));
      await a.error("N6", "session_unknown");
      a.say(recover(session_id));
      must("A2", (await a.next("SESSION_RESUMED")).data.outcome === "unknown", "the outcome is unknown");
    },
  },
  {
    rules: ["N12"],
    title: "work in a session that is not accepted yet is session_not_active",
    run: async (stage) => {
      const { a, b } = await stage.both();
      const session_id = uuid();
      a.say(stage.init(session_id));
      await b.next("SESSION_INIT", (one) => one.session_id === session_id);
      a.say(message(session_id, 1));
      await a.error("N12", "session_not_active");
    },
  },
];

const envelopes: Check<Stage>[] = [
  {
    rules: ["E3", "X2"],
    title: "a `from` that names somebody else is from_mismatch",
    run: async (stage) => {
      const { a, session_id } = await stage.open();
      const forged = message(session_id, 1, "x", { from: "somebody-else" });
      a.say(forged);
      const error = await a.error("E3", "from_mismatch");
      must("X2", error.in_reply_to === forged.id && error.session_id === session_id, "the ERROR names what it answers");
    },
  },
  {
    rules: ["E4", "E7"],
    title:
      "content is passed on as it is, unknown members are not; id, in_reply_to, timestamp and traceparent are kept",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      const content = JSON.parse(
        '{"__proto__":{"a":1},"":[null,-0.5,1e21,"\\ud83d\\ude00\\u0000\\u2028"],"type":"MESSAGE"}',
      );
      const kept = { in_reply_to: uuid(), timestamp: "2026-11-22T12:00:00.5+01:00", traceparent: "00-a-b-01" };
      const said = message(session_id, 1, content, { ...kept, hello: 1 });
      a.say(said);
      await b.next("MESSAGE");
      const line = JSON.parse(
        b.frames
          .at(-1)
          ?.split("\n")
          .find((one) => one.includes(`"${said.id}"`)) ?? "{}",
      );
      must("E4", JSON.stringify(line.data.content) === JSON.stringify(content), "`content` is the same JSON value");
      must("E4", !("hello" in line), "an unknown member is not passed on");
      must(
        "E7",
        Object.entries(kept).every(([name, value]) => line[name] === value),
        "what E7 names is kept",
      );
      must("E7", line.id === said.id && line.from === stage.names.a && line.seq === 1, "id, from and seq");
    },
  },
];

const closing: Check<Stage>[] = [
  {
    rules: ["N7", "N10"],
    title: "a close: after both have acknowledged everything both get SESSION_CLOSED",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      a.say(message(session_id, 1), close(session_id, 2));
      await b.next("SESSION_CLOSE", ({ seq }) => seq === 2);
      await a.quiet("N7", ["SESSION_CLOSED"], "nothing is closed before it is acknowledged", 200);
      b.say(ack(session_id, 2));
      a.say(ack(session_id, 0));
      const [mine, theirs] = [await a.next("SESSION_CLOSED"), await b.next("SESSION_CLOSED")];
      must("N10", mine.data.state === "closed" && theirs.data.state === "closed", "the state is closed");
      must(
        "N10",
        mine.data.received === 2 && mine.data.delivered === 2,
        "what was received and delivered of this side",
      );
      a.say(message(session_id, 3));
      await a.error("N12", "session_closed");
      a.say(ack(session_id, 0));
      await a.quiet("N12", ["ERROR"], "a receipt to an ended session is ignored", 200);
    },
  },
  {
    rules: ["N8"],
    title: "a side that closed has no more to say",
    run: async (stage) => {
      const { a, session_id } = await stage.open();
      a.say(close(session_id, 1));
      await a.next("MESSAGE_ACK");
      a.say(message(session_id, 2));
      await a.error("N8", "session_closed");
    },
  },
  {
    rules: ["N9"],
    title: "both close at once: the second close is accepted and not passed on",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      a.say(close(session_id, 1));
      await b.next("SESSION_CLOSE");
      b.say(close(session_id, 1), ack(session_id, 1));
      await b.next("SESSION_CLOSED");
      await a.next("SESSION_CLOSED");
      must("N9", a.unread("SESSION_CLOSE").length === 0, "the second SESSION_CLOSE is not passed on");
    },
  },
];

export const sessions: Check<Stage>[] = [...opening, ...envelopes, ...closing];
