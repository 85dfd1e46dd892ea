// The three checks that stand before routes, as Hono middleware: the edge's proof, an agent's identity, the administrator.
import type { MiddlewareHandler } from "hono";
import type { App } from "../env.ts";
import { problem } from "../problem.ts";
import { identify } from "./identity.ts";
import { provesAdmin, provesEdge } from "./secrets.ts";

/** Refuses what did not come through the edge, where an edge is configured. Before everything else, `/health` too. */
export const throughEdge: MiddlewareHandler<App> = async (c, next) => {
  const proof = c.req.raw.headers.get("X-Agentworks-Edge");
  return (await provesEdge(c.env.EDGE_SECRET, proof)) ? next() : problem(c, "edge_required");
};

/** Puts the identity of the client certificate into `c.var.identity`, or refuses. */
export const identified: MiddlewareHandler<App> = async (c, next) => {
  const identity = await identify(c.req.raw.cf, c.env.DB, Date.now());
  if (typeof identity === "string") return problem(c, identity);
  c.set("identity", identity);
  return next();
};

/** Lets the administrator pass. */
export const administrative: MiddlewareHandler<App> = async (c, next) => {
  const authorization = c.req.raw.headers.get("Authorization");
  if (await provesAdmin(c.env.ADMIN_TOKEN, authorization)) return next();
  return problem(c, "admin_required", {}, { "WWW-Authenticate": 'Bearer realm="agentworks"' });
};
