// Rate limits of the HTTP API: one bucket for each caller of an account, which the account's object keeps. The operator has none.
// Strangers are counted in strangers.ts.
import type { Context } from "hono";
import type { Allowance } from "../durable-objects/rpc.ts";
import type { App } from "./env.ts";
import type { Principal } from "./identity/principal.ts";
import { accountObject } from "./objects.ts";
import { problem } from "./problem.ts";

/**
 * Counts a request, and says in its answer how many are left. Where nobody can count, nobody is refused: the limit keeps neighbours
 * from each other's way, it guards nothing.
 * @returns the refusal, if it is one too many
 */
export async function limited(c: Context<App>, { kind, account, actor }: Principal): Promise<Response | undefined> {
  if (kind === "operator") return undefined;
  const allowance = await accountObject(c.env, account)
    .admit(actor)
    .catch((cause: unknown) => {
      console.warn(JSON.stringify({ event: "rate_limit_failed", account, cause: String(cause) }));
      return undefined;
    });
  if (allowance === undefined) return undefined;
  showAllowance(c, allowance);
  return allowance.admitted ? undefined : problem(c, "too_many_requests", {}, { "Retry-After": "1" });
}

/** In the answer's headers. */
export function showAllowance(c: Context<App>, { limit, remaining, resetSeconds }: Allowance): void {
  c.header("RateLimit-Limit", String(limit));
  c.header("RateLimit-Remaining", String(remaining));
  c.header("RateLimit-Reset", String(resetSeconds));
}
