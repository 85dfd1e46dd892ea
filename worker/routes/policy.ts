// The policy of an account: read and replaced as a whole. It is judged where sessions are opened and capabilities announced.
import type { OpenAPIHono } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import { Policy } from "../../schema/http-accounts.ts";
import { findPolicy, savePolicy } from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { etagOf, wantedRevision } from "../etag.ts";
import { authorOf } from "../identity/middleware.ts";
import { problem } from "../problem.ts";
import { json } from "./responses.ts";
import { guardedRoute } from "./route.ts";

const show = guardedRoute({
  method: "get",
  path: "/v1/policy",
  description: "The rules of the account: the first that fits decides; where none fits, everybody in the account may.",
  access: { permission: "policy:read" },
  tagged: true,
  responses: { 200: json(Policy, "the rules") },
});

const replace = guardedRoute({
  method: "put",
  path: "/v1/policy",
  description:
    "Replaces the rules. They count for sessions that are opened and capabilities that are announced from now on.",
  access: { permission: "policy:write" },
  request: { body: { required: true, content: { "application/json": { schema: Policy } } } },
  tagged: true,
  responses: { 200: json(Policy, "the rules as they are now") },
});

export function policyRoutes(app: OpenAPIHono<App>): void {
  app.openapi(show, async (c) => {
    const policy = await findPolicy(drizzle(c.env.DB), c.var.principal.account);
    if (policy === undefined) return problem(c, "account_not_found");
    return c.json({ rules: policy.rules }, 200, etagOf(policy.revision));
  });

  app.openapi(replace, async (c) => {
    const { account } = c.var.principal;
    const { rules } = c.req.valid("json");
    const db = drizzle(c.env.DB);
    const saved = await savePolicy(db, account, rules, wantedRevision(c), authorOf(c));
    if (saved !== undefined) return c.json({ rules }, 200, etagOf(saved));
    return problem(c, (await findPolicy(db, account)) === undefined ? "account_not_found" : "precondition_failed");
  });
}
