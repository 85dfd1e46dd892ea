// `Idempotency-Key`: a POST that comes again with the same key is answered as it was the first time, for a day. The answer is stored
// sealed with the credential that asked, because it may hold a secret that is shown once. A crash between the change and the storing
// of its answer leaves the key pending for a minute; after it the request is made again: then it may take effect a second time.
import { drizzle } from "drizzle-orm/d1";
import type { Context, Next } from "hono";
import { z } from "zod";
import { bounds } from "../schema/bounds.ts";
import { answerClaim, claimKey, dropClaim } from "../schema/registry.ts";
import type { App } from "./env.ts";
import { hashSecret } from "./identity/bearer.ts";
import { seal, unseal } from "./identity/seal.ts";
import { sentCookie } from "./identity/sign-in.ts";
import { problem } from "./problem.ts";

const shape = new RegExp(`^[\\x21-\\x7e]{1,${bounds.idempotencyKeyCharsMax}}$`);

/** What is stored of an answer, beside its status. */
const Kept = z.object({ headers: z.record(z.string(), z.string()), body: z.string() });
const keptHeaders = ["Content-Type", "Cache-Control", "ETag"];

/** Runs what follows, unless it ran before. */
export async function idempotently(c: Context<App>, key: string, next: Next): Promise<Response | undefined> {
  if (!shape.test(key)) {
    const message = `1–${bounds.idempotencyKeyCharsMax} visible ASCII characters`;
    return problem(c, "invalid_request", { issues: [{ path: "Idempotency-Key", message }] });
  }
  const db = drizzle(c.env.DB);
  const { account, actor } = c.var.principal;
  const { method, url, headers } = c.req.raw;
  const { pathname, search } = new URL(url);
  const request = await hashSecret(JSON.stringify([method, pathname, search, await c.req.text()]));
  const claim = { account, actor, key, request, at: Date.now() };
  const salt = JSON.stringify([account, actor, key]);
  const credential = headers.get("Authorization") ?? sentCookie(headers) ?? "";

  const held = await claimKey(db, claim);
  if (held === undefined) {
    await next();
    if (c.res.status >= 500) await dropClaim(db, claim);
    else await answerClaim(db, claim, c.res.status, await seal(await keep(c.res.clone()), credential, salt));
    return undefined;
  }
  if (held.request !== request) return problem(c, "idempotency_conflict");
  if (held.status === null || held.answer === null) return problem(c, "idempotency_in_progress");
  const kept = await unseal(held.answer, credential, salt);
  if (kept === undefined) return problem(c, "idempotency_conflict");
  const { body, headers: sent } = Kept.parse(JSON.parse(kept));
  return new Response(body, { status: held.status, headers: { ...sent, "Idempotency-Replayed": "true" } });
}

async function keep(response: Response): Promise<string> {
  const found = keptHeaders.flatMap((name) => {
    const value = response.headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  const kept: z.infer<typeof Kept> = { headers: Object.fromEntries(found), body: await response.text() };
  return JSON.stringify(kept);
}
