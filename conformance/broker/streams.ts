// Streams and flow: numbers, receipts, windows, PAUSE, and coming back to a session (PROTOCOL S, W, A).
import { type Check, must } from "../check.ts";
import type { Peer } from "./peer.ts";
import { ack, message, messages, recover, resume, type Stage, uuid } from "./stage.ts";

/** The contents of the next so many MESSAGEs, and their numbers. */
async function hear(peer: Peer, count: number): Promise<{ seq: number; id: string; content: unknown }[]> {
  const heard: { seq: number; id: string; content: unknown }[] = [];
  while (heard.length < count) {
    const { seq, id, data } = await peer.next("MESSAGE");
    heard.push({ seq, id, content: data.content });
  }
  return heard;
}

const streams: Check<Stage>[] = [
  {
    rules: ["S1", "S2", "F6"],
    title: "work of one frame is stored, acknowledged once, and comes in order",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      a.say(...messages(session_id, 1, 20));
      const receipt = await a.next("MESSAGE_ACK");
      must("F6", receipt.ack === 20, `one receipt for the frame: ack ${receipt.ack}`);
      must(
        "S1",
        (await hear(b, 20)).every(({ seq, content }, i) => seq === i + 1 && content === i + 1),
        "1, 2, 3 … in order",
      );
    },
  },
  {
    rules: ["S7"],
    title: "the sender hears `delivered` when the receiver has acknowledged",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      a.say(...messages(session_id, 1, 3));
      await hear(b, 3);
      b.say(ack(session_id, 2));
      const receipt = await a.next("MESSAGE_ACK", ({ data }) => (data?.delivered ?? 0) > 0);
      must(
        "S7",
        receipt.ack === 3 && receipt.data?.delivered === 2,
        `ack ${receipt.ack}, delivered ${receipt.data?.delivered}`,
      );
    },
  },
  {
    rules: ["S3"],
    title: "a duplicate is acknowledged again, and not passed on",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      const said = message(session_id, 1);
      a.say(said);
      await a.next("MESSAGE_ACK");
      await b.next("MESSAGE");
      a.say(said);
      must("S3", (await a.next("MESSAGE_ACK")).ack === 1, "acknowledged again");
      await b.quiet("S3", ["MESSAGE"], "it comes once");
    },
  },
  {
    rules: ["S4"],
    title: "a gap is sequence_gap with `expected`; nothing from it on is taken, in that frame too",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      a.say(message(session_id, 1), message(session_id, 3), message(session_id, 4));
      const error = await a.error("S4", "sequence_gap");
      must("S4", error.data.expected === 2, `expected ${error.data.expected}, not 2`);
      a.say(message(session_id, 2));
      await a.next("MESSAGE_ACK", (one) => one.ack === 2);
      must("S4", (await hear(b, 2)).map(({ seq }) => seq).join() === "1,2", "what was taken comes, and no more");
      await a.quiet("S4", ["ERROR"], "the rest of the frame is dropped without a word", 50);
    },
  },
  {
    rules: ["S5"],
    title: "an ack beyond what was sent is ack_beyond; the rest of its envelope counts",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      a.say(message(session_id, 1, "on", { ack: 5 }));
      await a.error("S5", "ack_beyond");
      await hear(b, 1);
    },
  },
];

