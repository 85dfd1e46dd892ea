// Coming back to a session: resuming, the newest attachment, an agent without memory, direct connections (PROTOCOL A).
import { type Check, must } from "../check.ts";
import { ack, hear, message, messages, recover, resume, type Stage, uuid } from "./stage.ts";

export const attaching: Check<Stage>[] = [
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
