// Agents of an account: whether they exist, what they can do, when they came. Their making and ending is in agent-changes.ts.
// Everything is bounded to one account, and nothing here sees an agent that was deleted.
import { and, asc, eq, exists, gt, inArray, isNotNull, isNull, sql } from "drizzle-orm";
import type { Capability } from "../../protocol/wire/envelope.ts";
import { bounds } from "../bounds.ts";
import type { Database } from "../database.ts";
import { agents, capabilities, certificates, type Standing } from "../tables.ts";
import { withoutNulls } from "./capabilities.ts";

/** An agent as lists show it. `last_connected_at` is epoch milliseconds, null when it never connected. */
export interface AgentListing {
  agent: string;
  status: Standing;
  tags: string[];
  created_at: number;
  last_connected_at: number | null;
  /** Counts the changes of status and tags. */
  revision: number;
  capabilities: Capability[];
}

const listing = {
  agent: agents.id,
  status: agents.status,
  tags: agents.tags,
  created_at: agents.createdAt,
  last_connected_at: agents.lastConnectedAt,
  revision: agents.revision,
};

/** The agent of that name, as far as it was not deleted. */
const own = (account: string, agent: string) =>
  and(eq(agents.accountId, account), eq(agents.id, agent), isNull(agents.deletedAt));

/** Whether the account has this agent, suspended or not. One query. */
export async function agentExists(db: Database, account: string, agent: string): Promise<boolean> {
  const rows = await db.select({ id: agents.id }).from(agents).where(own(account, agent)).limit(1);
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
  const cursor = options.cursor ?? "";
  const found = await (options.capability === undefined
    ? db
        .select(listing)
        .from(agents)
        .where(and(eq(agents.accountId, account), gt(agents.id, cursor), isNull(agents.deletedAt)))
        .orderBy(asc(agents.id))
        .limit(limit + 1)
    : // From the capabilities: their index finds the few that can in order, where the agents' would be read to the end.
      db
        .select(listing)
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

/** One agent with what it can do. Two queries. */
export async function findAgent(db: Database, account: string, agent: string): Promise<AgentListing | undefined> {
  const [row] = await db.select(listing).from(agents).where(own(account, agent)).limit(1);
  if (row === undefined) return undefined;
  return { ...row, capabilities: (await capabilitiesOf(db, account, [agent], true)).get(agent) ?? [] };
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

/** One page of the agents that have connected at some time, deleted ones too, in the order of their names. One query. */
export async function connectedAgents(
  db: Database,
  account: string,
  { after, limit }: { after: string; limit: number },
): Promise<string[]> {
  const rows = await db
    .select({ agent: agents.id })
    .from(agents)
    .where(and(eq(agents.accountId, account), gt(agents.id, after), isNotNull(agents.lastConnectedAt)))
    .orderBy(asc(agents.id))
    .limit(limit);
  return rows.map(({ agent }) => agent);
}
