// Single lines, good and bad, as a client and as the broker may send them. Every sample of test/fuzz/samples.ts comes before these.
import { brokerSamples, clientSamples, type Moment } from "../../fuzz/samples.ts";
import { type Text, text } from "../text.ts";

/** `expected`: "ok", or the reason of the fault. The line as text, or as the object whose JSON it is. */
export type Line = [name: string, expected: string, line: string | Text | Record<string, unknown>];

const uuid = (n: number): string => `01a1ee56-5e00-7000-8000-${n.toString(16).padStart(12, "0")}`;

export const moment: Moment = {
  session_id: uuid(1),
  epoch: "6f1b0c52-8a3e-4f0e-9d55-b1c0ffee0001",
  me: "planner",
  peer: "analyst",
  next: 3,
  sent: 2,
  id: uuid(2),
  task_id: uuid(3),
};

type Members = Record<string, unknown>;
const message: Members = { type: "MESSAGE", ...clientSamples.MESSAGE(moment) };
/** A whole line of a MESSAGE. */
export const whole = (content: unknown, more: Members = {}): string =>
  JSON.stringify({ ...message, data: { content }, ...more });

/** A sample with other members; `undefined` leaves one out. */
const client = (type: keyof typeof clientSamples, more: Members, data?: Members): Members =>
  changed({ type, ...clientSamples[type](moment) }, more, data);
const broker = (type: keyof typeof brokerSamples, more: Members, data?: Members): Members =>
  changed({ type, ...brokerSamples[type](moment) }, more, data);
const changed = (base: Members, more: Members, data?: Members): Members => ({
  ...base,
  ...more,
  ...(data && { data: { ...(base.data as Members), ...data } }),
});

/** A line of exactly so many bytes, filled up with one character. */
function sized(bytes: number, filler: string, each: number): Text {
  const [head = "", tail = ""] = whole("#").split("#");
  const left = bytes - head.length - tail.length;
  return text(head, [filler, Math.floor(left / each)], "x".repeat(left % each), tail);
}

/** A MESSAGE that is so deep, the envelope and its `data` counted. */
const nested = (depth: number, open: string, close: string): Text => {
  const message = whole(0);
  return text(message.slice(0, -3), [open, depth - 2], "1", [close, depth - 2], "}}");
};

