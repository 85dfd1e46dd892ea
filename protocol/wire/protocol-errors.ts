// What can go wrong with an envelope, a frame, a session or a connection: the reasons of ERROR and SESSION_REJECT. Some of them
// answer HTTP requests too. What only HTTP says is in http-errors.ts.
import { connection, type ErrorEntry, envelope, frame, session, task } from "./error-entry.ts";

export const protocolErrors = {
  // --- a frame or an envelope that cannot be read
  binary_frame: frame("invalid_argument", "Frames are text. Send JSON envelopes as a text frame."),
  frame_too_large: connection("resource_exhausted", "A frame is at most 512 KiB. Send smaller frames.", {
    status: 413,
    closes: 4413,
  }),
  too_many_envelopes: frame("resource_exhausted", "A frame carries 1–256 envelopes. Split it.", { status: 413 }),
  too_many_faults: connection(
    "invalid_argument",
    "More than 16 bad lines in one frame: the rest of it was not read. Check what the client sends, and connect again.",
    { closes: 4400 },
  ),
  envelope_too_large: envelope(
    "resource_exhausted",
    "An envelope is at most 256 KiB. Send the content in parts, or a reference to it.",
    { status: 413 },
  ),
  too_deep: envelope("invalid_argument", "Objects and arrays nest at most 32 deep. Flatten the content."),
  invalid_json: envelope(
    "invalid_argument",
    "Each line of a frame is one JSON object. Check the encoding and that no line break stands inside an envelope.",
  ),
  invalid_envelope: envelope(
    "invalid_argument",
    "The envelope does not fit its type; `issues` says where. See PROTOCOL, Envelope.",
  ),
  unknown_type: envelope("invalid_argument", "No such envelope type. See PROTOCOL, Types."),
  wrong_direction: envelope("invalid_argument", "Only the broker sends this type."),
  from_mismatch: envelope(
    "permission_denied",
    "`from` is not the agent of this certificate. Leave it out: the broker stamps it.",
  ),

  // --- a connection
  not_registered: envelope("failed_precondition", "Send REGISTER first, then send this again.", { retryable: true }),
  already_registered: envelope(
    "failed_precondition",
    "This connection is registered. Announce changed capabilities by CAPABILITY_ANNOUNCE.",
  ),
  rate_limited: connection(
    "resource_exhausted",
    "Frames come too fast. This one was taken: put more into each, or the connection is closed (4529).",
    { processed: "yes" },
  ),
  too_many_lookups: envelope(
    "resource_exhausted",
    "Queries, announcements and new sessions come too fast. Send this again in a second.",
    { retryable: true },
  ),
  capability_denied: envelope(
    "permission_denied",
    "The account's policy does not let this agent offer the capabilities that `issues` names. See GET /v1/policy.",
  ),
  not_on_direct: envelope(
    "failed_precondition",
    "A direct connection carries the work of one session. Send this type on /v1/connect.",
  ),

  // --- a session
  session_unknown: session("not_found", "No such session. Open one by SESSION_INIT."),
  session_exists: session("already_exists", "This session_id is taken. Choose a new UUIDv7."),
  session_not_pending: session("failed_precondition", "The session is not waiting for an answer any more."),
  session_not_active: session(
    "failed_precondition",
    "The session is not accepted yet. Wait for SESSION_ACCEPT, then send this again.",
    { retryable: true },
  ),
  session_closed: session("failed_precondition", "The session is closed. Open a new one by SESSION_INIT."),
  session_damaged: session(
    "data_loss",
    "What the broker has stored of the session is damaged, so it cannot go on. Open a new one by SESSION_INIT.",
    { processed: "maybe" },
  ),
  session_not_attached: session(
    "failed_precondition",
    "This connection is not attached to the session. Send SESSION_RESUME, then what was not acknowledged.",
    { retryable: true },
  ),
  relay_lost: session(
    "unavailable",
    "Frames between this connection and the session may be lost. Send SESSION_RESUME for this session.",
    { retryable: true, processed: "maybe" },
  ),
  too_many_sessions: session("resource_exhausted", "Too many open sessions. Close one first.", { retryable: true }),
  agent_unknown: session("not_found", "No agent of that name in this account. See AGENT_QUERY."),
  agent_offline: session("unavailable", "That agent is not connected. Try again when it is.", { retryable: true }),
  too_many_offers: session("resource_exhausted", "Too many offers wait for that agent's answer. Try again later.", {
    retryable: true,
  }),
  capability_unknown: session("not_found", "No agent that this may go to announced that capability. See AGENT_QUERY."),
  capability_busy: session(
    "unavailable",
    "No agent with that capability is connected and has room (`max_concurrency`). Try again later.",
    { retryable: true },
  ),
  policy_denied: session(
    "permission_denied",
    "The account's policy does not let this agent open sessions with that one. See GET /v1/policy.",
  ),
  self_session: session("invalid_argument", "An agent cannot open a session with itself."),
  offer_expired: session("unavailable", "The other agent did not answer the offer in time. Open a new session.", {
    retryable: true,
  }),
  offer_rejected: session("failed_precondition", "The other agent rejected the session; `message` says why."),

  // --- the stream of work
  sequence_gap: session(
    "out_of_range",
    "The `seq` is beyond the next one. Nothing from it on was taken: send again from `expected`.",
    { retryable: true },
  ),
  flow_control: session(
    "resource_exhausted",
    "The `seq` is beyond the `limit`. Nothing from it on was stored: wait for a MESSAGE_ACK with a higher limit.",
    { retryable: true },
  ),
  ack_beyond: envelope("out_of_range", "`ack` is beyond what was sent to you. It was ignored."),
  flow_control_abuse: connection(
    "resource_exhausted",
    "Three frames beyond the `limit`. Connect again, and obey the limit.",
    { closes: 4413 },
  ),

  // --- tasks
  task_unknown: task("not_found", "No such task in this session."),
  task_not_yours: task("permission_denied", "The other agent has this part in the task."),
  task_finished: task("failed_precondition", "The task has its terminal state; this was not passed on."),
  task_conflict: task("already_exists", "This task_id was used for another request. Choose a new UUIDv7."),
  deadline_too_far: task("invalid_argument", "A deadline lies at most 24 hours ahead. Choose a nearer one."),
  too_many_tasks: task("resource_exhausted", "Too many open tasks in this session. Wait for one to end.", {
    retryable: true,
  }),

  // --- the broker itself
  internal: connection("internal", "The broker failed. Connect again; what was acknowledged is stored.", {
    retryable: true,
    processed: "maybe",
  }),
} as const satisfies Record<string, ErrorEntry>;
