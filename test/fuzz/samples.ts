// One valid envelope of every type and direction: what the fuzzer starts from. A type that is missing here does not compile.
import type { brokerEnvelopes, clientEnvelopes } from "../../protocol/wire/envelope.ts";
import { errorBody } from "../../protocol/wire/errors.ts";

/** What an envelope must say to fit the moment: where its session stands, and who speaks to whom. */
export interface Moment {
  session_id: string;
  epoch: string;
  me: string;
  peer: string;
  /** The next `seq` of the speaker's. */
  next: number;
  /** The last `seq` that the speaker was sent. */
  sent: number;
  id: string;
  task_id: string;
}

const capability = {
  name: "summarize",
  version: "1",
  description: "text in, less text out",
  input_schema: { type: "object", properties: { text: { type: "string" } } },
  output_schema: { type: "string" },
  max_concurrency: 4,
};

/** In the time of the core's tests, which begins with the epoch; on a live broker it has passed. */
const soon = "1970-01-01T00:01:00Z";

const of = (moment: Moment, more: object = {}) => ({ id: moment.id, session_id: moment.session_id, ...more });
const work = (moment: Moment, data: object) => of(moment, { seq: moment.next, data });

type Sample = (moment: Moment) => object;

const bothWays = {
  MESSAGE: (m) => work(m, { content: { text: "hello", list: [1, -0.5, null, true], deep: { er: {} } } }),
  TASK_REQUEST: (m) => work(m, { task_id: m.task_id, capability: "summarize", input: { text: "…" }, deadline: soon }),
  TASK_PROGRESS: (m) => work(m, { task_id: m.task_id, progress: { percent: 50 } }),
  TASK_RESPONSE: (m) =>
    work(m, {
      task_id: m.task_id,
      status: "failed",
      result: null,
      error: { reason: "too_long", message: "no", retryable: false },
    }),
  TASK_CANCEL: (m) => work(m, { task_id: m.task_id, reason: "changed my mind" }),
  SESSION_CLOSE: (m) => work(m, { reason: "done" }),
  PAUSE: ({ session_id }) => ({ session_id }),
  RESUME: ({ session_id }) => ({ session_id }),
} satisfies Record<string, Sample>;

export const clientSamples = {
  ...bothWays,
  MESSAGE_ACK: ({ session_id, sent }) => ({ session_id, ack: sent }),
  HEARTBEAT: () => ({}),
  REGISTER: ({ id }) => ({ id, data: { capabilities: [capability], sdk: "fuzz/1" } }),
  CAPABILITY_ANNOUNCE: ({ id }) => ({ id, data: { capabilities: [capability, { name: "translate" }] } }),
  AGENT_QUERY: ({ id }) => ({ id, data: { capability: "summarize", limit: 10, cursor: "" } }),
  SESSION_INIT: (m) => of(m, { to: m.peer, data: { metadata: { purpose: "fuzz" }, ttl_ms: 1_000 } }),
  SESSION_ACCEPT: (m) => of(m, { in_reply_to: m.id, timestamp: "2026-11-22T12:00:00.5+01:00" }),
  SESSION_REJECT: (m) => of(m, { data: { message: "busy" } }),
  SESSION_RESUME: (m) =>
    of(m, { ack: m.sent, data: { epoch: m.epoch, received: m.sent, first: 1, next: Math.max(1, m.next) } }),
} satisfies Record<keyof typeof clientEnvelopes, Sample>;

const counts = (m: Moment) => ({ received: Math.max(0, m.sent), delivered: Math.max(0, m.sent - 1) });

export const brokerSamples = {
  ...bothWays,
  MESSAGE_ACK: ({ session_id, sent }) => ({ session_id, ack: sent, limit: sent + 512, data: { delivered: sent } }),
  HEARTBEAT_ACK: () => ({}),
  REGISTER_ACK: ({ id, me, session_id, peer }) => ({
    id,
    in_reply_to: id,
    data: { agent: me, account: "local", limits: { depth: 32 }, heartbeat_ms: 1, sessions: [{ session_id, peer }] },
  }),
  CAPABILITY_ACK: ({ id }) => ({ id, in_reply_to: id, data: { capabilities: ["summarize"] } }),
  AGENT_LIST: ({ id, peer }) => ({
    id,
    in_reply_to: id,
    data: { agents: [{ agent: peer, connected: true, capabilities: [capability] }], next: "page" },
  }),
  GOAWAY: ({ id }) => ({ id, data: { reason: "deploy" } }),
  ERROR: ({ id, session_id }) => ({
    in_reply_to: id,
    session_id,
    data: { ...errorBody("sequence_gap", { expected: 3 }) },
  }),
  SESSION_INIT: (m) => of(m, { from: m.peer, to: m.me, data: { metadata: 1, capabilities: [capability] } }),
  SESSION_ACCEPT: (m) =>
    of(m, { in_reply_to: m.id, limit: 512, data: { epoch: m.epoch, peer: m.peer, capabilities: [capability] } }),
  SESSION_REJECT: (m) => of(m, { in_reply_to: m.id, data: { ...errorBody("offer_rejected"), message: "busy" } }),
  SESSION_RESUMED: (m) =>
    of(m, {
      in_reply_to: m.id,
      limit: 512,
      data: { outcome: "resumed", epoch: m.epoch, state: "active", ...counts(m) },
    }),
  SESSION_CLOSED: (m) => of(m, { data: { state: "closed", ...counts(m) } }),
} satisfies Record<keyof typeof brokerEnvelopes, Sample>;
