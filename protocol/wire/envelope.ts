// The envelopes: one zod schema for each type and direction, and the types inferred from them (PROTOCOL, Types).
// Unknown members are dropped by the schemas (E4); a type that is not in these tables is refused (E5).
import { z } from "zod";
import { AgentId, CapabilityName, Uuid } from "./ids.ts";
import { limits } from "./limits.ts";

const count = z.number().int().nonnegative();
const position = z.number().int().positive();
const shortText = z.string().max(1024);
/** Names a session's storage. What the broker says must be short enough to be said again. */
const Epoch = z.string().max(64);

/** An object as it was given, whatever its keys: `z.record` would leave `__proto__` out (E4). */
const JsonObject = z
  .custom<Record<string, unknown>>(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    "Invalid input: expected an object",
  )
  .meta({ type: "object", additionalProperties: true });

/** What an agent can do. Schemas are JSON Schema documents that the broker passes on and does not judge. */
export const Capability = z
  .object({
    name: CapabilityName,
    version: z.string().max(64).optional(),
    description: shortText.optional(),
    input_schema: JsonObject.optional(),
    output_schema: JsonObject.optional(),
    max_concurrency: z.number().int().min(1).max(10_000).optional(),
  })
  .meta({ id: "Capability" });
export type Capability = z.infer<typeof Capability>;
const Capabilities = z.array(Capability).max(limits.capabilitiesMax);

const header = {
  id: Uuid,
  from: AgentId.optional(),
  to: AgentId.optional(),
  in_reply_to: Uuid.optional(),
  timestamp: z.iso.datetime({ offset: true }).optional(),
  traceparent: z.string().max(128).optional(),
};
const anonymous = { ...header, id: Uuid.optional() };
const inSession = { ...header, session_id: Uuid, ack: count.optional() };
const sequenced = { ...inSession, seq: position };

const TaskError = z.object({
  reason: z.string().max(128),
  message: z.string().max(8192),
  retryable: z.boolean().optional(),
});
export type TaskError = z.infer<typeof TaskError>;

const TaskRequestData = z.object({
  task_id: Uuid,
  capability: CapabilityName,
  input: z.unknown(),
  /** When the broker ends the task as expired (RFC 3339); at most `limits.deadlineMsMax` ahead. */
  deadline: z.iso.datetime({ offset: true }).optional(),
});

/** Sequenced types, as agents send them: each takes one `seq` of its stream. */
const work = {
  MESSAGE: z.object({ ...sequenced, type: z.literal("MESSAGE"), data: z.object({ content: z.unknown() }) }),
  TASK_REQUEST: z.object({
    ...sequenced,
    type: z.literal("TASK_REQUEST"),
    data: TaskRequestData,
  }),
  TASK_PROGRESS: z.object({
    ...sequenced,
    type: z.literal("TASK_PROGRESS"),
    data: z.object({ task_id: Uuid, progress: z.unknown() }),
  }),
  TASK_RESPONSE: z.object({
    ...sequenced,
    type: z.literal("TASK_RESPONSE"),
    data: z.object({
      task_id: Uuid,
      status: z.enum(["succeeded", "failed", "cancelled"]),
      result: z.unknown().optional(),
      error: TaskError.optional(),
    }),
  }),
  TASK_CANCEL: z.object({
    ...sequenced,
    type: z.literal("TASK_CANCEL"),
    data: z.object({ task_id: Uuid, reason: shortText.optional() }),
  }),
  SESSION_CLOSE: z.object({
    ...sequenced,
    type: z.literal("SESSION_CLOSE"),
    data: z.object({ reason: shortText.optional() }).default({}),
  }),
};

/** The same as they are delivered: the broker says a little more than an agent may. */
const delivered = {
  ...work,
  TASK_REQUEST: work.TASK_REQUEST.extend({
    /** `redelivered`: this agent had the task before it lost its memory, and may have begun it (T12). */
    data: TaskRequestData.extend({ redelivered: z.literal(true).optional() }),
  }),
  TASK_RESPONSE: work.TASK_RESPONSE.extend({
    data: work.TASK_RESPONSE.shape.data.extend({ status: z.enum(["succeeded", "failed", "cancelled", "expired"]) }),
  }),
};

