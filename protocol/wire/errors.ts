// The one table of everything that can go wrong: the source of ERROR frames, of HTTP problems and of docs/ERRORS.md.
// A reason is added here first; nothing else may invent one.

/** gRPC's canonical names. */
export type ErrorCode =
  | "invalid_argument"
  | "failed_precondition"
  | "out_of_range"
  | "unauthenticated"
  | "permission_denied"
  | "not_found"
  | "already_exists"
  | "resource_exhausted"
  | "unavailable"
  | "data_loss"
  | "internal";

/** How much of what the peer sent was touched by the fault. */
export type ErrorScope = "envelope" | "frame" | "session" | "connection" | "request";

/** The HTTP statuses that are used. */
export type ErrorStatus = 400 | 401 | 403 | 404 | 409 | 412 | 413 | 426 | 429 | 500 | 503;

interface ErrorEntry {
  code: ErrorCode;
  /** HTTP status when the fault answers an HTTP request. */
  status: ErrorStatus;
  scope: ErrorScope;
  /** The very same thing may succeed later. */
  retryable: boolean;
  /** Whether what was sent took effect. */
  processed: "no" | "maybe" | "yes";
  /** What happened, and what to do about it. Never a value that the peer did not send. */
  detail: string;
  /** The WebSocket close code that follows, where the connection cannot go on. */
  closes?: number;
}

const fault = (
  code: ErrorCode,
  status: ErrorStatus,
  scope: ErrorScope,
  detail: string,
  more: Partial<Pick<ErrorEntry, "retryable" | "processed" | "closes">> = {},
): ErrorEntry => ({ code, status, scope, detail, retryable: false, processed: "no", ...more });

