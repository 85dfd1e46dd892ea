// What can go wrong with an HTTP request or an upgrade, beyond what the protocol says itself (protocol-errors.ts).
import { type ErrorEntry, request } from "./error-entry.ts";

export const httpErrors = {
  // --- dead letters
  session_not_ended: request(
    "failed_precondition",
    "The session has not ended: what it accepted, it still delivers. Wait for its end.",
    { retryable: true },
  ),
  redrive_mismatch: request(
    "failed_precondition",
    "Dead letters go into an active session between the same two agents. Open one.",
  ),
  redrive_conflict: request(
    "failed_precondition",
    "They go into another session (`redriven_to`). Name that one, or wait until it has ended.",
    { retryable: true },
  ),

  // --- identity (AUTHENTICATION.md). None of them tells a stranger what exists.
  edge_required: request("permission_denied", "Requests come through the agentworks edge only."),
  certificate_required: request("unauthenticated", "Connect with a client certificate (mutual TLS).", { status: 403 }),
  certificate_untrusted: request("unauthenticated", "The client certificate was not issued by a trusted CA.", {
    status: 403,
  }),
  certificate_expired: request("unauthenticated", "The client certificate has expired. Issue a new one.", {
    status: 403,
  }),
  certificate_not_yet_valid: request(
    "unauthenticated",
    "The client certificate is not valid yet. Check the clock of the machine that issued it.",
    { status: 403 },
  ),
  certificate_revoked: request("unauthenticated", "The client certificate was revoked. Issue a new one.", {
    status: 403,
  }),
  certificate_unknown: request(
    "permission_denied",
    "The client certificate is not registered for an agent. Register its fingerprint.",
  ),
  agent_suspended: request("permission_denied", "The agent or its account is suspended."),
  credentials_required: request(
    "unauthenticated",
    "Send `Authorization: Bearer <API key>`, or sign in, or, where agents may ask, connect with a client certificate.",
  ),
  credentials_invalid: request(
    "unauthenticated",
    "That is no credential of this broker. Check the API key; make a new one if it is lost.",
  ),
  api_key_expired: request("unauthenticated", "The API key has expired. Make a new one."),
  api_key_revoked: request("unauthenticated", "The API key was revoked. Make a new one."),
  account_suspended: request("permission_denied", "The account is suspended. Ask whoever runs the broker."),
  permission_denied: request(
    "permission_denied",
    "The credential is good and does not allow this; `permission` says what is missing. Use one that has it.",
  ),

  // --- people
  sign_in_unavailable: request(
    "failed_precondition",
    "This broker signs nobody in: its `AUTH_SECRET` is not set, or shorter than 32 characters. API keys work.",
  ),
  sign_in_refused: request("unauthenticated", "The e-mail address and the password do not fit together."),
  sign_in_ended: request("unauthenticated", "You are not signed in any more: it expired, or was ended. Sign in again."),
  sign_in_link_invalid: request(
    "unauthenticated",
    "The link is unknown, expired or used already. Ask for a new one; `npm start` prints one at each start.",
  ),
  too_many_attempts: request("resource_exhausted", "Too many attempts to sign in. Try again after `Retry-After`.", {
    retryable: true,
  }),
  origin_refused: request(
    "permission_denied",
    "A change by somebody who is signed in must come from a page of this broker: its `Origin` is another one, or missing.",
  ),
  person_exists: request("already_exists", "Somebody has signed up with that e-mail address: sign in."),
  password_refused: request("failed_precondition", "The current password is another one."),
  account_required: request(
    "failed_precondition",
    "You have chosen no account. Name one by `?account=`, make one (POST /v1/accounts), or accept an invitation.",
    { status: 403 },
  ),
  member_not_found: request("not_found", "The account has no such member."),
  member_exists: request("already_exists", "That person is a member already."),
  last_owner: request("failed_precondition", "An account keeps one owner at least. Make somebody else an owner first."),
  too_many_members: request(
    "resource_exhausted",
    "The account has 500 members and open invitations. Remove those that nobody needs.",
  ),
  too_many_accounts: request("resource_exhausted", "You own 10 accounts. Hand one over first."),
  invitation_not_found: request("not_found", "No open invitation of that id."),
  invitation_invalid: request(
    "not_found",
    "The invitation is unknown, expired, used already, or for somebody else. Ask for a new one.",
  ),

  // --- the rest
  subprotocol_required: request(
    "failed_precondition",
    "Connect by WebSocket with subprotocol `agentworks.v1`; it is the one that this broker speaks.",
    { status: 426 },
  ),
  invalid_request: request("invalid_argument", "The request does not fit its schema; `issues` says where."),
  route_unknown: request("not_found", "No such route. GET /v1/openapi.json lists them."),
  account_not_found: request("not_found", "No account of that name."),
  api_key_not_found: request("not_found", "No API key of that id."),
  certificate_not_found: request("not_found", "No certificate with that fingerprint."),
  agent_not_found: request("not_found", "No agent of that name."),
  account_exists: request("already_exists", "There is an account of that name."),
  agent_exists: request("already_exists", "There is an agent of that name."),
  too_many_requests: request(
    "resource_exhausted",
    "Requests come too fast. Ask again after `Retry-After`; the `RateLimit-*` headers say how many are left.",
    { retryable: true },
  ),
  idempotency_conflict: request(
    "already_exists",
    "That `Idempotency-Key` was used for another request. Choose a new one for each.",
  ),
  idempotency_in_progress: request(
    "unavailable",
    "The first request with that `Idempotency-Key` is still at work. Ask again in a second.",
    { status: 409, retryable: true, processed: "maybe" },
  ),
  precondition_failed: request(
    "failed_precondition",
    "It was changed since: `If-Match` is not its `ETag`. Get it again, and decide anew.",
    { status: 412 },
  ),
  certificate_taken: request("already_exists", "That certificate is registered for another agent."),
  request_too_large: request("resource_exhausted", "The body of a request is at most 256 KiB.", { status: 413 }),
  signing_request_refused: request(
    "invalid_argument",
    "The certificate signing request cannot be answered; `issues` says why. Make a new key and a new request.",
  ),
  issuer_missing: request(
    "failed_precondition",
    "This broker issues no certificates. Have one issued by a CA that it trusts, and register it: POST /v1/certificates.",
  ),
  issuer_unavailable: request("unavailable", "The CA does not answer. Nothing was registered: ask again in a minute.", {
    retryable: true,
  }),
  too_many_certificates: request(
    "resource_exhausted",
    "The agent has 20 certificates that are neither revoked nor expired. Revoke those that nobody uses.",
  ),
  enrolment_token_invalid: request(
    "unauthenticated",
    "The enrolment token is unknown, expired or used already. Ask for a new one.",
  ),
} as const satisfies Record<string, ErrorEntry>;