const messageAck = z.object({
  ...anonymous,
  type: z.literal("MESSAGE_ACK"),
  session_id: Uuid,
  ack: count,
  limit: count.optional(),
  data: z.object({ delivered: count.optional() }).optional(),
});
const pause = z.object({ ...anonymous, type: z.literal("PAUSE"), session_id: Uuid.optional(), ack: count.optional() });
const resume = z.object({
  ...anonymous,
  type: z.literal("RESUME"),
  session_id: Uuid.optional(),
  ack: count.optional(),
});
const heartbeat = <T extends string>(type: T) => z.object({ type: z.literal(type) });

const OfferData = z.object({
  metadata: z.unknown().optional(),
  /** What the session is for: without `to` the broker finds an agent that announced it. */
  capability: CapabilityName.optional(),
});

/** What an agent may send. */
export const clientEnvelopes = {
  ...work,
  MESSAGE_ACK: messageAck,
  PAUSE: pause,
  RESUME: resume,
  HEARTBEAT: heartbeat("HEARTBEAT"),
  REGISTER: z.object({
    ...header,
    type: z.literal("REGISTER"),
    data: z.object({ capabilities: Capabilities.default([]), sdk: z.string().max(128).optional() }),
  }),
  CAPABILITY_ANNOUNCE: z.object({
    ...header,
    type: z.literal("CAPABILITY_ANNOUNCE"),
    data: z.object({ capabilities: Capabilities }),
  }),
  AGENT_QUERY: z.object({
    ...header,
    type: z.literal("AGENT_QUERY"),
    data: z
      .object({
        capability: CapabilityName.optional(),
        limit: z.number().int().min(1).max(50).default(50),
        cursor: z.string().max(256).optional(),
      })
      .default({ limit: 50 }),
  }),
  SESSION_INIT: z
    .object({
      ...inSession,
      type: z.literal("SESSION_INIT"),
      data: OfferData.extend({
        /** How long the offer waits for its answer; 0: only for an agent that is connected. */
        ttl_ms: z.number().int().min(0).max(limits.offerTtlMsMax).optional(),
      }).default({}),
    })
    .refine(({ to, data }) => to !== undefined || data.capability !== undefined, {
      path: ["to"],
      message: "an agent, or a capability in `data`",
    }),
  SESSION_ACCEPT: z.object({ ...inSession, type: z.literal("SESSION_ACCEPT") }),
  SESSION_REJECT: z.object({
    ...inSession,
    type: z.literal("SESSION_REJECT"),
    data: z.object({ message: shortText.optional() }).default({}),
  }),
  SESSION_RESUME: z.object({
    ...inSession,
    type: z.literal("SESSION_RESUME"),
    data: z.union([
      z.object({
        epoch: Epoch,
        /** The last `seq` that this agent has from the broker. */
        received: count,
        /** The first `seq` of its own that it can still send again, and the next that it will give out. */
        first: position,
        next: position,
      }),
      /** The agent has lost its memory: it asks where its streams stand (A8). */
      z.object({ received: z.null() }),
    ]),
  }),
};

export const resumeOutcomes = ["resumed", "closed", "unknown", "gap", "epoch_mismatch"] as const;
export type ResumeOutcome = (typeof resumeOutcomes)[number];

/** States of a session (PROTOCOL, Sessions). `absent` is never on the wire. */
export const sessionStates = ["pending", "active", "closing", "closed", "rejected", "expired"] as const;
export type SessionState = (typeof sessionStates)[number];

/** An agent as others see it; HTTP says more of it. */
export const ListedAgent = z.object({
  agent: AgentId,
  connected: z.boolean(),
  capabilities: z.array(Capability),
});
export type ListedAgent = z.infer<typeof ListedAgent>;

const FaultData = z.looseObject({
  code: z.string(),
  reason: z.string(),
  detail: z.string(),
  retryable: z.boolean(),
  processed: z.enum(["no", "maybe", "yes"]),
  scope: z.string(),
});

