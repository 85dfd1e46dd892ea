// The policy of an account, and what its rules go by. Judging is schema/policy.ts.
import { and, eq, isNull, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import type { Party, Rule } from "../policy.ts";
import { accounts, agents, capabilities, policies } from "../tables.ts";
import { type Author, audited } from "./audit.ts";

/** The rules in their order; revision 0: nobody ever wrote any. */
export interface PolicyListing {
  rules: Rule[];
  revision: number;
}

/** One query. Undefined: there is no such account. */
export async function findPolicy(db: Database, account: string): Promise<PolicyListing | undefined> {
  const [row] = await db
    .select({ rules: policies.rules, revision: policies.revision })
    .from(accounts)
    .leftJoin(policies, eq(policies.accountId, accounts.id))
    .where(eq(accounts.id, account))
    .limit(1);
  return row && { rules: row.rules ?? [], revision: row.revision ?? 0 };
}

/**
 * Replaces the rules. One batch.
 * @param revision replaces only that revision; left out, any
 * @returns the new revision; undefined when there is no such account, or not that revision
 */
export async function savePolicy(
  db: Database,
  account: string,
  rules: Rule[],
  revision: number | undefined,
  author: Author,
): Promise<number | undefined> {
  const present = sql`coalesce((select ${policies.revision} from ${policies} where ${eq(policies.accountId, account)}), 0)`;
  const known = sql`exists (select 1 from ${accounts} where ${eq(accounts.id, account)})`;
  const may = revision === undefined ? known : sql`${known} and ${present} = ${revision}`;
  const [, saved] = await db.batch([
    audited(db, author, { account, action: "policy.replace", target: account, detail: { rules } }, may),
    db
      .insert(policies)
      // The order of the columns is that of the table.
      .select(sql`select ${account}, ${JSON.stringify(rules)}, 1, ${author.at} where ${may}`)
      .onConflictDoUpdate({
        target: policies.accountId,
        set: { rules, revision: sql`${policies.revision} + 1`, updatedAt: author.at },
      })
      .returning({ revision: policies.revision }),
  ]);
  return saved[0]?.revision;
}

const noTags: readonly string[] = [];

/** Agents as the rules see them; one that is not there has no tags and can nothing. */
export interface Judged {
  rules: Rule[];
  parties: Party[];
}

/**
 * The rules of an account, and the agents that they are to judge. ONE query, whatever their number: it is what opening a session
 * costs. Without rules the agents are not looked at.
 * @param names at most 90
 */
export async function findParties(db: Database, account: string, names: readonly string[]): Promise<Judged> {
  const announced = db
    .select({ names: sql<string>`json_group_array(${capabilities.name})` })
    .from(capabilities)
    .where(and(eq(capabilities.accountId, agents.accountId), eq(capabilities.agentId, agents.id)));
  const rows = await db
    .select({ rules: policies.rules, agent: agents.id, tags: agents.tags, capabilities: sql<string>`(${announced})` })
    .from(policies)
    .leftJoin(
      agents,
      and(
        eq(agents.accountId, policies.accountId),
        isNull(agents.deletedAt),
        sql`${agents.id} in (select value from json_each(${JSON.stringify(names)}))`,
        sql`${policies.rules} <> '[]'`,
      ),
    )
    .where(eq(policies.accountId, account));
  const found = new Map(rows.map((row) => [row.agent, row]));
  const parties = names.map((agent) => {
    const row = found.get(agent);
    return {
      agent,
      tags: row?.tags ?? noTags,
      capabilities: JSON.parse(row?.capabilities ?? "[]") as string[],
    };
  });
  return { rules: rows[0]?.rules ?? [], parties };
}
