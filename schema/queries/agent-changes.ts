// Agents made, changed and deleted, each logged in the batch of the change. Closing live sockets is the caller's part.
import { and, eq, isNotNull, isNull, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { accounts, agents, capabilities, certificates, type Standing } from "../tables.ts";
import { defined, verbs } from "./accounts.ts";
import { type Author, audited } from "./audit.ts";
import { notedForIssuer } from "./issuer-revocations.ts";

/**
 * Makes an agent, or makes one anew that was deleted. One batch.
 * @returns `exists`: there is one of that name; `account_unknown`: there is no such account
 */
export async function createAgent(
  db: Database,
  account: string,
  agent: string,
  tags: string[],
  author: Author,
): Promise<"created" | "exists" | "account_unknown"> {
  const named = and(eq(agents.accountId, account), eq(agents.id, agent));
  const known = sql`exists (select 1 from ${accounts} where ${eq(accounts.id, account)})`;
  const free = sql`not exists (select 1 from ${agents} where ${and(named, isNull(agents.deletedAt))})`;
  const list = JSON.stringify(tags);
  const [, made, account_] = await db.batch([
    audited(
      db,
      author,
      { account, action: "agent.create", target: agent, detail: { tags } },
      sql`${known} and ${free}`,
    ),
    db
      .insert(agents)
      // The order of the columns is that of the table, which Drizzle names before the select.
      .select(sql`select ${account}, ${agent}, 'active', ${author.at}, null, ${list}, 1, null where ${known}`)
      .onConflictDoUpdate({
        target: [agents.accountId, agents.id],
        set: { ...revived, tags, createdAt: author.at, revision: sql`${agents.revision} + 1` },
        setWhere: isNotNull(agents.deletedAt),
      })
      .returning({ id: agents.id }),
    db.select({ id: accounts.id }).from(accounts).where(eq(accounts.id, account)).limit(1),
  ]);
  if (made.length > 0) return "created";
  return account_.length > 0 ? "exists" : "account_unknown";
}

/** What makes an agent of one that was deleted. */
export const revived = { status: "active", deletedAt: null } as const;

/** What of an agent may be changed. */
export interface AgentChange {
  status?: Standing | undefined;
  tags?: string[] | undefined;
}

/** An agent after a change of it. */
export interface ChangedAgent {
  status: Standing;
  tags: string[];
  revision: number;
}

/**
 * Suspends an agent, makes it active again, or changes its tags. One batch. What changes nothing is not logged, and keeps the revision.
 * @param revision changes only that revision; left out, any
 * @returns the agent as it is now, or undefined when the account has none of that name, or not in that revision
 */
export async function changeAgent(
  db: Database,
  account: string,
  agent: string,
  change: AgentChange,
  revision: number | undefined,
  author: Author,
): Promise<ChangedAgent | undefined> {
  const own = and(
    eq(agents.accountId, account),
    eq(agents.id, agent),
    isNull(agents.deletedAt),
    revision === undefined ? undefined : eq(agents.revision, revision),
  );
  const status = change.status ?? null;
  const tags = change.tags === undefined ? null : JSON.stringify(change.tags);
  const differs = sql`(${agents.status}, ${agents.tags}) is not (coalesce(${status}, ${agents.status}), coalesce(${tags}, ${agents.tags}))`;
  const there = sql`exists (select 1 from ${agents} where ${and(own, differs)})`;
  const action = change.status === undefined ? "agent.tag" : `agent.${verbs[change.status]}`;
  const { status: _, ...detail } = defined(change);
  const [, changed] = await db.batch([
    audited(db, author, { account, action, target: agent, ...(change.tags && { detail }) }, there),
    db
      .update(agents)
      .set({ ...defined(change), revision: sql`${agents.revision} + (${differs})` })
      .where(own)
      .returning({ status: agents.status, tags: agents.tags, revision: agents.revision }),
  ]);
  return changed[0];
}

/** Suspends an agent, or makes it active again: `changeAgent`, whatever the revision. */
export async function setAgentStatus(
  db: Database,
  account: string,
  agent: string,
  status: Standing,
  author: Author,
): Promise<boolean> {
  return (await changeAgent(db, account, agent, { status }, undefined, author)) !== undefined;
}

/**
 * Deletes an agent: it is in no list, its certificates are revoked for ever, what it announced is gone. Its sessions stay as they
 * are, until they end. Telling the issuer what is noted for it is the caller's part. One batch.
 * @returns false when the account has no such agent
 */
export async function deleteAgent(db: Database, account: string, agent: string, author: Author): Promise<boolean> {
  const own = and(eq(agents.accountId, account), eq(agents.id, agent), isNull(agents.deletedAt));
  const there = sql`exists (select 1 from ${agents} where ${own})`;
  const its = and(eq(certificates.accountId, account), eq(certificates.agentId, agent), there);
  const [, , , , deleted] = await db.batch([
    audited(db, author, { account, action: "agent.delete", target: agent }, there),
    notedForIssuer(db, its, author.at),
    db
      .update(certificates)
      .set({ status: "revoked", revokedAt: author.at })
      .where(and(its, eq(certificates.status, "active"))),
    db.delete(capabilities).where(and(eq(capabilities.accountId, account), eq(capabilities.agentId, agent), there)),
    db
      .update(agents)
      .set({ status: "suspended", deletedAt: author.at, tags: [], revision: sql`${agents.revision} + 1` })
      .where(own)
      .returning({ id: agents.id }),
  ]);
  return deleted.length > 0;
}
