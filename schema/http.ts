// The shapes of HTTP requests and answers (zod): the source of validation and of GET /v1/openapi.json. No behaviour here.
import { z } from "zod";
import { sessionStates } from "../protocol/wire/envelope.ts";
import { AgentId, CapabilityName, Uuid } from "../protocol/wire/ids.ts";
import { bounds } from "./bounds.ts";

/** An account: the same alphabet as an agent, so that `account/agent` names one object and no other. */
export const AccountId = AgentId;

/** The account of a broker that has one: the embedded one. The API makes it at the first registration. */
export const defaultAccount = "local";

export const Fingerprint = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "the SHA-256 of the certificate: 64 lower-case hex digits, no colons");

/** How many entries a page of a list has. */
export const limitOf = (most: number, usual: number) => z.coerce.number().int().min(1).max(most).default(usual);

export const Time = z.iso.datetime().describe("RFC 3339, UTC");

/** RFC 9457, with the members that ERROR frames have too. */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    reason: z.string(),
    detail: z.string(),
    retryable: z.boolean(),
    processed: z.enum(["no", "maybe", "yes"]),
    scope: z.string(),
    instance: z.string().optional(),
    issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    supported: z.array(z.string()).optional(),
    permission: z.string().optional().describe("the one that is missing"),
  })
  .meta({ id: "Problem" });

export const Health = z.object({ status: z.literal("ok"), version: z.string() }).meta({ id: "Health" });

export const ListAgentsQuery = z.object({
  capability: CapabilityName.optional().describe("only agents that announced it"),
  limit: limitOf(bounds.agentsPageMax, bounds.agentsPageDefault),
  cursor: AgentId.optional().describe("`next` of the page before"),
});

export const RegisterCertificate = z
  .strictObject({
    agent_id: AgentId,
    certificate: z.string().max(bounds.certificateCharsMax).describe("one X.509 certificate, PEM"),
  })
  .meta({ id: "RegisterCertificate" });

export const RegisteredCertificate = z
  .object({
    account: AccountId,
    agent_id: AgentId,
    fingerprint: Fingerprint,
    serial: z.string(),
    subject: z.string(),
    not_before: Time,
    not_after: Time,
  })
  .meta({ id: "RegisteredCertificate" });

export const RevokedCertificate = z
  .object({
    account: AccountId,
    agent_id: AgentId,
    fingerprint: Fingerprint,
    status: z.literal("revoked"),
    closed: z.int().describe("live sockets that were closed"),
    renewals: z.array(Fingerprint).describe("what the agent had renewed by it, and is revoked with it"),
  })
  .meta({ id: "RevokedCertificate" });

export const DrainedAgent = z
  .object({ account: AccountId, agent_id: AgentId, closed: z.int().describe("connections that were closed") })
  .meta({ id: "DrainedAgent" });

const sessionHead = {
  session_id: Uuid,
  state: z.enum(sessionStates),
  initiator: AgentId,
  responder: AgentId,
  reason: z.string().nullable().describe("why it ended"),
  created_at: Time.describe("when it was offered"),
};

export const ListSessionsQuery = z.object({
  state: z.enum(sessionStates).optional().describe("only sessions in that state"),
  limit: limitOf(bounds.sessionsPageMax, bounds.sessionsPageDefault),
  cursor: z
    .string()
    .regex(/^\d{1,16}\.[0-9a-f-]{36}$/, "`next` of the page before, as it is")
    .optional()
    .describe("`next` of the page before"),
});

export const SessionEntry = z
  .object({ ...sessionHead, updated_at: Time.describe("when it reached its state") })
  .meta({ id: "SessionEntry" });

export const SessionPage = z
  .object({ sessions: z.array(SessionEntry), next: z.string().optional() })
  .meta({ id: "SessionPage" });

export const Session = z
  .object({
    ...sessionHead,
    message: z.string().nullable().describe("what the responder said when it rejected"),
    last_work_at: Time.nullable().describe("when the newest work was stored"),
    ended_at: Time.nullable(),
    streams: z
      .array(
        z.object({
          from: AgentId,
          attached: z.boolean().describe("the sender is attached, as far as the session knows"),
          accepted: z.int().describe("stored through this `seq` of the sender"),
          delivered: z.int().describe("acknowledged by the receiver through this `seq` of the sender"),
          waiting: z.int().describe("envelopes that the receiver has not acknowledged"),
          waiting_bytes: z.int(),
        }),
      )
      .describe("the initiator's, the responder's"),
  })
  .meta({ id: "Session" });

export const EnvelopesQuery = z.object({
  after: z
    .string()
    .regex(/^\d{1,15}\.[01]\.\d{1,15}$/, "`next` of the page before, or an envelope's `cursor`, as it is")
    .optional()
    .describe("`next` of the page before, or the `cursor` of any envelope"),
  limit: limitOf(bounds.envelopesPageMax, bounds.envelopesPageDefault),
  payloads: z.enum(["true", "false"]).default("false").describe("`true` adds each envelope's `data`"),
});

export const StoredEnvelope = z
  .object({
    cursor: z.string().describe("its place: `after` it comes the next one"),
    type: z.string(),
    id: Uuid,
    from: AgentId,
    seq: z.int().describe("in the stream towards its receiver"),
    sender_seq: z.int().nullable().describe("in the stream of its sender; null where the broker made it"),
    in_reply_to: Uuid.optional(),
    task_id: Uuid.optional(),
    bytes: z.int().describe("of the whole envelope, as it is stored"),
    at: Time.describe("when it was stored"),
    receipts: z.object({
      stored: z.literal(true),
      delivered: z.boolean().describe("its receiver acknowledged it"),
    }),
    data: z.unknown().optional(),
  })
  .meta({ id: "StoredEnvelope" });

export const DeadLetter = StoredEnvelope.extend({
  reason: z.enum(["session_expired", "session_closed"]).describe("why it was not delivered"),
  redrivable: z
    .boolean()
    .describe(
      "redriving sends it again: a MESSAGE, or the TASK_REQUEST of a task that was neither answered nor cancelled",
    ),
  redriven_to: Uuid.nullable().describe("the session that it was handed on to"),
}).meta({ id: "DeadLetter" });

export const DeadLetterPage = z
  .object({ dead_letters: z.array(DeadLetter), next: z.string().optional() })
  .meta({ id: "DeadLetterPage" });

export const Redrive = z
  .strictObject({ session_id: Uuid.describe("an active session between the same two agents") })
  .meta({ id: "Redrive" });

export const Redriven = z
  .object({
    session_id: Uuid.describe("the session that they went into"),
    redriven: z.int().describe("sent by this call"),
    skipped: z.int().describe("not sent by this call: tasks that the session has already, or past their deadline"),
    remaining: z.int().describe("left for want of room: call again when the receiver has acknowledged some"),
  })
  .meta({ id: "Redriven" });

export const Timeline = z
  .object({ envelopes: z.array(StoredEnvelope), next: z.string().optional() })
  .meta({ id: "Timeline" });
