// The two WebSocket routes. Identity first, so that a stranger learns nothing from later refusals; then the subprotocol; then
// the object, which answers 101, or 404 where this agent has no such session.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import { Uuid } from "../../protocol/wire/ids.ts";
import type { App } from "../env.ts";
import { identified } from "../identity/middleware.ts";
import { agentObject, sessionObject, upgradeRequest } from "../objects.ts";
import { problem } from "../problem.ts";
import { problems } from "./responses.ts";

export const subprotocol = "agentworks.v1";

/** Whether the request is an upgrade that offers our subprotocol among its own. */
function offersSubprotocol(headers: Headers): boolean {
  const list = (name: string) => (headers.get(name) ?? "").split(",").map((item) => item.trim());
  const upgrades = list("Upgrade").some((item) => item.toLowerCase() === "websocket");
  return upgrades && list("Sec-WebSocket-Protocol").includes(subprotocol);
}

const upgradable = createMiddleware<App>(async (c, next) => {
  if (offersSubprotocol(c.req.raw.headers)) return next();
  // RFC 9110 wants `Upgrade` on a 426. workerd drops it on its way out (it owns that header); the local edge may add it again.
  const headers = { Upgrade: "websocket", "Sec-WebSocket-Protocol": subprotocol };
  return problem(c, "subprotocol_required", { supported: [subprotocol] }, headers);
});

const responses = { 101: { description: `a WebSocket that speaks ${subprotocol}` }, ...problems };
const security = [{ clientCertificate: [] }];

const connect = createRoute({
  method: "get",
  path: "/v1/connect",
  description: "The connection of an agent: all of its sessions. See PROTOCOL.",
  security,
  responses,
});

const direct = createRoute({
  method: "get",
  path: "/v1/sessions/{session_id}",
  description: "A direct connection to one session of the agent. See PROTOCOL.",
  security,
  request: { params: z.object({ session_id: Uuid }) },
  responses,
});

export function upgradeRoutes(app: OpenAPIHono<App>): void {
  // Declared for the document, routed by hand: an upgrade has no body to type, and a malformed session_id is no `400` but a
  // session that does not exist, like every other that is not this agent's.
  app.openAPIRegistry.registerPath(connect);
  app.openAPIRegistry.registerPath(direct);

  app.get(connect.getRoutingPath(), identified, upgradable, (c) => {
    const { identity } = c.var;
    return agentObject(c.env, identity.account, identity.agent).fetch(
      upgradeRequest("/v1/connect", identity, subprotocol),
    );
  });

  app.get(direct.getRoutingPath(), identified, upgradable, async (c) => {
    const { identity } = c.var;
    const session = Uuid.safeParse(c.req.param("session_id"));
    if (!session.success) return problem(c, "session_unknown");
    const request = upgradeRequest(`/v1/sessions/${session.data}`, identity, subprotocol);
    const response = await sessionObject(c.env, identity.account, session.data).fetch(request);
    return response.status === 404 ? problem(c, "session_unknown") : response;
  });
}