export const errors = {
  // --- a frame or an envelope that cannot be read
  binary_frame: fault("invalid_argument", 400, "frame", "Frames are text. Send JSON envelopes as a text frame."),
  frame_too_large: fault("resource_exhausted", 413, "connection", "A frame is at most 512 KiB. Send smaller frames.", {
    closes: 4413,
  }),
  too_many_envelopes: fault("resource_exhausted", 413, "frame", "A frame carries 1–256 envelopes. Split it."),
  too_many_faults: fault(
    "invalid_argument",
    400,
    "connection",
    "More than 16 bad lines in one frame: the rest of it was not read. Check what the client sends, and connect again.",
    { closes: 4400 },
  ),
  envelope_too_large: fault(
    "resource_exhausted",
    413,
    "envelope",
    "An envelope is at most 256 KiB. Send the content in parts, or a reference to it.",
  ),
  too_deep: fault("invalid_argument", 400, "envelope", "Objects and arrays nest at most 32 deep. Flatten the content."),
  invalid_json: fault(
    "invalid_argument",
    400,
    "envelope",
    "Each line of a frame is one JSON object. Check the encoding and that no line break stands inside an envelope.",
  ),
  invalid_envelope: fault(
    "invalid_argument",
    400,
    "envelope",
    "The envelope does not fit its type; `issues` says where. See PROTOCOL, Envelope.",
  ),
  unknown_type: fault("invalid_argument", 400, "envelope", "No such envelope type. See PROTOCOL, Types."),
  wrong_direction: fault("invalid_argument", 400, "envelope", "Only the broker sends this type."),
  from_mismatch: fault(
    "permission_denied",
    403,
    "envelope",
    "`from` is not the agent of this certificate. Leave it out: the broker stamps it.",
  ),

  // --- a connection
  not_registered: fault("failed_precondition", 409, "envelope", "Send REGISTER first, then send this again.", {
    retryable: true,
  }),
  already_registered: fault(
    "failed_precondition",
    409,
    "envelope",
    "This connection is registered. Announce changed capabilities by CAPABILITY_ANNOUNCE.",
  ),
  rate_limited: fault(
    "resource_exhausted",
    429,
    "connection",
    "Frames come too fast. This one was taken: put more into each, or the connection is closed (4529).",
    { processed: "yes" },
  ),
  too_many_lookups: fault(
    "resource_exhausted",
    429,
    "envelope",
    "Queries, announcements and new sessions come too fast. Send this again in a second.",
    { retryable: true },
  ),
  capability_denied: fault(
    "permission_denied",
    403,
    "envelope",
    "The account's policy does not let this agent offer the capabilities that `issues` names. See GET /v1/policy.",
  ),
  not_on_direct: fault(
    "failed_precondition",
    409,
    "envelope",
    "A direct connection carries the work of one session. Send this type on /v1/connect.",
  ),

  // --- a session
  session_unknown: fault("not_found", 404, "session", "No such session. Open one by SESSION_INIT."),
  session_exists: fault("already_exists", 409, "session", "This session_id is taken. Choose a new UUIDv7."),
  session_not_pending: fault(
    "failed_precondition",
    409,
    "session",
    "The session is not waiting for an answer any more.",
  ),
  session_not_active: fault(
    "failed_precondition",
    409,
    "session",
    "The session is not accepted yet. Wait for SESSION_ACCEPT, then send this again.",
    { retryable: true },
  ),
  session_closed: fault(
    "failed_precondition",
    409,
    "session",
    "The session is closed. Open a new one by SESSION_INIT.",
  ),
  session_damaged: fault(
    "data_loss",
    500,
    "session",
    "What the broker has stored of the session is damaged, so it cannot go on. Open a new one by SESSION_INIT.",
    { processed: "maybe" },
  ),
  session_not_attached: fault(
    "failed_precondition",
    409,
    "session",
    "This connection is not attached to the session. Send SESSION_RESUME, then what was not acknowledged.",
    { retryable: true },
  ),
  relay_lost: fault(
    "unavailable",
    503,
    "session",
    "Frames between this connection and the session may be lost. Send SESSION_RESUME for this session.",
    { retryable: true, processed: "maybe" },
  ),
  too_many_sessions: fault("resource_exhausted", 429, "session", "Too many open sessions. Close one first.", {
    retryable: true,
  }),
  agent_unknown: fault("not_found", 404, "session", "No agent of that name in this account. See AGENT_QUERY."),
  agent_offline: fault("unavailable", 503, "session", "That agent is not connected. Try again when it is.", {
    retryable: true,
  }),
  too_many_offers: fault(
    "resource_exhausted",
    429,
    "session",
    "Too many offers wait for that agent's answer. Try again later.",
    { retryable: true },
  ),
  capability_unknown: fault(
    "not_found",
    404,
    "session",
    "No agent that this may go to announced that capability. See AGENT_QUERY.",
  ),
  capability_busy: fault(
    "unavailable",
    503,
    "session",
    "No agent with that capability is connected and has room (`max_concurrency`). Try again later.",
    { retryable: true },
  ),
  policy_denied: fault(
    "permission_denied",
    403,
    "session",
    "The account's policy does not let this agent open sessions with that one. See GET /v1/policy.",
  ),
  self_session: fault("invalid_argument", 400, "session", "An agent cannot open a session with itself."),
  offer_expired: fault(
    "unavailable",
    503,
    "session",
    "The other agent did not answer the offer in time. Open a new session.",
    {
      retryable: true,
    },
  ),
  offer_rejected: fault(
    "failed_precondition",
    409,
    "session",
    "The other agent rejected the session; `message` says why.",
  ),

  session_not_ended: fault(
    "failed_precondition",
    409,
    "request",
    "The session has not ended: what it accepted, it still delivers. Wait for its end.",
    { retryable: true },
  ),
  redrive_mismatch: fault(
    "failed_precondition",
    409,
    "request",
    "Dead letters go into an active session between the same two agents. Open one.",
  ),
  redrive_conflict: fault(
    "failed_precondition",
    409,
    "request",
    "They go into another session (`redriven_to`). Name that one, or wait until it has ended.",
    { retryable: true },
  ),

  // --- the stream of work
  sequence_gap: fault(
    "out_of_range",
    409,
    "session",
    "The `seq` is beyond the next one. Nothing from it on was taken: send again from `expected`.",
    { retryable: true },
  ),
  flow_control: fault(
    "resource_exhausted",
    429,
    "session",
    "The `seq` is beyond the `limit`. Nothing from it on was stored: wait for a MESSAGE_ACK with a higher limit.",
    { retryable: true },
  ),
  ack_beyond: fault("out_of_range", 409, "envelope", "`ack` is beyond what was sent to you. It was ignored."),
  flow_control_abuse: fault(
    "resource_exhausted",
    429,
    "connection",
    "Three frames beyond the `limit`. Connect again, and obey the limit.",
    { closes: 4413 },
  ),

  // --- tasks
  task_unknown: fault("not_found", 404, "envelope", "No such task in this session.", { processed: "yes" }),
  task_not_yours: fault("permission_denied", 403, "envelope", "The other agent has this part in the task.", {
    processed: "yes",
  }),
  task_finished: fault(
    "failed_precondition",
    409,
    "envelope",
    "The task has its terminal state; this was not passed on.",
    {
      processed: "yes",
    },
  ),
  task_conflict: fault(
    "already_exists",
    409,
    "envelope",
    "This task_id was used for another request. Choose a new UUIDv7.",
    { processed: "yes" },
  ),
  deadline_too_far: fault(
    "invalid_argument",
    400,
    "envelope",
    "A deadline lies at most 24 hours ahead. Choose a nearer one.",
    {
      processed: "yes",
    },
  ),
  too_many_tasks: fault(
    "resource_exhausted",
    429,
    "envelope",
    "Too many open tasks in this session. Wait for one to end.",
    {
      retryable: true,
      processed: "yes",
    },
  ),

  // --- HTTP: identity (AUTHENTICATION.md). None of them tells a stranger what exists.
  edge_required: fault("permission_denied", 403, "request", "Requests come through the agentworks edge only."),
  certificate_required: fault("unauthenticated", 403, "request", "Connect with a client certificate (mutual TLS)."),
  certificate_untrusted: fault(
    "unauthenticated",
    403,
    "request",
    "The client certificate was not issued by a trusted CA.",
  ),
  certificate_expired: fault("unauthenticated", 403, "request", "The client certificate has expired. Issue a new one."),
  certificate_not_yet_valid: fault(
    "unauthenticated",
    403,
    "request",
    "The client certificate is not valid yet. Check the clock of the machine that issued it.",
  ),
  certificate_revoked: fault("unauthenticated", 403, "request", "The client certificate was revoked. Issue a new one."),
  certificate_unknown: fault(
    "permission_denied",
    403,
    "request",
    "The client certificate is not registered for an agent. Register its fingerprint.",
  ),
  agent_suspended: fault("permission_denied", 403, "request", "The agent or its account is suspended."),
  credentials_required: fault(
    "unauthenticated",
    401,
    "request",
    "Send `Authorization: Bearer <API key>`, or, where agents may ask, connect with a client certificate.",
  ),
  credentials_invalid: fault(
    "unauthenticated",
    401,
    "request",
    "That is no credential of this broker. Check the API key; make a new one if it is lost.",
  ),
  api_key_expired: fault("unauthenticated", 401, "request", "The API key has expired. Make a new one."),
  api_key_revoked: fault("unauthenticated", 401, "request", "The API key was revoked. Make a new one."),
  account_suspended: fault(
    "permission_denied",
    403,
    "request",
    "The account is suspended. Ask whoever runs the broker.",
  ),
  permission_denied: fault(
    "permission_denied",
    403,
    "request",
    "The credential is good and does not allow this; `permission` says what is missing. Use one that has it.",
  ),

  // --- HTTP: the rest
  subprotocol_required: fault(
    "failed_precondition",
    426,
    "request",
    "Connect by WebSocket with subprotocol `agentworks.v1`; it is the one that this broker speaks.",
  ),
  invalid_request: fault(
    "invalid_argument",
    400,
    "request",
    "The request does not fit its schema; `issues` says where.",
  ),
  route_unknown: fault("not_found", 404, "request", "No such route. GET /v1/openapi.json lists them."),
  account_not_found: fault("not_found", 404, "request", "No account of that name."),
  api_key_not_found: fault("not_found", 404, "request", "No API key of that id."),
  certificate_not_found: fault("not_found", 404, "request", "No certificate with that fingerprint."),
  agent_not_found: fault("not_found", 404, "request", "No agent of that name."),
  account_exists: fault("already_exists", 409, "request", "There is an account of that name."),
  agent_exists: fault("already_exists", 409, "request", "There is an agent of that name."),
  too_many_requests: fault(
    "resource_exhausted",
    429,
    "request",
    "Requests come too fast. Ask again after `Retry-After`; the `RateLimit-*` headers say how many are left.",
    { retryable: true },
  ),
  idempotency_conflict: fault(
    "already_exists",
    409,
    "request",
    "That `Idempotency-Key` was used for another request. Choose a new one for each.",
  ),
  idempotency_in_progress: fault(
    "unavailable",
    409,
    "request",
    "The first request with that `Idempotency-Key` is still at work. Ask again in a second.",
    { retryable: true, processed: "maybe" },
  ),
  precondition_failed: fault(
    "failed_precondition",
    412,
    "request",
    "It was changed since: `If-Match` is not its `ETag`. Get it again, and decide anew.",
  ),
  certificate_taken: fault("already_exists", 409, "request", "That certificate is registered for another agent."),
  request_too_large: fault("resource_exhausted", 413, "request", "The body of a request is at most 256 KiB."),
  signing_request_refused: fault(
    "invalid_argument",
    400,
    "request",
    "The certificate signing request cannot be answered; `issues` says why. Make a new key and a new request.",
  ),
  issuer_missing: fault(
    "failed_precondition",
    409,
    "request",
    "This broker issues no certificates. Have one issued by a CA that it trusts, and register it: POST /v1/certificates.",
  ),
  issuer_unavailable: fault(
    "unavailable",
    503,
    "request",
    "The CA does not answer. Nothing was registered: ask again in a minute.",
    { retryable: true },
  ),
  too_many_certificates: fault(
    "resource_exhausted",
    429,
    "request",
    "The agent has 20 certificates that are neither revoked nor expired. Revoke those that nobody uses.",
  ),
  enrolment_token_invalid: fault(
    "unauthenticated",
    401,
    "request",
    "The enrolment token is unknown, expired or used already. Ask for a new one.",
  ),

  internal: fault("internal", 500, "connection", "The broker failed. Connect again; what was acknowledged is stored.", {
    retryable: true,
    processed: "maybe",
  }),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorReason = keyof typeof errors;

/** The part that ERROR's `data` and problem+json share. */
export interface ErrorBody {
  code: ErrorCode;
  reason: ErrorReason;
  detail: string;
  retryable: boolean;
  processed: "no" | "maybe" | "yes";
  scope: ErrorScope;
}

/** The body of one reason. `more` adds what only this occurrence knows (`expected`, `limit`, `issues`). */
export function errorBody<More extends object>(reason: ErrorReason, more?: More): ErrorBody & More {
  const { code, detail, retryable, processed, scope }: ErrorEntry = errors[reason];
  return { code, reason, detail, retryable, processed, scope, ...(more as More) };
}

/** The close code that must follow an error, where there is one. */
export function closeCodeOf(reason: ErrorReason): number | undefined {
  const entry: ErrorEntry = errors[reason];
  return entry.closes;
}

/** WebSocket close codes: 4000–4499 are final, after 4500–4999 a client reconnects (PROTOCOL C5). */
export const closeCodes = {
  protocol: 4400,
  certificate_expired: 4401,
  revoked: 4403,
  superseded: 4409,
  too_large: 4413,
  internal: 4500,
  draining: 4503,
  heartbeat_timeout: 4512,
  too_fast: 4529,
} as const;

/** After a final close code a client must not reconnect by itself. */
export const isFinalClose = (code: number): boolean => code >= 4000 && code < 4500;
