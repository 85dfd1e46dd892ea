// Connections and frames: who is let in, what is said of a bad line, what closes a connection (PROTOCOL C, E, F, R, H).
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openAuthority } from "../../scripts/certificates/authority.ts";
import { type Check, must } from "../check.ts";
import { sleep } from "../mailbox.ts";
import { type Refusal, refusal } from "./peer.ts";
import { message, type Stage, uuid } from "./stage.ts";

const isProblem = ({ problem }: Refusal): boolean =>
  ["code", "reason", "detail", "retryable"].every((name) => name in problem);

const registered = [
  "envelope_bytes",
  "frame_bytes",
  "frame_envelopes",
  "depth",
  "window_messages",
  "open_tasks",
  "open_sessions",
];

const upgrades: Check<Stage>[] = [
  {
    rules: ["C2", "X1"],
    title: "an upgrade without the subprotocol is answered with 426, and what is spoken",
    run: async (stage) => {
      const answer = await refusal(stage.target, stage.identity("a"), "/v1/connect", []);
      must("C2", answer.status === 426, `HTTP ${answer.status}, not 426`);
      must("C2", answer.problem.reason === "subprotocol_required", `reason ${answer.problem.reason}`);
      must(
        "C2",
        JSON.stringify(answer.problem.supported ?? "").includes("agentworks.v1"),
        "`supported` names agentworks.v1",
      );
      must("X1", isProblem(answer), "the problem has code, reason, detail and retryable");
    },
  },
  {
    rules: ["C3", "C1"],
    title: "nobody is let in without a certificate",
    run: async ({ target }) => {
      const answer = await refusal(target, undefined);
      must("C3", answer.status === 403, `HTTP ${answer.status}, not 403`);
      must("X1", isProblem(answer), "the problem has code, reason, detail and retryable");
    },
  },
  {
    rules: ["C3"],
    title: "nobody is let in with a certificate of somebody else's making",
    run: async ({ target }) => {
      const dir = await mkdtemp(join(tmpdir(), "conformance-"));
      try {
        const answer = await refusal(target, await (await openAuthority(dir)).issueAgent("planner"));
        must("C3", answer.status === 403, `HTTP ${answer.status}, not 403`);
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    },
  },
  {
    rules: ["C3", "A4"],
    title: "the direct path of a session that is not there is 404",
    run: async (stage) => {
      const { status } = await refusal(stage.target, stage.identity("a"), `/v1/sessions/${uuid()}`);
      must("C3", status === 404, `HTTP ${status}, not 404`);
    },
  },
];

const registering: Check<Stage>[] = [
  {
    rules: ["R1"],
    title: "what comes before REGISTER is not_registered, and the connection goes on",
    run: async (stage) => {
      const a = await stage.dial("a");
      const id = uuid();
      a.say({ type: "AGENT_QUERY", id });
      const error = await a.error("R1", "not_registered");
      must("X2", error.in_reply_to === id, "the ERROR names what it answers");
      a.say({ type: "REGISTER", id: uuid(), data: {} });
      await a.next("REGISTER_ACK");
    },
  },
  {
    rules: ["R1", "R3", "R5"],
    title: "REGISTER and what follows may share a frame; REGISTER_ACK says who, which limits, which sessions",
    run: async (stage) => {
      const a = await stage.dial("a");
      const [id, asked] = [uuid(), uuid()];
      a.say({ type: "REGISTER", id, data: {} }, { type: "AGENT_QUERY", id: asked });
      const ack = await a.next("REGISTER_ACK");
      must("R3", ack.in_reply_to === id, "REGISTER_ACK names the REGISTER that it answers");
      const missing = registered.find((name) => !(name in ack.data.limits));
      must("R3", missing === undefined, `\`limits\` has no ${missing}`);
      const list = await a.next("AGENT_LIST");
      must("R5", list.in_reply_to === asked, "AGENT_LIST names the query that it answers");
      must(
        "R5",
        list.data.agents.some(({ agent }) => agent === ack.data.agent),
        "the list has this agent",
      );
    },
  },
  {
    rules: ["R2"],
    title: "a second REGISTER is already_registered",
    run: async (stage) => {
      const a = await stage.connect("a");
      a.say({ type: "REGISTER", id: uuid(), data: {} });
      await a.error("R2", "already_registered");
    },
  },
  {
    rules: ["R4", "R5"],
    title: "what is announced is found by others, and replaces what was announced before",
    run: async (stage) => {
      const name = `conformance.${uuid()}`;
      const { a, b } = await stage.both([{ name }]);
      const find = async (): Promise<string[]> => {
        a.say({ type: "AGENT_QUERY", id: uuid(), data: { capability: name } });
        return (await a.next("AGENT_LIST")).data.agents.map(({ agent }) => agent);
      };
      must("R4", (await find()).includes(stage.names.b), "the agent that registered with it is found");
      b.say({ type: "CAPABILITY_ANNOUNCE", id: uuid(), data: { capabilities: [] } });
      await b.next("CAPABILITY_ACK");
      must("R4", (await find()).length === 0, "once it is announced no more nobody is found");
    },
  },
  {
    rules: ["C4"],
    title: "the newest REGISTER wins: the connection before is closed with 4409",
    run: async (stage) => {
      const older = await stage.connect("a");
      await stage.connect("a");
      await older.closed("C4", 4409);
    },
  },
  {
    rules: ["H1"],
    title: "the exact heartbeat gets the exact answer, before REGISTER too",
    run: async (stage) => {
      const a = await stage.dial("a");
      a.raw('{"type":"HEARTBEAT"}');
      await a.next("HEARTBEAT_ACK");
      must("H1", a.frames.at(-1) === '{"type":"HEARTBEAT_ACK"}', `the answer is ${a.frames.at(-1)}`);
    },
  },
  {
    rules: ["F9"],
    title: "several heartbeats of one frame are answered once",
    run: async (stage) => {
      const a = await stage.connect("a");
      a.say({ type: "HEARTBEAT" }, { type: "HEARTBEAT" }, { type: "HEARTBEAT" });
      await a.next("HEARTBEAT_ACK");
      await a.quiet("F9", ["HEARTBEAT_ACK"], "one answer is enough");
    },
  },
];

/** A MESSAGE of so many bytes. */
const sized = (bytes: number): string => {
  const empty = JSON.stringify(message(uuid(), 1, ""));
  return empty.replace('"content":""', `"content":"${"x".repeat(bytes - empty.length)}"`);
};

/** A MESSAGE that is so deep, the envelope and its `data` counted. */
const nested = (depth: number): string =>
  JSON.stringify(message(uuid(), 1, 0)).replace(
    '"content":0',
    `"content":${"[".repeat(depth - 2)}${"]".repeat(depth - 2)}`,
  );

/** A bad line, the reason of its ERROR, and the rule that says so. */
const badLines: [rule: string, reason: string, title: string, line: string | object][] = [
  ["F1", "invalid_json", "an empty line", ""],
  ["F4", "invalid_json", "no JSON", "{"],
  ["F4", "invalid_json", "a list", "[]"],
  ["F4", "envelope_too_large", "an envelope of 262145 bytes", sized(262_145)],
  ["F4", "too_deep", "an envelope 33 deep", nested(33)],
  ["E5", "unknown_type", "an unknown type", { type: "HELLO", id: uuid() }],
  ["E5", "wrong_direction", "what only the broker sends", { type: "SESSION_CLOSED", id: uuid(), session_id: uuid() }],
  ["E6", "invalid_envelope", "a member that is missing", { type: "MESSAGE", id: uuid(), session_id: uuid(), seq: 1 }],
  [
    "R6",
    "invalid_envelope",
    "a capability without a name",
    { type: "CAPABILITY_ANNOUNCE", id: uuid(), data: { capabilities: [{}] } },
  ],
  ["E2", "invalid_envelope", "an id in upper case", { type: "AGENT_QUERY", id: uuid().toUpperCase() }],
];

const lines: Check<Stage>[] = badLines.map(([rule, reason, title, line]) => ({
  rules: [rule, "F5"],
  title: `${title} is ${reason}; the other lines of its frame are taken`,
  run: async (stage) => {
    const a = await stage.connect("a");
    // A list of nobody is short.
    const query = { type: "AGENT_QUERY", id: uuid(), data: { capability: "conformance.nobody" } };
    a.say(query, line, { ...query, id: uuid() });
    const error = await a.error(rule, reason);
    if (reason === "invalid_envelope") must("E6", Array.isArray(error.data.issues), "`issues` says where");
    await a.next("AGENT_LIST");
    await a.next("AGENT_LIST");
    await a.quiet("F5", ["ERROR"], "a bad line is answered once", 50);
  },
}));

const frames: Check<Stage>[] = [
  {
    rules: ["F1"],
    title: "a binary message is binary_frame, and the connection goes on",
    run: async (stage) => {
      const a = await stage.connect("a");
      a.raw(new Uint8Array([123, 125]));
      await a.error("F1", "binary_frame");
      await a.settled();
    },
  },
  {
    rules: ["F1"],
    title: "one line break may end a frame",
    run: async (stage) => {
      const a = await stage.connect("a");
      a.raw(`${JSON.stringify({ type: "AGENT_QUERY", id: uuid() })}\n`);
      await a.next("AGENT_LIST");
      await a.quiet("F1", ["ERROR"], "no second line stands in that frame", 50);
    },
  },
  {
    rules: ["F3"],
    title: "of 257 envelopes nothing is taken, and the connection goes on",
    run: async (stage) => {
      const a = await stage.connect("a");
      a.say(...Array.from({ length: 257 }, () => ({ type: "AGENT_QUERY", id: uuid() })));
      await a.error("F3", "too_many_envelopes");
      await a.quiet("F3", ["AGENT_LIST"], "nothing of the frame is taken", 200);
      await a.settled();
    },
  },
  {
    rules: ["F2"],
    title: "a frame of more than 512 KiB closes with 4413",
    run: async (stage) => {
      const a = await stage.connect("a");
      a.raw("x".repeat(524_289));
      await a.error("F2", "frame_too_large");
      await a.closed("F2", 4413);
    },
  },
  {
    rules: ["F9", "L24"],
    title: "a frame of 17 bad lines closes with 4400",
    run: async (stage) => {
      const a = await stage.connect("a");
      a.raw("{\n".repeat(17));
      await a.next("ERROR", ({ data }) => data.reason === "too_many_faults");
      await a.closed("F9", 4400);
    },
  },
];

/** Last of all checks: the registry owes this agent nothing for some seconds then. */
export const lookups: Check<Stage>[] = [
  {
    rules: ["C10", "L29"],
    slow: true,
    title: "lookups that come too fast are too_many_lookups, and may be sent again a second later",
    run: async (stage) => {
      const a = await stage.connect("a");
      const query = () => ({ type: "AGENT_QUERY", id: uuid(), data: { capability: "conformance.nobody" } });
      for (let frame = 0; frame < 8; frame++) a.say(...Array.from({ length: 200 }, query));
      await a.next("ERROR", ({ data }) => data.reason === "too_many_lookups", 60_000);
      await a.settled();
      await sleep(3_000);
      const again = query();
      a.say(again);
      await a.next("AGENT_LIST", (one) => one.in_reply_to === again.id);
    },
  },
];

export const connections: Check<Stage>[] = [...upgrades, ...registering, ...lines, ...frames];
