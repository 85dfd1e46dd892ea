// How a route of the API is declared: with what it asks of its callers, from which come its guard and its part of openapi.json.
// Every route but /health, the documents and the upgrades is made here; one without `access` does not compile.
import { createRoute, type RouteConfig } from "@hono/zod-openapi";
import { type Access, guarded, permissionOf } from "../identity/middleware.ts";

type Guarded = Omit<RouteConfig, "path" | "security" | "middleware"> & { access: Access };

/** What the document says of a guard. */
function described(access: Access) {
  const agents = "agents" in access && access.agents === true;
  const security =
    "enrolment" in access ? [{ enrolmentToken: [] }] : [{ apiKey: [] }, ...(agents ? [{ clientCertificate: [] }] : [])];
  return { security, "x-permission": permissionOf(access) };
}

/** `createRoute` with a guard. In the document, `x-permission` is what the route needs. */
export function guardedRoute<P extends string, R extends Guarded & { path: P }>(route: R) {
  const guards = {
    ...described(route.access),
    middleware: guarded(route.access),
  };
  const { access: _, ...declared } = { ...route, ...guards };
  return createRoute<P, R & typeof guards>(declared as R & typeof guards);
}
