// The two WebSocket routes. Identity first, so that a stranger learns nothing from later refusals; then the subprotocol; then
// the object, which answers 101, or 404 where this agent has no such session. Without an upgrade, a session is only looked at.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import { isUuid, Uuid } from "../../protocol/wire/ids.ts";
import { Session } from "../../schema/http.ts";
import type { App } from "../env.ts";
import { guarded, identified } from "../identity/middleware.ts";
import { agentObject, sessionObject, upgradeRequest } from "../objects.ts";
import { problem } from "../problem.ts";
import { guardRefusals, identityRefusals } from "./description.ts";
import { json } from "./responses.ts";
import { describedRoute, securityOf } from "./route.ts";
import { showSession } from "./sessions.ts";

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

const access = { permission: "sessions:read", agents: true } as const;
const guard = guarded(access);

/** The same path for people: whoever asks for no upgrade at all is shown the session, as by any other route of the API. */
const unlessUpgrade = createMiddleware<App>(async (c, next) => {
  if (c.req.raw.headers.has("Upgrade")) return next();
  let shown: Response | undefined;
  const refused = await guard(c, async () => {
    shown = await showSession(c, c.req.param("session_id") ?? "");
  });
  return refused ?? shown;
});

const responses = { 101: { description: `a WebSocket that speaks ${subprotocol}` } };

const connect = describedRoute(
  {
    method: "get",
    path: "/v1/connect",
    description: "The connection of an agent: all of its sessions. See PROTOCOL.",
    security: [{ clientCertificate: [] }],
    refuses: ["subprotocol_required"],
    responses,
  },
  identityRefusals,
);

const direct = describedRoute(
  {
    method: "get",
    path: "/v1/sessions/{session_id}",
    description:
      "A session: its state, as exactly as the session itself knows it. With an `Upgrade`, an agent's direct connection to it: see PROTOCOL.",
    ...securityOf(access),
    request: { params: z.object({ session_id: Uuid }) },
    refuses: ["session_unknown", "subprotocol_required"],
    responses: { 200: json(Session, "the session, where no `Upgrade` was asked for"), ...responses },
  },
  [...guardRefusals, ...identityRefusals],
  { account: true },
);

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

  app.get(direct.getRoutingPath(), unlessUpgrade, identified, upgradable, async (c) => {
    const { identity } = c.var;
    const session_id = c.req.param("session_id");
    if (!isUuid(session_id)) return problem(c, "session_unknown");
    const request = upgradeRequest(`/v1/sessions/${session_id}`, identity, subprotocol);
    const response = await sessionObject(c.env, identity.account, session_id).fetch(request);
    return response.status === 404 ? problem(c, "session_unknown") : response;
  });
}
