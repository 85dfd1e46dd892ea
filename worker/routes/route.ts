// How a route of the API is declared: with what it asks of its callers, from which come its guard and its part of openapi.json.
// Every route but /health, the documents and the upgrades is made here; one without `access` does not compile.
import { createRoute, type RouteConfig } from "@hono/zod-openapi";
import { type Access, guarded } from "../identity/middleware.ts";

type Guarded = Omit<RouteConfig, "path" | "security" | "middleware"> & { access: Access };

/** `createRoute` with a guard. In the document, `x-permission` is what the route needs. */
export function guardedRoute<P extends string, R extends Guarded & { path: P }>(route: R) {
  const { permission, agents = false } = route.access;
  const guards = {
    security: [{ apiKey: [] }, ...(agents ? [{ clientCertificate: [] }] : [])],
    "x-permission": permission,
    middleware: guarded(route.access),
  };
  const { access: _, ...described } = { ...route, ...guards };
  return createRoute<P, R & typeof guards>(described as R & typeof guards);
}