const flow: Check<Stage>[] = [
  {
    rules: ["W1", "W3", "W2"],
    title:
      "a window that is full: what is beyond the limit is flow_control and not stored, the third frame closes with 4413",
    run: async (stage) => {
      const { a, b, session_id, limit } = await stage.open();
      for (let first = 1; first <= limit; first += 128)
        a.say(...messages(session_id, first, Math.min(first + 127, limit)));
      await a.next("MESSAGE_ACK", (one) => one.ack === limit);
      for (let frame = 1; frame <= 2; frame++) {
        a.say(message(session_id, limit + 1));
        must("W3", (await a.error("W3", "flow_control")).data.limit === limit, "the ERROR tells the limit");
      }
      a.say(message(session_id, limit + 1));
      await a.error("W3", "flow_control_abuse");
      await a.closed("W3", 4413);
      await hear(b, limit);
      await b.quiet("W2", ["MESSAGE"], "nothing beyond the limit was stored", 100);
    },
  },
  {
    rules: ["W1"],
    title: "the limit rises when the receiver acknowledges",
    run: async (stage) => {
      const { a, b, session_id, limit } = await stage.open();
      for (let first = 1; first <= limit; first += 128)
        a.say(...messages(session_id, first, Math.min(first + 127, limit)));
      await hear(b, limit);
      b.say(ack(session_id, limit));
      await a.next("MESSAGE_ACK", (one) => (one.limit ?? 0) > limit);
      a.say(message(session_id, limit + 1));
      await a.next("MESSAGE_ACK", (one) => one.ack === limit + 1);
    },
  },
  {
    rules: ["W5", "L7"],
    title: "PAUSE when three quarters of the window wait, RESUME when it has fallen to one",
    run: async (stage) => {
      const { a, b, session_id, limit } = await stage.open();
      for (let first = 1; first <= limit; first += 128)
        a.say(...messages(session_id, first, Math.min(first + 127, limit)));
      await a.next("PAUSE");
      await hear(b, limit);
      b.say(ack(session_id, Math.ceil(limit * 0.5)));
      await a.quiet("W5", ["RESUME"], "half a window is no reason for RESUME", 200);
      b.say(ack(session_id, limit));
      await a.next("RESUME");
    },
  },
  {
    rules: ["W6"],
    title: "PAUSE of a receiver: nothing of the session's work comes until its RESUME; what it sends goes",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      b.say({ type: "PAUSE", session_id });
      await b.settled();
      a.say(message(session_id, 1));
      await a.next("MESSAGE_ACK");
      await b.quiet("W6", ["MESSAGE"], "it said PAUSE");
      b.say(message(session_id, 1));
      await hear(a, 1);
      b.say({ type: "RESUME", session_id });
      await hear(b, 1);
    },
  },
  {
    rules: ["W7"],
    title: "PAUSE without session_id stands for all sessions",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      b.say({ type: "PAUSE" });
      await b.settled();
      a.say(message(session_id, 1));
      await a.next("MESSAGE_ACK");
      await b.quiet("W7", ["MESSAGE"], "it said PAUSE for all");
      b.say({ type: "RESUME" });
      await hear(b, 1);
    },
  },
];

