// What an error is made of, and how an entry of the tables (protocol-errors.ts, http-errors.ts) is written.

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

export interface ErrorEntry {
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

/** The status of a code where its entry names no other. */
const statusOf: Record<ErrorCode, ErrorStatus> = {
  invalid_argument: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  failed_precondition: 409,
  out_of_range: 409,
  already_exists: 409,
  resource_exhausted: 429,
  data_loss: 500,
  internal: 500,
  unavailable: 503,
};

type More = Partial<Pick<ErrorEntry, "status" | "retryable" | "processed" | "closes">>;

const entryOf =
  (scope: ErrorScope, processed: ErrorEntry["processed"] = "no") =>
  (code: ErrorCode, detail: string, more: More = {}): ErrorEntry => ({
    code,
    status: statusOf[code],
    scope,
    detail,
    retryable: false,
    processed,
    ...more,
  });

export const frame = entryOf("frame");
export const envelope = entryOf("envelope");
/** An envelope of a task: its place in the stream is taken, whatever is wrong with it. */
export const task = entryOf("envelope", "yes");
export const session = entryOf("session");
export const connection = entryOf("connection");
export const request = entryOf("request");
