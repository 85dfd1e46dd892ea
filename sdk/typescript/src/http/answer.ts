// What came back from an HTTP request: JSON, or why there is none, as an AgentworksError. No I/O.
import { type AgentworksError, clientError, isUntrusted, problemError, problemMembers } from "../error.ts";

export interface HttpAnswer {
  /** Undefined where the answer has no body. */
  data: unknown;
  status: number;
  headers: Headers;
}

export interface HttpFailure {
  error: AgentworksError;
  /** Undefined: nobody answered. */
  status: number | undefined;
  /** The broker says that nothing was done. */
  unprocessed: boolean;
  /** `Retry-After`. */
  retryAfterMs?: number;
}

/** An answer that was read to its end. */
export function answerOf(origin: string, status: number, headers: Headers, text: string): HttpAnswer | HttpFailure {
  if (status >= 400) return refusalOf(origin, status, headers, text);
  const unreadable = (detail: string, cause?: unknown) => ({
    error: clientError("unreadable", detail, { cause }),
    status,
    unprocessed: false,
  });
  if (status >= 300) {
    const to = headers.get("Location");
    return unreadable(`${origin} redirects${to === null ? "" : ` to ${to}`}: name the API itself.`);
  }
  try {
    return { data: text === "" ? undefined : JSON.parse(text), status, headers };
  } catch (cause) {
    return unreadable(`What answers at ${origin} is no agentworks API.`, cause);
  }
}

function refusalOf(origin: string, status: number, headers: Headers, text: string): HttpFailure {
  const refused = problemError(status, text);
  // A proxy may fail for the broker; but whoever refuses in words that are not its own is somebody else.
  const stranger = refused.reason === "connection_failed" && !refused.retryable;
  const seconds = Number(headers.get("Retry-After") ?? Number.NaN);
  return {
    error: stranger
      ? clientError("unreadable", `What answers at ${origin} is no agentworks API (HTTP ${status}).`)
      : refused,
    status,
    unprocessed: problemMembers(text).processed === "no",
    ...(Number.isFinite(seconds) && { retryAfterMs: seconds * 1000 }),
  };
}

/** Nobody answered: why, as far as it is known. */
export function unansweredError(origin: string, thrown: unknown): HttpFailure {
  // What fetch throws says nothing; its cause does.
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "";
  const told = code === "" ? "" : ` (${code})`;
  const error = isUntrusted(code)
    ? clientError(
        "broker_untrusted",
        `${origin} is not proven by TLS${told}. For a CA of your own set NODE_EXTRA_CA_CERTS.`,
        { cause },
      )
    : clientError("connection_failed", `The API at ${origin} does not answer${told}.`, { cause });
  return { error, status: undefined, unprocessed: false };
}
