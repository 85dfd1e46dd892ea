// How often somebody may try to prove who they are: by address, and by whom they say that they are, before anything is looked up or
// a password is hashed. Guessing one person's password from many places is slow, and guessing many people's from one place is.
import { drizzle } from "drizzle-orm/d1";
import type { Context } from "hono";
import { bounds } from "../../schema/bounds.ts";
import { countAttempt, forgetAttempts } from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { problem } from "../problem.ts";
import { addressOf } from "../strangers.ts";
import { hashSecret } from "./bearer.ts";

const byAddress = (c: Context<App>) => hashSecret(`address ${addressOf(c.req.raw.headers)}`);
const byEmail = (email: string) => hashSecret(`email ${email}`);

/**
 * Counts an attempt. Where nobody can count, nobody tries: unlike the limits of requests, this one guards something.
 * @param email whose; left out where that is not known yet
 * @returns the refusal, if it is one too many
 */
export async function attempted(c: Context<App>, email?: string) {
  const db = drizzle(c.env.DB);
  const now = Date.now();
  let waitMs = await countAttempt(db, await byAddress(c), bounds.attemptsByAddressMax, now);
  if (waitMs === 0 && email !== undefined) {
    waitMs = await countAttempt(db, await byEmail(email), bounds.attemptsByEmailMax, now);
  }
  if (waitMs === 0) return undefined;
  return problem(c, "too_many_attempts", {}, { "Retry-After": String(Math.ceil(waitMs / 1000)) });
}

/** Who has proven it has not guessed. */
export const proven = async (c: Context<App>, email: string): Promise<void> =>
  forgetAttempts(drizzle(c.env.DB), await byEmail(email));
