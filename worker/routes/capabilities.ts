// The directory of capabilities: what the agents of an account offer each other.
import type { OpenAPIHono } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import { CapabilityPage, ListCapabilitiesQuery } from "../../schema/http-accounts.ts";
import { listCapabilities } from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { json } from "./responses.ts";
import { guardedRoute } from "./route.ts";

const list = guardedRoute({
  method: "get",
  path: "/v1/capabilities",
  description: "What the active agents of the account announced, in the order of names.",
  access: { permission: "capabilities:read", agents: true },
  request: { query: ListCapabilitiesQuery },
  responses: { 200: json(CapabilityPage, "one page of capabilities") },
});

export function capabilityRoutes(app: OpenAPIHono<App>): void {
  app.openapi(list, async (c) =>
    c.json(await listCapabilities(drizzle(c.env.DB), c.var.principal.account, c.req.valid("query")), 200),
  );
}