const attaching: Check<Stage>[] = [
  {
    rules: ["A2", "A6", "S8"],
    title: "resumed: everything after `received` comes again with the same seq and id, then what is new",
    run: async (stage) => {
      const opened = await stage.open();
      const { a, b, session_id } = opened;
      a.say(...messages(session_id, 1, 5));
      const before = await hear(b, 5);
      b.cut();
      a.say(message(session_id, 6));
      await a.next("MESSAGE_ACK", (one) => one.ack === 6);
      const back = await stage.connect("b");
      const asked = resume(opened, 2, 1, 1, { ack: 1 });
      back.say(asked);
      const answer = await back.next("SESSION_RESUMED");
      must("A2", answer.data.outcome === "resumed", `outcome ${answer.data.outcome}`);
      must("A2", answer.in_reply_to === asked.id, "it names the question");
      must("A2", answer.data.received === 0, "`received` is what is stored of this side");
      const again = await hear(back, 4);
      must("A6", JSON.stringify(again.slice(0, 3)) === JSON.stringify(before.slice(2)), "the same seq, id and content");
      must("S8", again[3]?.seq === 6, "then what is new");
      await a.next("MESSAGE_ACK", ({ data }) => data?.delivered === 1);
    },
  },
  {
    rules: ["A2", "A6"],
    title: "the sender learns what is stored, sends the rest again, and nothing is repeated to the receiver",
    run: async (stage) => {
      const opened = await stage.open();
      const { a, b, session_id } = opened;
      const said = messages(session_id, 1, 4);
      a.say(...said.slice(0, 2));
      await a.next("MESSAGE_ACK");
      a.cut();
      const back = await stage.connect("a");
      back.say(resume(opened, 0, 1, 5));
      must("A2", (await back.next("SESSION_RESUMED")).data.received === 2, "`received` is what is stored");
      back.say(...said.slice(1));
      await back.next("MESSAGE_ACK", (one) => one.ack === 4);
      must("S3", (await hear(b, 4)).map(({ seq }) => seq).join() === "1,2,3,4", "each comes once, in order");
    },
  },
  ...(
    [
      ["more received than was sent", 9, 1, 1],
      ["the next seq is one that is stored", 0, 1, 1],
      ["what is missing cannot be sent again", 0, 9, 10],
    ] as const
  ).map(
    ([why, received, first, next]): Check<Stage> => ({
      rules: ["A2"],
      title: `outcome gap: ${why}`,
      run: async (stage) => {
        const opened = await stage.open();
        opened.a.say(message(opened.session_id, 1));
        await opened.a.next("MESSAGE_ACK");
        const back = await stage.connect("a");
        back.say(resume(opened, received, first, next));
        const { outcome } = (await back.next("SESSION_RESUMED")).data;
        must("A2", outcome === "gap", `outcome ${outcome}, not gap`);
      },
    }),
  ),
  {
    rules: ["A2"],
    title: "outcome epoch_mismatch for another storage",
    run: async (stage) => {
      const { a, session_id } = await stage.open();
      a.say(resume({ session_id, epoch: "another" }, 0, 1, 1));
      const { outcome } = (await a.next("SESSION_RESUMED")).data;
      must("A2", outcome === "epoch_mismatch", `outcome ${outcome}`);
    },
  },
  {
    rules: ["A1", "A3"],
    title: "a connection that did not attach is session_not_attached, once a frame, and nothing is taken",
    run: async (stage) => {
      const { b, session_id } = await stage.open();
      const back = await stage.connect("a");
      back.say(...messages(session_id, 1, 3));
      await back.error("A3", "session_not_attached");
      await back.quiet("A3", ["ERROR"], "it is said once a frame", 100);
      await b.quiet("A3", ["MESSAGE"], "nothing of it is taken", 200);
    },
  },
  {
    rules: ["A7", "W6"],
    title: "PAUSE ends with its attachment",
    run: async (stage) => {
      const opened = await stage.open();
      const { a, b, session_id } = opened;
      b.say({ type: "PAUSE", session_id });
      await b.settled();
      a.say(message(session_id, 1));
      await a.next("MESSAGE_ACK");
      b.say(resume(opened, 0, 1, 1));
      await hear(b, 1);
    },
  },
  {
    rules: ["A8", "R3"],
    title:
      "an agent without memory finds its sessions in REGISTER_ACK, learns where it stands, and gets what it had not acknowledged",
    run: async (stage) => {
      const { a, b, session_id } = await stage.open();
      b.say(message(session_id, 1));
      await hear(a, 1);
      a.say(...messages(session_id, 1, 3));
      await hear(b, 3);
      b.say(ack(session_id, 1));
      await a.next("MESSAGE_ACK", ({ data }) => data?.delivered === 1);
      b.cut();
      const back = await stage.dial("b");
      back.say({ type: "REGISTER", id: uuid(), data: {} });
      const { sessions } = (await back.next("REGISTER_ACK")).data;
      const listed = sessions.find((one) => one.session_id === session_id);
      must("R3", listed?.peer === stage.names.a, "REGISTER_ACK lists the session and its peer");
      back.say(recover(session_id));
      const { data } = await back.next("SESSION_RESUMED");
      must("A8", data.outcome === "resumed" && data.received === 1, `received ${data.received}, not 1`);
      must("A8", data.taken === 1 && data.sent === 3, `taken ${data.taken}, sent ${data.sent}, not 1 and 3`);
      must("A8", (await hear(back, 2)).map(({ seq }) => seq).join() === "2,3", "everything after `taken` comes");
      back.say(message(session_id, 2));
      must("A8", (await hear(a, 1))[0]?.seq === 2, "its next seq is `received` + 1");
    },
  },
  {
    rules: ["A4"],
    title: "a direct connection carries one session: RESUME attaches it, what belongs on /v1/connect is not_on_direct",
    run: async (stage) => {
      const opened = await stage.open();
      const { b, session_id } = opened;
      const direct = await stage.dial("a", `/v1/sessions/${session_id}`);
      direct.say(resume(opened, 0, 1, 1));
      await direct.next("SESSION_RESUMED");
      direct.say(message(session_id, 1));
      await direct.next("MESSAGE_ACK");
      await hear(b, 1);
      b.say(message(session_id, 1));
      await hear(direct, 1);
      direct.say({ type: "REGISTER", id: uuid(), data: {} });
      await direct.error("A4", "not_on_direct");
      direct.say(message(uuid(), 1));
      await direct.error("A4", "session_unknown");
      const newer = await stage.dial("a", `/v1/sessions/${session_id}`);
      newer.say(resume(opened, 1, 1, 2));
      await newer.next("SESSION_RESUMED");
      await direct.closed("A3", 4409);
    },
  },
];

export const streamChecks: Check<Stage>[] = [...streams, ...flow, ...attaching];