/** What the broker may send. */
export const brokerEnvelopes = {
  ...delivered,
  MESSAGE_ACK: messageAck,
  PAUSE: pause,
  RESUME: resume,
  HEARTBEAT_ACK: heartbeat("HEARTBEAT_ACK"),
  REGISTER_ACK: z.object({
    ...header,
    type: z.literal("REGISTER_ACK"),
    data: z.object({
      agent: AgentId,
      account: z.string(),
      limits: z.record(z.string(), z.number()),
      heartbeat_ms: position,
      sessions: z.array(z.object({ session_id: Uuid, peer: AgentId })),
    }),
  }),
  CAPABILITY_ACK: z.object({
    ...header,
    type: z.literal("CAPABILITY_ACK"),
    data: z.object({ capabilities: z.array(CapabilityName) }),
  }),
  AGENT_LIST: z.object({
    ...header,
    type: z.literal("AGENT_LIST"),
    data: z.object({ agents: z.array(ListedAgent), next: z.string().optional() }),
  }),
  GOAWAY: z.object({ ...header, type: z.literal("GOAWAY"), data: z.object({ reason: shortText }) }),
  ERROR: z.object({ ...anonymous, type: z.literal("ERROR"), session_id: Uuid.optional(), data: FaultData }),
  SESSION_INIT: z.object({
    ...inSession,
    type: z.literal("SESSION_INIT"),
    from: AgentId,
    data: OfferData.extend({ capabilities: z.array(Capability) }),
  }),
  SESSION_ACCEPT: z.object({
    ...inSession,
    type: z.literal("SESSION_ACCEPT"),
    limit: count,
    data: z.object({ epoch: Epoch, peer: AgentId, capabilities: z.array(Capability) }),
  }),
  SESSION_REJECT: z.object({ ...inSession, type: z.literal("SESSION_REJECT"), data: FaultData }),
  SESSION_RESUMED: z.object({
    ...inSession,
    type: z.literal("SESSION_RESUMED"),
    limit: count,
    data: z.object({
      outcome: z.enum(resumeOutcomes),
      epoch: Epoch.optional(),
      state: z.enum(sessionStates).optional(),
      /** The last `seq` of this agent's that is stored. */
      received: count,
      delivered: count,
      /** Only for an agent that lost its memory: what it had acknowledged, and how far it may have got all the same (A8). */
      taken: count.optional(),
      sent: count.optional(),
      /** Its own tasks that are open: their responses will come. */
      requested: z.array(Uuid).optional(),
    }),
  }),
  SESSION_CLOSED: z.object({
    ...inSession,
    type: z.literal("SESSION_CLOSED"),
    data: z.object({ state: z.enum(sessionStates), received: count, delivered: count }),
  }),
};

type Inferred<T extends Record<string, z.ZodType>> = { [K in keyof T]: z.infer<T[K]> };
type ClientTable = Inferred<typeof clientEnvelopes>;
type BrokerTable = Inferred<typeof brokerEnvelopes>;

/** Any envelope that an agent may send, parsed. */
export type ClientEnvelope = ClientTable[keyof ClientTable];
/** Any envelope that the broker may send, parsed. */
export type BrokerEnvelope = BrokerTable[keyof BrokerTable];
/** One type of each, by name. */
export type FromClient<K extends keyof ClientTable> = ClientTable[K];
export type FromBroker<K extends keyof BrokerTable> = BrokerTable[K];

export type WorkType = keyof typeof work;
/** A sequenced envelope from an agent. */
export type WorkEnvelope = { [K in WorkType]: ClientTable[K] }[WorkType];
/** A sequenced envelope from the broker. */
export type DeliveredEnvelope = { [K in WorkType]: BrokerTable[K] }[WorkType];
/** The `data` that goes with one work type. */
export type WorkData<K extends WorkType> = ClientTable[K]["data"];

export const isWork = (envelope: { type: string }): envelope is WorkEnvelope => Object.hasOwn(work, envelope.type);
export const isDelivered = (envelope: { type: string }): envelope is DeliveredEnvelope =>
  Object.hasOwn(work, envelope.type);

/** An envelope of the client's that belongs to a session, and so goes to its `SessionObject`. */
export type SessionEnvelope =
  | WorkEnvelope
  | FromClient<
      "SESSION_INIT" | "SESSION_ACCEPT" | "SESSION_REJECT" | "SESSION_RESUME" | "MESSAGE_ACK" | "PAUSE" | "RESUME"
    >;

const sessionTypes: ReadonlySet<string> = new Set([
  ...Object.keys(work),
  "SESSION_INIT",
  "SESSION_ACCEPT",
  "SESSION_REJECT",
  "SESSION_RESUME",
  "MESSAGE_ACK",
  "PAUSE",
  "RESUME",
]);
/** Types that a relay passes on when they carry a `session_id`, whatever else they say. */
export const isSessionType = (type: unknown): boolean => typeof type === "string" && sessionTypes.has(type);
