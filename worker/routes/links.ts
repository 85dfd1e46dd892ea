// Links that are handed out: how they begin, and how their secrets are read again.
import type { Context } from "hono";
import type { App } from "../env.ts";

/** `API_URL` where it is configured; else where this request came to, which behind a local edge is not what its client wrote. */
export function linkTo(c: Context<App>, path: string, token: string): string {
  const base = c.env.API_URL ?? new URL(c.req.url).origin;
  return `${base.replace(/\/$/, "")}${path}?token=${token}`;
}

/** Answers that hold a secret, or tell about one person. */
export const noStore = { "Cache-Control": "no-store" };
