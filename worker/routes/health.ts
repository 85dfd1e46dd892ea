// GET /health: the Worker runs. It asks neither D1 nor an object, so that a probe every second costs nothing.
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { Health } from "../../schema/http.ts";
import type { App } from "../env.ts";
import { version } from "../version.ts";
import { json, problems } from "./responses.ts";

const health = createRoute({
  method: "get",
  path: "/health",
  responses: { 200: json(Health, "the broker runs"), ...problems },
});

export function healthRoutes(app: OpenAPIHono<App>): void {
  app.openapi(health, (c) => c.json({ status: "ok" as const, version }, 200));
}
