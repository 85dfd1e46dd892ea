// What an agent announced it can do. An announcement replaces the one before it as a whole; equal ones write no row.
import { and, asc, eq, gt, isNotNull, lte, ne, type SQL, sql } from "drizzle-orm";
import type { Capability } from "../../protocol/wire/envelope.ts";
import { bounds } from "../bounds.ts";
import type { Database } from "../database.ts";
import { agents, capabilities } from "../tables.ts";

/**
 * Makes these the capabilities of the agent: all or nothing, in one batch of two statements, however many there are.
 * The list travels as one JSON parameter (D1 binds at most 100), and a row that is equal is not written: agents announce
 * the same list at every connect, and rows written are the bill. Of equal names the last one counts.
 * @throws when the agent is not in the registry (foreign key).
 */
export async function replaceCapabilities(
  db: Database,
  account: string,
  agent: string,
  announced: readonly Capability[],
): Promise<void> {
  const list = JSON.stringify(announced);
  const gone = db
    .delete(capabilities)
    .where(
      and(
        eq(capabilities.accountId, account),
        eq(capabilities.agentId, agent),
        sql`${capabilities.name} not in (select value ->> '$.name' from json_each(${list}))`,
      ),
    );
  const written = db
    .insert(capabilities)
    // The order of the columns is that of the table, which Drizzle names before the select. `->` keeps JSON as its text;
    // `where true` tells SQLite's parser that the ON CONFLICT after it is the insert's.
    .select(
      sql`select ${account}, ${agent}, value ->> '$.name', value ->> '$.version', value ->> '$.description',
        value -> '$.input_schema', value -> '$.output_schema', value ->> '$.max_concurrency'
        from json_each(${list}) where true`,
    )
    .onConflictDoUpdate({
      target: [capabilities.accountId, capabilities.agentId, capabilities.name],
      set: {
        version: sql`excluded.version`,
        description: sql`excluded.description`,
        inputSchema: sql`excluded.input_schema`,
        outputSchema: sql`excluded.output_schema`,
        maxConcurrency: sql`excluded.max_concurrency`,
      },
      setWhere: sql`(${capabilities.version}, ${capabilities.description}, ${capabilities.inputSchema}, ${capabilities.outputSchema}, ${capabilities.maxConcurrency})
        is not (excluded.version, excluded.description, excluded.input_schema, excluded.output_schema, excluded.max_concurrency)`,
    });
  await db.batch([gone, written]);
}

/**
 * The agents that announced a capability, are active, and have connected at some time: in the order of their names from
 * `after` on, then from the beginning. One query, or two where it begins again.
 * @param options.after names after this one come first
 * @param options.except is left out
 */
export async function findCapable(
  db: Database,
  account: string,
  capability: string,
  { after, except, limit }: { after: string; except: string; limit: number },
): Promise<string[]> {
  const part = async (range: SQL, most: number) => {
    const rows = await db
      .select({ agent: capabilities.agentId })
      .from(capabilities)
      .innerJoin(agents, and(eq(agents.accountId, capabilities.accountId), eq(agents.id, capabilities.agentId)))
      .where(
        and(
          eq(capabilities.accountId, account),
          eq(capabilities.name, capability),
          range,
          ne(capabilities.agentId, except),
          eq(agents.status, "active"),
          isNotNull(agents.lastConnectedAt),
        ),
      )
      .orderBy(asc(capabilities.agentId))
      .limit(most);
    return rows.map(({ agent }) => agent);
  };
  const later = await part(gt(capabilities.agentId, after), limit);
  if (after === "" || later.length === limit) return later;
  return [...later, ...(await part(lte(capabilities.agentId, after), limit - later.length))];
}

/** A capability, and who of the account offers it. */
export interface CapabilityListing {
  name: string;
  /** How many active agents announced it. */
  agents: number;
  /** The versions that they said, in the order of text. */
  versions: string[];
}

/**
 * One page of what the active agents of an account announced, in the order of names. One query.
 * @param options.limit 1–100; more is cut to 100
 * @param options.cursor `next` of the page before
 */
export async function listCapabilities(
  db: Database,
  account: string,
  options: { limit: number; cursor?: string | undefined },
): Promise<{ capabilities: CapabilityListing[]; next?: string }> {
  const limit = Math.max(1, Math.min(Math.trunc(options.limit), bounds.capabilitiesPageMax));
  const found = await db
    .select({
      name: capabilities.name,
      agents: sql<number>`count(*)`,
      versions: sql<string>`json_group_array(distinct ${capabilities.version}) filter (where ${capabilities.version} is not null)`,
    })
    .from(capabilities)
    .innerJoin(agents, and(eq(agents.accountId, capabilities.accountId), eq(agents.id, capabilities.agentId)))
    .where(
      and(
        eq(capabilities.accountId, account),
        eq(agents.status, "active"),
        gt(capabilities.name, options.cursor ?? ""),
      ),
    )
    .groupBy(capabilities.name)
    .orderBy(asc(capabilities.name))
    .limit(limit + 1);
  const page = found.slice(0, limit).map(({ versions, ...row }) => ({
    ...row,
    versions: (JSON.parse(versions) as string[]).sort(),
  }));
  const last = page.at(-1);
  return found.length > limit && last !== undefined ? { capabilities: page, next: last.name } : { capabilities: page };
}

/** What it announced beside the name is null where it said nothing. */
type Row = Pick<Capability, "name"> & {
  [K in Exclude<keyof Capability, "name">]-?: Exclude<Capability[K], undefined> | null;
};

/** A row of SQL as the wire has it: what is null was not said. */
export function withoutNulls(row: Row): Capability {
  const { name, version, description, input_schema, output_schema, max_concurrency } = row;
  return {
    name,
    ...(version !== null && { version }),
    ...(description !== null && { description }),
    ...(input_schema !== null && { input_schema }),
    ...(output_schema !== null && { output_schema }),
    ...(max_concurrency !== null && { max_concurrency }),
  };
}
