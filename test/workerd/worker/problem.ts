// What every refusal must look like, checked in one place.
import { expect } from "vitest";
import { type ErrorReason, errors } from "../../../protocol/wire/errors.ts";
import { Problem } from "../../../schema/http.ts";

/** Expects the problem of one reason, in its exact shape; returns it. */
export async function expectProblem(response: Response, reason: ErrorReason) {
  const body = await response.json();
  expect(body).toMatchObject({ reason });
  const { code, status, detail, retryable, processed, scope } = errors[reason];
  const type = `urn:agentworks:error:${reason}`;
  expect(body).toMatchObject({ type, code, status, detail, retryable, processed, scope });
  expect(response.status).toBe(status);
  expect(response.headers.get("Content-Type")).toBe("application/problem+json");
  return Problem.strict().parse(body);
}
