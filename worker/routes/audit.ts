// The audit log: read, and nothing else. Its rows are written with the changes that they tell of.
import type { OpenAPIHono } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import { AuditPage, ListAuditQuery } from "../../schema/http-api-keys.ts";
import { listAudit } from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { json } from "./responses.ts";
import { guardedRoute } from "./route.ts";
import { time } from "./times.ts";

const list = guardedRoute({
  method: "get",
  path: "/v1/audit-log",
  description: "Every change of the control plane in the account, the newest first: who, what, when, from where.",
  access: { permission: "audit:read" },
  request: { query: ListAuditQuery },
  responses: { 200: json(AuditPage, "one page of changes") },
});

export function auditRoutes(app: OpenAPIHono<App>): void {
  app.openapi(list, async (c) => {
    const page = await listAudit(drizzle(c.env.DB), c.var.principal.account, c.req.valid("query"));
    const entries = page.entries.map(({ at, userAgent, ...entry }) => ({
      ...entry,
      at: time(at),
      user_agent: userAgent,
    }));
    return c.json({ ...page, entries }, 200);
  });
}
