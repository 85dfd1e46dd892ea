// Every refusal of the HTTP API: problem+json (RFC 9457) out of the one error table. Nothing else may answer with an error.
import type { Context, TypedResponse } from "hono";
import type { z } from "zod";
import { type ErrorBody, type ErrorReason, type ErrorStatus, errorBody, errors } from "../protocol/wire/errors.ts";
import type { Problem } from "../schema/http.ts";

export type ProblemBody = z.infer<typeof Problem>;
export type Issue = { path: string; message: string };

const title = (reason: string) => `${reason.charAt(0).toUpperCase()}${reason.slice(1)}`.replaceAll("_", " ");

/** The body of a problem. `more` is what only this occurrence knows: `issues`, `supported`, `permission`, `instance`. */
export function problemBody(
  reason: ErrorReason,
  more: { issues?: Issue[]; supported?: string[]; permission?: string; instance?: string } = {},
): ProblemBody {
  const { status } = errors[reason];
  const shared: ErrorBody = errorBody(reason);
  return { type: `urn:agentworks:error:${reason}`, title: title(reason), status, ...shared, ...more };
}

/** Answers with the problem of one reason; the status comes from the table. */
export function problem(
  c: Context,
  reason: ErrorReason,
  more: Parameters<typeof problemBody>[1] = {},
  headers: Record<string, string> = {},
): Response & TypedResponse<ProblemBody, ErrorStatus, "json"> {
  const { status } = errors[reason];
  return c.json(problemBody(reason, more), status, {
    "Content-Type": "application/problem+json",
    "Cache-Control": "no-store",
    ...(status === 401 && { "WWW-Authenticate": 'Bearer realm="agentworks"' }),
    ...headers,
  });
}

/** Where a request departs from its schema, in paths that a person can follow. */
export const issuesOf = (error: Pick<z.ZodError, "issues">): Issue[] =>
  error.issues.map(({ path, message }) => ({ path: path.map(String).join("."), message }));

/**
 * A bug or a failure of the platform: logged whole under an id, answered without a word about its cause.
 * The id (`instance`) is how an operator finds the log line that belongs to a user's report.
 */
export function internalProblem(c: Context, cause: unknown): Response {
  const instance = `urn:uuid:${crypto.randomUUID()}`;
  console.error(JSON.stringify({ event: "internal", instance, path: c.req.path, cause: describe(cause) }));
  return problem(c, "internal", { instance });
}

const describe = (cause: unknown) => (cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
