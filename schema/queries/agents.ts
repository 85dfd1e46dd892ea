// Agents of an account: whether they exist, what they can do, when they came, whether they may. Everything is bounded to one account.
import { and, asc, eq, exists, gt, inArray, ne, sql } from "drizzle-orm";
import type { Capability } from "../../protocol/wire/envelope.ts";
import { bounds } from "../bounds.ts";
import type { Database } from "../database.ts";
import { agents, capabilities, certificates, type Standing } from "../tables.ts";
import { type Author, audited } from "./audit.ts";
import { withoutNulls } from "./capabilities.ts";

/** An agent as lists show it. `last_connected_at` is epoch milliseconds, null when it never connected. */
export interface AgentListing {
  agent: string;
  status: Standing;
  last_connected_at: number | null;
  capabilities: Capability[];
}

/** Whether the account has this agent, suspended or not. One query. */
export async function agentExists(db: Database, account: string, agent: string): Promise<boolean> {
  const rows = await db
    .select({ id: agents.id })
    .from(agents)
    .where(and(eq(agents.accountId, account), eq(agents.id, agent)))
    .limit(1);
  return rows.length > 0;
}

/**
 * Notes that the agent is connected now. One query.
 * @param fingerprint the certificate it came with. Given it, the answer closes the gap between the Worker's check and the
 *   moment at which a revocation looks for live sockets: ask after the socket is accepted, and close it (4403) on `false`.
 * @returns false when the agent is unknown or suspended, or the certificate is not active any more: nothing was noted.
 */
export async function touchConnected(
  db: Database,
  account: string,
  agent: string,
  nowMs: number,
  fingerprint?: string,
): Promise<boolean> {
  const certificate =
    fingerprint === undefined
      ? undefined
      : exists(
          db
            .select({ one: sql`1` })
            .from(certificates)
            .where(
              and(
                eq(certificates.fingerprint, fingerprint),
                eq(certificates.accountId, account),
                eq(certificates.agentId, agent),
                eq(certificates.status, "active"),
              ),
            ),
        );
  const touched = await db
    .update(agents)
    .set({ lastConnectedAt: nowMs })
    .where(and(eq(agents.accountId, account), eq(agents.id, agent), eq(agents.status, "active"), certificate))
    .returning({ id: agents.id });
  return touched.length > 0;
}

/**
 * Suspends an agent, or makes it active again, and logs it. Closing its live sockets is the caller's part. One batch.
 * @returns false when the account has no such agent.
 */
export async function setAgentStatus(
  db: Database,
  account: string,
  agent: string,
  status: Standing,
  author: Author,
): Promise<boolean> {
  const own = and(eq(agents.accountId, account), eq(agents.id, agent));
  const otherwise = sql`exists (select 1 from ${agents} where ${own} and ${ne(agents.status, status)})`;
  const action = status === "active" ? "agent.activate" : "agent.suspend";
  const [, changed] = await db.batch([
    // First: afterwards it has that status in any case, and a repetition is no change.
    audited(db, author, { account, action, target: agent }, otherwise),
    db.update(agents).set({ status }).where(own).returning({ id: agents.id }),
  ]);
  return changed.length > 0;
}

/**
 * One page of an account's agents in the order of their names. Two queries, whatever the page holds.
 * @param options.capability only agents that announced it
 * @param options.limit 1–50; more is cut to 50
 * @param options.cursor `next` of the page before
 * @param options.schemas false leaves `input_schema` and `output_schema` out: they may be 256 KiB for each agent
 * @returns the page, and `next` when there is more
 */
export async function listAgents(
  db: Database,
  account: string,
  options: { capability?: string | undefined; limit: number; cursor?: string | undefined; schemas?: boolean },
): Promise<{ agents: AgentListing[]; next?: string }> {
  const limit = Math.max(1, Math.min(Math.trunc(options.limit), bounds.agentsPageMax));
  const columns = { agent: agents.id, status: agents.status, last_connected_at: agents.lastConnectedAt };
  const cursor = options.cursor ?? "";
  const found = await (options.capability === undefined
    ? db
        .select(columns)
        .from(agents)
        .where(and(eq(agents.accountId, account), gt(agents.id, cursor)))
        .orderBy(asc(agents.id))
        .limit(limit + 1)
    : // From the capabilities: their index finds the few that can in order, where the agents' would be read to the end.
      db
        .select(columns)
        .from(capabilities)
        .innerJoin(agents, and(eq(agents.accountId, capabilities.accountId), eq(agents.id, capabilities.agentId)))
        .where(
          and(
            eq(capabilities.accountId, account),
            eq(capabilities.name, options.capability),
            gt(capabilities.agentId, cursor),
          ),
        )
        .orderBy(asc(capabilities.agentId))
        .limit(limit + 1));
  const page = found.slice(0, limit);
  if (page.length === 0) return { agents: [] };

  const offered = await capabilitiesOf(
    db,
    account,
    page.map((row) => row.agent),
    options.schemas ?? true,
  );
  const listed = page.map((row) => ({ ...row, capabilities: offered.get(row.agent) ?? [] }));
  const last = page.at(-1);
  return found.length > limit && last !== undefined ? { agents: listed, next: last.agent } : { agents: listed };
}

async function capabilitiesOf(
  db: Database,
  account: string,
  names: string[],
  schemas: boolean,
): Promise<Map<string, Capability[]>> {
  const none = sql<null>`null`;
  const rows = await db
    .select({
      agent: capabilities.agentId,
      name: capabilities.name,
      version: capabilities.version,
      description: capabilities.description,
      input_schema: schemas ? capabilities.inputSchema : none,
      output_schema: schemas ? capabilities.outputSchema : none,
      max_concurrency: capabilities.maxConcurrency,
    })
    .from(capabilities)
    .where(and(eq(capabilities.accountId, account), inArray(capabilities.agentId, names)))
    .orderBy(asc(capabilities.agentId), asc(capabilities.name));
  const byAgent = new Map<string, Capability[]>();
  for (const { agent, ...row } of rows) {
    const list = byAgent.get(agent) ?? [];
    list.push(withoutNulls(row));
    byAgent.set(agent, list);
  }
  return byAgent;
}
