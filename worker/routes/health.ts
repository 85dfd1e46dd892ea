// GET /health: the Worker runs. It asks neither D1 nor an object, so that a probe every second costs nothing.
import type { OpenAPIHono } from "@hono/zod-openapi";
import { Health } from "../../schema/http.ts";
import type { App } from "../env.ts";
import { version } from "../version.ts";
import { json } from "./responses.ts";
import { describedRoute } from "./route.ts";

const health = describedRoute({
  method: "get",
  path: "/health",
  responses: { 200: json(Health, "the broker runs") },
});

export function healthRoutes(app: OpenAPIHono<App>): void {
  app.openapi(health, (c) => c.json({ status: "ok" as const, version }, 200));
}
