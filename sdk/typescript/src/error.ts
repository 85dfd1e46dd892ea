// What the SDK throws and rejects with. Reasons come from the protocol's table; the few that only a client can know are
// added here, in one table, with the same fields. No I/O.
import type { TaskError } from "../../../protocol/wire/envelope.ts";
import { type ErrorCode, errors } from "../../../protocol/wire/errors.ts";

/** What happens only inside a client: never on the wire. */
const clientReasons = {
  invalid_argument: ["invalid_argument", false, "An argument does not have the shape that this call needs."],
  resource_exhausted: [
    "resource_exhausted",
    true,
    "Too much waits to be stored. Await `session.ready` before you send more.",
  ],
  connection_failed: ["unavailable", true, "The broker cannot be reached."],
  broker_untrusted: [
    "unauthenticated",
    true,
    "The broker's certificate cannot be verified. Give the CA that signed it as `ca`, and the name that it is for in `url`.",
  ],
  unreadable: ["internal", false, "The broker sent what this version of the SDK cannot read."],
  connection_refused: ["unavailable", false, "The broker closed the connection for good."],
  superseded: [
    "failed_precondition",
    false,
    "A newer connection of the same agent took over. Run one process for each agent.",
  ],
  agent_closed: ["failed_precondition", false, "The agent was closed by this program."],
  agent_draining: ["unavailable", true, "The agent is draining: it takes nothing new."],
  aborted: ["failed_precondition", true, "The signal was aborted before there was an answer."],
  journal_failed: ["unavailable", true, "The journal cannot be read or written. Its folder must exist, and have room."],
  journal_damaged: [
    "failed_precondition",
    false,
    "The journal has a line that cannot be read. Restore the file, or move it away and go on as without a journal.",
  ],
  journal_mismatch: [
    "failed_precondition",
    false,
    "The journal is that of another agent. Give each agent a journal of its own.",
  ],
  renewal_failed: [
    "unavailable",
    true,
    "The new certificate cannot be used or written. The folder of `certFile` and `keyFile` must have room, and be writable.",
  ],
  session_expired: ["failed_precondition", false, "The session had no work for too long and expired. Open a new one."],
  session_lost: [
    "failed_precondition",
    false,
    "Broker and client do not agree on what was sent; the session ended so that nothing is lost silently. Open a new one.",
  ],
} as const satisfies Record<string, readonly [ErrorCode, boolean, string]>;

export type ClientReason = keyof typeof clientReasons;

/** The part of ERROR's `data` and of problem+json that an error is made from. */
export interface Problem {
  reason: string;
  code: string;
  detail: string;
  retryable: boolean;
  /** What only this occurrence knows, as offer_rejected's own words. */
  message?: unknown;
}

/**
 * Everything that goes wrong, here or at the broker.
 * - `reason`: the precise, stable name to branch on (`agent_offline`, `certificate_revoked` …; docs/ERRORS.md).
 * - `code`: its gRPC-style class (`unavailable`, `permission_denied` …).
 * - `detail`: what to do about it, for people.
 * - `retryable`: the very same call may succeed later.
 */
export class AgentworksError extends Error {
  override readonly name: string = "AgentworksError";
  readonly reason: string;
  readonly code: string;
  readonly detail: string;
  readonly retryable: boolean;

  constructor(problem: Problem, options?: ErrorOptions) {
    const said = typeof problem.message === "string" && problem.message !== "" ? ` (${problem.message})` : "";
    super(`${problem.reason}: ${problem.detail}${said}`, options);
    this.reason = problem.reason;
    this.code = problem.code;
    this.detail = problem.detail + said;
    this.retryable = problem.retryable;
  }
}

/** The performer said that the task failed. `error` is what it said: {reason, message, retryable?}. */
export class TaskFailed extends AgentworksError {
  override readonly name = "TaskFailed";
  readonly error: TaskError;

  /** Throw it in a handler to choose what the requester reads. */
  constructor(error: TaskError) {
    super({
      reason: error.reason,
      code: "failed_precondition",
      detail: error.message,
      retryable: error.retryable ?? false,
    });
    this.error = error;
  }
}

/** The task was cancelled, and the performer stopped it. */
export class TaskCancelled extends AgentworksError {
  override readonly name = "TaskCancelled";

  constructor(detail = "The task was cancelled.") {
    super({ reason: "task_cancelled", code: "failed_precondition", detail, retryable: false });
  }
}

/** The deadline passed before the performer answered. It may have done its work all the same. */
export class TaskExpired extends AgentworksError {
  override readonly name = "TaskExpired";

  constructor(detail = "The deadline passed before the performer answered.") {
    super({ reason: "deadline_exceeded", code: "out_of_range", detail, retryable: true });
  }
}

/** An error of the client's own making. */
export function clientError(reason: ClientReason, detail?: string, options?: ErrorOptions): AgentworksError {
  const [code, retryable, usual] = clientReasons[reason];
  return new AgentworksError({ reason, code, detail: detail ?? usual, retryable }, options);
}

/** OpenSSL's and Node's names for a broker that is not who its certificate should say. */
const untrusted = /^(?:ERR_TLS_CERT|ERR_SSL|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/;

/** Whether an error's `code` says that the broker's certificate cannot be verified. */
export const isUntrusted = (code: string): boolean => untrusted.test(code);

/** The members of a problem+json; none where the text is none. */
export function problemMembers(text: string): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** What only this occurrence knows, in words: where the request is wrong, which permission it lacks, which log line tells more. */
function particulars({ issues, permission, instance }: Record<string, unknown>): string {
  const places = (Array.isArray(issues) ? issues : []) as { path?: unknown; message?: unknown }[];
  const told = places.map(({ path, message }) => (path ? `${path}: ${message}` : String(message)));
  if (typeof permission === "string") told.push(`it lacks ${permission}`);
  if (typeof instance === "string") told.push(instance);
  return told.join("; ");
}

/** The error of an HTTP answer that is none of success: its problem+json, or what its status says. */
export function problemError(status: number, text: string): AgentworksError {
  const said = problemMembers(text);
  const textOf = (name: string, otherwise: string) => (typeof said[name] === "string" ? said[name] : otherwise);
  return new AgentworksError({
    reason: textOf("reason", "connection_failed"),
    code: textOf("code", "unavailable"),
    detail: textOf("detail", `The broker answered HTTP ${status}.`),
    retryable: typeof said.retryable === "boolean" ? said.retryable : status >= 500 || status === 429 || status === 408,
    message: particulars(said),
  });
}

/** An error by a reason of the protocol's table, or one unknown to this version. */
export function wireError(reason: string, detail?: string): AgentworksError {
  if (Object.hasOwn(errors, reason)) {
    const entry = errors[reason as keyof typeof errors];
    return new AgentworksError({
      reason,
      code: entry.code,
      detail: detail ?? entry.detail,
      retryable: entry.retryable,
    });
  }
  return new AgentworksError({ reason, code: "internal", detail: detail ?? reason, retryable: false });
}
