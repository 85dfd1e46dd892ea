// Agents of an account: who there is, suspending one, sending one to connect anew.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import { closeCodes } from "../../protocol/wire/errors.ts";
import { AgentId } from "../../protocol/wire/ids.ts";
import { AgentPage, ChangeAgent, ChangedAgent, DrainedAgent, ListAgentsQuery } from "../../schema/http.ts";
import { agentExists, listAgents, setAgentStatus } from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { authorOf } from "../identity/middleware.ts";
import { agentObject, isConnected } from "../objects.ts";
import { problem } from "../problem.ts";
import { json, problems } from "./responses.ts";
import { guardedRoute } from "./route.ts";
import { timeOrNull } from "./times.ts";

const list = guardedRoute({
  method: "get",
  path: "/v1/agents",
  description: "The agents of the account, in the order of their names.",
  access: { permission: "agents:read", agents: true },
  request: { query: ListAgentsQuery },
  responses: { 200: json(AgentPage, "one page of agents"), ...problems },
});

const change = guardedRoute({
  method: "patch",
  path: "/v1/agents/{agent_id}",
  description: "Suspends an agent and closes its live sockets (4403), or makes it active again.",
  access: { permission: "agents:write" },
  request: {
    params: z.object({ agent_id: AgentId }),
    body: { required: true, content: { "application/json": { schema: ChangeAgent } } },
  },
  responses: { 200: json(ChangedAgent, "the agent as it is now"), ...problems },
});

const drain = guardedRoute({
  method: "post",
  path: "/v1/agents/{agent_id}/drain",
  description: "Sends an agent to connect anew, as before a deploy: GOAWAY, then its sockets are closed (4503).",
  access: { permission: "agents:write" },
  request: { params: z.object({ agent_id: AgentId }) },
  responses: { 200: json(DrainedAgent, "how many connections were closed"), ...problems },
});

export function agentRoutes(app: OpenAPIHono<App>): void {
  app.openapi(list, async (c) => {
    const { account } = c.var.principal;
    const page = await listAgents(drizzle(c.env.DB), account, c.req.valid("query"));
    const agents = await Promise.all(
      page.agents.map(async ({ last_connected_at: at, ...agent }) => ({
        ...agent,
        last_connected_at: timeOrNull(at),
        // Asking makes the object: one that never connected has none, and needs none.
        connected: at !== null && (await isConnected(c.env, account, agent.agent)),
      })),
    );
    return c.json({ ...page, agents }, 200);
  });

  app.openapi(change, async (c) => {
    const { agent_id: agent } = c.req.valid("param");
    const { account } = c.var.principal;
    const { status } = c.req.valid("json");
    if (!(await setAgentStatus(drizzle(c.env.DB), account, agent, status, authorOf(c))))
      return problem(c, "agent_not_found");
    // First the registry, then the sockets: who reconnects in between is refused.
    const closed =
      status === "suspended"
        ? await agentObject(c.env, account, agent).disconnect(closeCodes.revoked, "agent_suspended")
        : 0;
    return c.json({ account, agent_id: agent, status, closed }, 200);
  });

  app.openapi(drain, async (c) => {
    const { agent_id: agent } = c.req.valid("param");
    const { account } = c.var.principal;
    if (!(await agentExists(drizzle(c.env.DB), account, agent))) return problem(c, "agent_not_found");
    const closed = await agentObject(c.env, account, agent).drain();
    return c.json({ account, agent_id: agent, closed }, 200);
  });
}