/** What any line may get wrong, whoever sends it. */
const anybody: Line[] = [
  ["an empty line", "invalid_json", ""],
  ["blanks", "invalid_json", "  "],
  ["no JSON", "invalid_json", "{"],
  ["half of a line", "invalid_json", whole(1).slice(0, -1)],
  ["two objects", "invalid_json", "{}{}"],
  ["single quotes", "invalid_json", "{'type':'MESSAGE'}"],
  ["a comma too many", "invalid_json", '{"type":"HEARTBEAT",}'],
  ["NaN", "invalid_json", whole(0).replace('"content":0', '"content":NaN')],
  ["Infinity", "invalid_json", whole(0).replace('"content":0', '"content":-Infinity')],
  ["a number with a leading zero", "invalid_json", whole(0).replace('"content":0', '"content":01')],
  ["a raw control character in a string", "invalid_json", whole("#").replace("#", "\u0001")],
  ["a raw tab in a string", "invalid_json", whole("#").replace("#", "\t")],
  ["an array", "invalid_json", "[]"],
  ["null", "invalid_json", "null"],
  ["a number", "invalid_json", "1"],
  ["a string", "invalid_json", '"MESSAGE"'],
  ["an object without a type", "unknown_type", {}],
  ["an unknown type", "unknown_type", { type: "HELLO" }],
  ["a type in lower case", "unknown_type", { ...message, type: "message" }],
  ["a type that is no string", "unknown_type", { type: 1 }],
  ["a type that names a member of every object", "unknown_type", { type: "constructor" }],
  ["a carriage return at the end is white space", "ok", `${whole(1)}\r`],
  ["white space between", "ok", JSON.stringify(message, null, 1).replaceAll("\n", " ")],
  ["unknown members are ignored (E4)", "ok", client("MESSAGE", { hello: 1, x: {} }, { content: 1, y: [] })],
  ["32 deep, objects", "ok", nested(32, '{"a":', "}")],
  ["33 deep, objects", "too_deep", nested(33, '{"a":', "}")],
  ["32 deep, arrays", "ok", nested(32, "[", "]")],
  ["33 deep, arrays", "too_deep", nested(33, "[", "]")],
  ["300 deep", "too_deep", nested(300, "[", "]")],
  ["content that is null", "ok", client("MESSAGE", {}, { content: null })],
  [
    "content with keys that languages know",
    "ok",
    whole(0).replace('"content":0', '"content":{"__proto__":1,"constructor":2,"class":3,"then":4}'),
  ],
  ["content with an empty key", "ok", client("MESSAGE", {}, { content: { "": 1 } })],
  [
    "escapes in text",
    "ok",
    whole(0).replace('"content":0', String.raw`"content":"\"\\\/\b\f\n\r\t\u0000\u2028\ud83d\ude00"`),
  ],
  ["text of four bytes a character", "ok", whole("😀𝄞")],
  ["half a surrogate pair, escaped", "ok", whole(0).replace('"content":0', String.raw`"content":"\ud800"`)],
  ["a key twice: the last counts", "ok", whole(0).replace('"content":0', '"content":1,"content":2')],
  [
    "numbers of many forms",
    "ok",
    whole(0).replace('"content":0', '"content":[-0,1e3,1.5,0.1,1E-2,-9007199254740991,9007199254740991]'),
  ],
  ["an id in upper case", "invalid_envelope", client("MESSAGE", { id: moment.id.toUpperCase() })],
  ["an id that is no UUID", "invalid_envelope", client("MESSAGE", { id: "1" })],
  ["an id with braces", "invalid_envelope", client("MESSAGE", { id: `{${moment.id}}` })],
  ["an id of version 4", "ok", client("MESSAGE", { id: "6f1b0c52-8a3e-4f0e-9d55-b1c0ffee0001" })],
  ["an id of version 0", "invalid_envelope", client("MESSAGE", { id: "01a1ee56-5e00-0000-8000-000000000002" })],
  ["an id of another variant", "invalid_envelope", client("MESSAGE", { id: "01a1ee56-5e00-7000-c000-000000000002" })],
  ["an id with a line break at its end", "invalid_envelope", client("MESSAGE", { id: `${moment.id}\n` })],
  ["no id", "invalid_envelope", client("MESSAGE", { id: undefined })],
  ["an id that is null", "invalid_envelope", client("MESSAGE", { id: null })],
  ["no session_id", "invalid_envelope", client("MESSAGE", { session_id: undefined })],
  ["no seq", "invalid_envelope", client("MESSAGE", { seq: undefined })],
  ["seq 0", "invalid_envelope", client("MESSAGE", { seq: 0 })],
  ["a negative seq", "invalid_envelope", client("MESSAGE", { seq: -1 })],
  ["a seq with a fraction", "invalid_envelope", client("MESSAGE", { seq: 1.5 })],
  ["a seq in a string", "invalid_envelope", client("MESSAGE", { seq: "1" })],
  ["a seq that is true", "invalid_envelope", client("MESSAGE", { seq: true })],
  ["a seq written as 3.0 is 3", "ok", whole(1).replace('"seq":3', '"seq":3.0')],
  ["the largest seq", "ok", client("MESSAGE", { seq: 9_007_199_254_740_991 })],
  ["a seq beyond what a double counts", "invalid_envelope", whole(1).replace('"seq":3', '"seq":9007199254740993')],
  ["ack 0", "ok", client("MESSAGE", { ack: 0 })],
  ["a negative ack", "invalid_envelope", client("MESSAGE", { ack: -1 })],
  ["no data", "invalid_envelope", client("MESSAGE", { data: undefined })],
  ["data that is an array", "invalid_envelope", client("MESSAGE", { data: [] })],
  ["a timestamp without an offset", "invalid_envelope", client("MESSAGE", { timestamp: "2026-11-22T12:00:00" })],
  ["a timestamp in UTC", "ok", client("MESSAGE", { timestamp: "2026-11-22T12:00:00Z" })],
  ["a timestamp of 31 February", "invalid_envelope", client("MESSAGE", { timestamp: "2026-02-31T12:00:00Z" })],
  ["a timestamp with nanoseconds", "ok", client("MESSAGE", { timestamp: "2026-11-22T12:00:00.123456789+01:00" })],
  ["a timestamp of a leap day", "ok", client("MESSAGE", { timestamp: "2024-02-29T00:00:00Z" })],
  [
    "a timestamp of a day that no leap year has",
    "invalid_envelope",
    client("MESSAGE", { timestamp: "2025-02-29T00:00:00Z" }),
  ],
  ["a timestamp without seconds", "invalid_envelope", client("MESSAGE", { timestamp: "2026-11-22T12:00Z" })],
  ["a timestamp in lower case", "invalid_envelope", client("MESSAGE", { timestamp: "2026-11-22t12:00:00z" })],
  ["a timestamp with a blank", "invalid_envelope", client("MESSAGE", { timestamp: "2026-11-22 12:00:00Z" })],
  ["an offset without a colon", "invalid_envelope", client("MESSAGE", { timestamp: "2026-11-22T12:00:00+0100" })],
  ["hour 24", "invalid_envelope", client("MESSAGE", { timestamp: "2026-11-22T24:00:00Z" })],
  ["a traceparent of 128 characters", "ok", client("MESSAGE", { traceparent: "0".repeat(128) })],
  ["a traceparent of 129", "invalid_envelope", client("MESSAGE", { traceparent: "0".repeat(129) })],
  ["in_reply_to that is no UUID", "invalid_envelope", client("MESSAGE", { in_reply_to: "x" })],
  ["a task without its id", "invalid_envelope", client("TASK_REQUEST", {}, { task_id: undefined })],
  ["a capability of 128 characters", "ok", client("TASK_REQUEST", {}, { capability: "a".repeat(128) })],
  ["a capability of 129", "invalid_envelope", client("TASK_REQUEST", {}, { capability: "a".repeat(129) })],
  ["a capability in upper case", "invalid_envelope", client("TASK_REQUEST", {}, { capability: "Summarize" })],
  ["a deadline that is no time", "invalid_envelope", client("TASK_REQUEST", {}, { deadline: "tomorrow" })],
  ["a message without content", "invalid_envelope", client("MESSAGE", { data: {} })],
  ["a task without input", "invalid_envelope", client("TASK_REQUEST", {}, { input: undefined })],
  ["a task of input null", "ok", client("TASK_REQUEST", {}, { input: null })],
  ["progress without progress", "invalid_envelope", client("TASK_PROGRESS", {}, { progress: undefined })],
  ["a response of an unknown status", "invalid_envelope", client("TASK_RESPONSE", {}, { status: "done" })],
  ["an error of a task without a message", "invalid_envelope", client("TASK_RESPONSE", {}, { error: { reason: "x" } })],
  [
    "an error of a task of 8192 characters",
    "ok",
    client("TASK_RESPONSE", {}, { error: { reason: "x", message: "m".repeat(8192) } }),
  ],
  [
    "an error of a task of 8193",
    "invalid_envelope",
    client("TASK_RESPONSE", {}, { error: { reason: "x", message: "m".repeat(8193) } }),
  ],
  ["a close without data", "ok", client("SESSION_CLOSE", { data: undefined })],
  [
    "a close with a reason of 1025 characters",
    "invalid_envelope",
    client("SESSION_CLOSE", { data: { reason: "r".repeat(1025) } }),
  ],
  ["a receipt without ack", "invalid_envelope", client("MESSAGE_ACK", { ack: undefined })],
  ["PAUSE of all sessions", "ok", client("PAUSE", { session_id: undefined })],
];

