// Streams and flow: numbers, receipts, windows, PAUSE (PROTOCOL S, W).
import { type Check, must } from "../check.ts";
import { ack, hear, message, messages, type Stage } from "./stage.ts";

const numbers: Check<Stage>[] = [
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

export const streams: Check<Stage>[] = [...numbers, ...flow];
