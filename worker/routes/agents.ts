// Agents of an account: made, looked at, changed, sent to connect anew, deleted.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import { closeCodes } from "../../protocol/wire/errors.ts";
import { AgentId } from "../../protocol/wire/ids.ts";
import { DrainedAgent, ListAgentsQuery } from "../../schema/http.ts";
import { Agent, AgentPage, ChangeAgent, ChangedAgent, CreateAgent, DeletedAgent } from "../../schema/http-accounts.ts";
import {
  type AgentListing,
  agentExists,
  changeAgent,
  createAgent,
  deleteAgent,
  findAgent,
  listAgents,
} from "../../schema/registry.ts";
import { tellIssuer } from "../certificates/revocations.ts";
import type { App, Env } from "../env.ts";
import { etagOf, wantedRevision } from "../etag.ts";
import { authorOf } from "../identity/middleware.ts";
import { agentObject, isConnected } from "../objects.ts";
import { problem } from "../problem.ts";
import { body, json } from "./responses.ts";
import { guardedRoute } from "./route.ts";
import { time, timeOrNull } from "./times.ts";

const params = z.object({ agent_id: AgentId });

const create = guardedRoute({
  method: "post",
  path: "/v1/agents",
  description:
    "Makes an agent. It can connect once it has a certificate. One that was deleted can be made anew; its old certificates stay revoked.",
  access: { permission: "agents:write" },
  request: { body: body(CreateAgent) },
  tagged: true,
  refuses: ["agent_exists"],
  responses: { 201: json(Agent, "the agent") },
});

const show = guardedRoute({
  method: "get",
  path: "/v1/agents/{agent_id}",
  description: "One agent of the account.",
  access: { permission: "agents:read", agents: true },
  request: { params },
  tagged: true,
  refuses: ["agent_not_found"],
  responses: { 200: json(Agent, "the agent") },
});

const remove = guardedRoute({
  method: "delete",
  path: "/v1/agents/{agent_id}",
  description:
    "Deletes an agent: closes its live sockets (4403), revokes its certificates for ever. Its sessions stay until they end.",
  access: { permission: "agents:write" },
  request: { params },
  refuses: ["agent_not_found"],
  responses: { 200: json(DeletedAgent, "it is deleted") },
});

const list = guardedRoute({
  method: "get",
  path: "/v1/agents",
  description: "The agents of the account, in the order of their names.",
  access: { permission: "agents:read", agents: true },
  request: { query: ListAgentsQuery },
  responses: { 200: json(AgentPage, "one page of agents") },
});

const change = guardedRoute({
  method: "patch",
  path: "/v1/agents/{agent_id}",
  description: "Suspends an agent and closes its live sockets (4403), makes it active again, or changes its tags.",
  access: { permission: "agents:write" },
  request: {
    params,
    body: body(ChangeAgent),
  },
  tagged: true,
  refuses: ["agent_not_found"],
  responses: { 200: json(ChangedAgent, "the agent as it is now") },
});

const drain = guardedRoute({
  method: "post",
  path: "/v1/agents/{agent_id}/drain",
  description: "Sends an agent to connect anew, as before a deploy: GOAWAY, then its sockets are closed (4503).",
  access: { permission: "agents:write" },
  request: { params },
  refuses: ["agent_not_found"],
  responses: { 200: json(DrainedAgent, "how many connections were closed") },
});

/** As the API shows it, and whether it is there now. */
async function shown(env: Env, account: string, listing: AgentListing): Promise<z.infer<typeof Agent>> {
  const { last_connected_at: at, created_at, revision: _, ...agent } = listing;
  return {
    ...agent,
    created_at: time(created_at),
    last_connected_at: timeOrNull(at),
    // Asking makes the object: one that never connected has none, and needs none.
    connected: at !== null && (await isConnected(env, account, agent.agent)),
  };
}

export function agentRoutes(app: OpenAPIHono<App>): void {
  app.openapi(list, async (c) => {
    const { account } = c.var.principal;
    const page = await listAgents(drizzle(c.env.DB), account, c.req.valid("query"));
    const agents = await Promise.all(page.agents.map((agent) => shown(c.env, account, agent)));
    return c.json({ ...page, agents }, 200);
  });

  app.openapi(create, async (c) => {
    const { account } = c.var.principal;
    const { agent_id: agent, tags } = c.req.valid("json");
    const db = drizzle(c.env.DB);
    const outcome = await createAgent(db, account, agent, tags, authorOf(c));
    if (outcome === "account_unknown") return problem(c, "account_not_found");
    const made = outcome === "created" ? await findAgent(db, account, agent) : undefined;
    if (made === undefined) return problem(c, "agent_exists");
    return c.json(await shown(c.env, account, made), 201, etagOf(made.revision));
  });

  app.openapi(show, async (c) => {
    const { account } = c.var.principal;
    const agent = await findAgent(drizzle(c.env.DB), account, c.req.valid("param").agent_id);
    if (agent === undefined) return problem(c, "agent_not_found");
    return c.json(await shown(c.env, account, agent), 200, etagOf(agent.revision));
  });

  app.openapi(change, async (c) => {
    const { agent_id: agent } = c.req.valid("param");
    const { account } = c.var.principal;
    const wanted = c.req.valid("json");
    const db = drizzle(c.env.DB);
    const changed = await changeAgent(db, account, agent, wanted, wantedRevision(c), authorOf(c));
    if (changed === undefined) {
      return problem(c, (await agentExists(db, account, agent)) ? "precondition_failed" : "agent_not_found");
    }
    // First the registry, then the sockets: who reconnects in between is refused.
    const closed =
      wanted.status === "suspended"
        ? await agentObject(c.env, account, agent).disconnect(closeCodes.revoked, "agent_suspended")
        : 0;
    const { revision, ...now } = changed;
    return c.json({ account, agent_id: agent, ...now, closed }, 200, etagOf(revision));
  });

  app.openapi(remove, async (c) => {
    const { agent_id: agent } = c.req.valid("param");
    const { account } = c.var.principal;
    if (!(await deleteAgent(drizzle(c.env.DB), account, agent, authorOf(c)))) return problem(c, "agent_not_found");
    const closed = await agentObject(c.env, account, agent).disconnect(closeCodes.revoked, "agent_deleted");
    c.executionCtx.waitUntil(tellIssuer(c.env));
    return c.json({ account, agent_id: agent, status: "deleted" as const, closed }, 200);
  });

  app.openapi(drain, async (c) => {
    const { agent_id: agent } = c.req.valid("param");
    const { account } = c.var.principal;
    if (!(await agentExists(drizzle(c.env.DB), account, agent))) return problem(c, "agent_not_found");
    const closed = await agentObject(c.env, account, agent).drain();
    return c.json({ account, agent_id: agent, closed }, 200);
  });
}
