// The one table of everything that can go wrong: the source of ERROR frames, of HTTP problems and of docs/ERRORS.md; and the
// close codes. A reason is added to protocol-errors.ts or http-errors.ts first; nothing else may invent one.
import type { ErrorCode, ErrorEntry, ErrorScope } from "./error-entry.ts";
import { httpErrors } from "./http-errors.ts";
import { protocolErrors } from "./protocol-errors.ts";

export type { ErrorCode, ErrorStatus } from "./error-entry.ts";

export const errors = { ...protocolErrors, ...httpErrors } as const;

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