/** From an agent: as the broker takes it. */
export const clientLines: Line[] = [
  ...anybody,
  ["262144 bytes", "ok", sized(262_144, "x", 1)],
  ["262145 bytes", "envelope_too_large", sized(262_145, "x", 1)],
  ["262144 bytes of two each", "ok", sized(262_144, "é", 2)],
  ["262145 bytes of two each", "envelope_too_large", sized(262_145, "é", 2)],
  ["262144 bytes of four each", "ok", sized(262_144, "😀", 4)],
  ["262145 bytes of four each", "envelope_too_large", sized(262_145, "😀", 4)],
  ["too large counts before JSON", "envelope_too_large", text(["x", 262_145])],
  ["what only the broker sends", "wrong_direction", broker("REGISTER_ACK", {})],
  ["SESSION_CLOSED is the broker's", "wrong_direction", broker("SESSION_CLOSED", {})],
  ["ERROR is the broker's", "wrong_direction", broker("ERROR", {})],
  ["a response that only the broker gives", "invalid_envelope", client("TASK_RESPONSE", {}, { status: "expired" })],
  ["REGISTER without capabilities", "ok", client("REGISTER", { data: {} })],
  ["REGISTER without data", "invalid_envelope", client("REGISTER", { data: undefined })],
  ["64 capabilities", "ok", client("REGISTER", { data: { capabilities: named(64) } })],
  ["65 capabilities", "invalid_envelope", client("REGISTER", { data: { capabilities: named(65) } })],
  [
    "a schema that is no object",
    "invalid_envelope",
    client("REGISTER", { data: { capabilities: [{ name: "a", input_schema: true }] } }),
  ],
  [
    "room for 0",
    "invalid_envelope",
    client("REGISTER", { data: { capabilities: [{ name: "a", max_concurrency: 0 }] } }),
  ],
  [
    "room for 10001",
    "invalid_envelope",
    client("REGISTER", { data: { capabilities: [{ name: "a", max_concurrency: 10_001 }] } }),
  ],
  ["a query without data", "ok", client("AGENT_QUERY", { data: undefined })],
  ["a query for 51", "invalid_envelope", client("AGENT_QUERY", { data: { limit: 51 } })],
  ["an offer to nobody", "invalid_envelope", client("SESSION_INIT", { to: undefined, data: {} })],
  ["an offer by capability", "ok", client("SESSION_INIT", { to: undefined, data: { capability: "summarize" } })],
  ["an agent of 64 characters", "ok", client("SESSION_INIT", { to: "a".repeat(64) })],
  ["an agent of 65", "invalid_envelope", client("SESSION_INIT", { to: "a".repeat(65) })],
  ["an agent that starts with a dot", "invalid_envelope", client("SESSION_INIT", { to: ".a" })],
  ["an agent of no characters", "invalid_envelope", client("SESSION_INIT", { to: "" })],
  ["an agent with every character that may be", "ok", client("SESSION_INIT", { to: "0a._-z9" })],
  ["an offer for a day", "ok", client("SESSION_INIT", {}, { ttl_ms: 86_400_000 })],
  ["an offer for a day and a millisecond", "invalid_envelope", client("SESSION_INIT", {}, { ttl_ms: 86_400_001 })],
  ["ACCEPT without its session", "invalid_envelope", client("SESSION_ACCEPT", { session_id: undefined })],
  ["RESUME without memory", "ok", client("SESSION_RESUME", { data: { received: null } })],
  ["RESUME without an epoch", "invalid_envelope", client("SESSION_RESUME", {}, { epoch: undefined })],
  ["RESUME with first 0", "invalid_envelope", client("SESSION_RESUME", {}, { first: 0 })],
  [
    "RESUME with an epoch of 65 characters",
    "invalid_envelope",
    client("SESSION_RESUME", {}, { epoch: "e".repeat(65) }),
  ],
];

function named(count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({ name: `c${i}` }));
}

/** From the broker: as a client reads it. Sizes are not its business (F7). */
export const brokerLines: Line[] = [
  ...anybody,
  ["what only an agent sends", "wrong_direction", client("REGISTER", {})],
  ["SESSION_RESUME is the agent's", "wrong_direction", client("SESSION_RESUME", {})],
  ["HEARTBEAT is the agent's", "wrong_direction", { type: "HEARTBEAT" }],
  ["an envelope of more than 262144 bytes (F7)", "ok", sized(263_000, "x", 1)],
  ["a task that is given again", "ok", broker("TASK_REQUEST", {}, { redelivered: true })],
  ["redelivered is true or left out", "invalid_envelope", broker("TASK_REQUEST", {}, { redelivered: false })],
  ["a task that expired", "ok", broker("TASK_RESPONSE", {}, { status: "expired" })],
  ["REGISTER_ACK without sessions", "invalid_envelope", broker("REGISTER_ACK", {}, { sessions: undefined })],
  ["limits of later versions", "ok", broker("REGISTER_ACK", {}, { limits: { depth: 32, something_new: 1 } })],
  ["an offer without its maker", "invalid_envelope", broker("SESSION_INIT", { from: undefined })],
  ["an offer without capabilities", "invalid_envelope", broker("SESSION_INIT", {}, { capabilities: undefined })],
  [
    "an offer for a capability, without metadata",
    "ok",
    broker("SESSION_INIT", { data: { capability: "summarize", capabilities: [] } }),
  ],
  ["ACCEPT without a limit", "invalid_envelope", broker("SESSION_ACCEPT", { limit: undefined })],
  ["ACCEPT with limit 0", "ok", broker("SESSION_ACCEPT", { limit: 0 })],
  ["ACCEPT without an epoch", "invalid_envelope", broker("SESSION_ACCEPT", {}, { epoch: undefined })],
  [
    "RESUMED unknown",
    "ok",
    broker("SESSION_RESUMED", { limit: 0, data: { outcome: "unknown", received: 0, delivered: 0 } }),
  ],
  ["RESUMED without memory", "ok", broker("SESSION_RESUMED", {}, { taken: 1, sent: 2, requested: [moment.task_id] })],
  [
    "RESUMED with an outcome that nobody knows",
    "invalid_envelope",
    broker("SESSION_RESUMED", {}, { outcome: "later" }),
  ],
  ["CLOSED in a state that nobody knows", "invalid_envelope", broker("SESSION_CLOSED", {}, { state: "gone" })],
  ["a receipt with ack alone", "ok", broker("MESSAGE_ACK", { limit: undefined, data: undefined })],
  ["an ERROR with a reason that nobody knows", "ok", broker("ERROR", {}, { reason: "something_new", code: "aborted" })],
  ["an ERROR without a detail", "invalid_envelope", broker("ERROR", {}, { detail: undefined })],
  ["an ERROR of the connection", "ok", broker("ERROR", { session_id: undefined, in_reply_to: undefined })],
  ["GOAWAY without a reason", "invalid_envelope", broker("GOAWAY", { data: {} })],
];
