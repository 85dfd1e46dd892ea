// An agent's SQLite: the number of its newest connection, what it announced, its open sessions, the offers that wait for its
// answer, and whose turn it is where it opens sessions by capability. Written per connection and per session, never per message.
import type { Offer } from "../protocol/session/effects.ts";
import type { Capability } from "../protocol/wire/envelope.ts";
import { limits } from "../protocol/wire/limits.ts";
import { migrate, type Version } from "./migrations.ts";

const first: Version = [
  "CREATE TABLE schema (version INTEGER NOT NULL)",
  "CREATE TABLE agent (id INTEGER PRIMARY KEY CHECK (id = 0), account TEXT NOT NULL, name TEXT NOT NULL, connection INTEGER NOT NULL, capabilities TEXT NOT NULL, published INTEGER NOT NULL)",
  // `until`: when a session that never came to life is forgotten. `capability`: what this agent was asked for, as its responder.
  "CREATE TABLE sessions (session_id TEXT PRIMARY KEY, peer TEXT NOT NULL, live INTEGER NOT NULL DEFAULT 1, until INTEGER NOT NULL DEFAULT 0, capability TEXT) WITHOUT ROWID",
  "CREATE TABLE offers (session_id TEXT PRIMARY KEY, until INTEGER NOT NULL, capability TEXT, line TEXT NOT NULL) WITHOUT ROWID",
  "CREATE TABLE turns (capability TEXT PRIMARY KEY, after TEXT NOT NULL) WITHOUT ROWID",
];

const versions: readonly Version[] = [first];

interface AgentRow extends Record<string, SqlStorageValue> {
  account: string;
  name: string;
  connection: number;
  capabilities: string;
  published: number;
}

export class AgentStore {
  readonly #sql: SqlStorage;
  #exists: boolean;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#exists = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'schema'").toArray().length > 0;
    if (this.#exists) this.#migrate(sql.exec<{ version: number }>("SELECT version FROM schema").one().version);
  }

  #migrate(from: number): void {
    const version = migrate(this.#sql, from, versions);
    if (version === from) return;
    this.#sql.exec("DELETE FROM schema");
    this.#sql.exec("INSERT INTO schema VALUES (?)", version);
    this.#exists = true;
  }

  #create(): void {
    if (!this.#exists) this.#migrate(0);
  }

  #row(): AgentRow | undefined {
    return this.#exists ? this.#sql.exec<AgentRow>("SELECT * FROM agent").toArray()[0] : undefined;
  }

  /** Who this is; undefined before its first connection. */
  identity(): { account: string; agent: string } | undefined {
    const row = this.#row();
    return row && { account: row.account, agent: row.name };
  }

  /** The number of a new connection: higher than every one before it. */
  nextConnection(account: string, agent: string): number {
    this.#create();
    const { connection } = this.#sql
      .exec<{ connection: number }>(
        `INSERT INTO agent VALUES (0, ?, ?, 1, '[]', 1)
         ON CONFLICT (id) DO UPDATE SET connection = connection + 1 RETURNING connection`,
        account,
        agent,
      )
      .one();
    return connection;
  }

  capabilities(): Capability[] {
    const row = this.#row();
    return row === undefined ? [] : (JSON.parse(row.capabilities) as Capability[]);
  }

  /** Whether exactly these were announced before, and the registry has them. */
  hasCapabilities(capabilities: readonly Capability[]): boolean {
    const row = this.#row();
    return row !== undefined && row.published === 1 && row.capabilities === JSON.stringify(capabilities);
  }

  saveCapabilities(capabilities: readonly Capability[], published: boolean): void {
    this.#sql.exec("UPDATE agent SET capabilities = ?, published = ?", JSON.stringify(capabilities), Number(published));
  }

  // --- sessions: those that live, and those that are about to

  /** Those that live. */
  sessions(): { session_id: string; peer: string }[] {
    if (!this.#exists) return [];
    return this.#sql
      .exec<{ session_id: string; peer: string }>("SELECT session_id, peer FROM sessions WHERE live = 1")
      .toArray();
  }

  sessionIds(): string[] {
    if (!this.#exists) return [];
    const rows = this.#sql.exec<{ session_id: string }>("SELECT session_id FROM sessions").toArray();
    return rows.map(({ session_id }) => session_id);
  }

  hasSession(session_id: string): boolean {
    if (!this.#exists) return false;
    return this.#sql.exec("SELECT 1 FROM sessions WHERE session_id = ?", session_id).toArray().length > 0;
  }

  /** The other agent of a session on the list, where that is known. */
  peerOf(session_id: string): string | undefined {
    if (!this.#exists) return undefined;
    const row = this.#sql
      .exec<{ peer: string }>("SELECT peer FROM sessions WHERE session_id = ?", session_id)
      .toArray();
    return row[0]?.peer || undefined;
  }

  /** Whether the agent may not have one more; a session that it has already is no more. */
  isFull(session_id: string, now: number): boolean {
    if (!this.#exists || !this.#isAtLimit(session_id)) return false;
    this.#sql.exec("DELETE FROM sessions WHERE live = 0 AND until <= ?", now);
    return this.#isAtLimit(session_id);
  }

  #isAtLimit(session_id: string): boolean {
    const { open, known } = this.#sql
      .exec<{ open: number; known: number }>(
        "SELECT count(*) AS open, coalesce(sum(session_id = ?), 0) AS known FROM sessions",
        session_id,
      )
      .one();
    return known === 0 && open >= limits.openSessionsMax;
  }

  /** The agent offers it, or is about to accept it. */
  addSession(session_id: string, peer: string, now: number): void {
    this.#sql.exec(
      `INSERT OR IGNORE INTO sessions (session_id, peer, live, until, capability)
       VALUES (?, ?, 0, ?, (SELECT capability FROM offers WHERE session_id = ?))`,
      session_id,
      peer,
      now + limits.offerTtlMsMax,
      session_id,
    );
  }

  /** It is active: no offer waits any more. */
  liveSession(session_id: string, peer: string, capability: string | undefined): void {
    this.#create();
    this.#sql.exec(
      `INSERT INTO sessions (session_id, peer, live, capability) VALUES (?, ?, 1, ?)
       ON CONFLICT (session_id) DO UPDATE SET live = 1, peer = excluded.peer, capability = excluded.capability WHERE live = 0`,
      session_id,
      peer,
      capability ?? null,
    );
    this.#sql.exec("DELETE FROM offers WHERE session_id = ?", session_id);
  }

  /** It is over, or never was. */
  removeSession(session_id: string): void {
    if (!this.#exists) return;
    this.#sql.exec("DELETE FROM sessions WHERE session_id = ?", session_id);
    this.#sql.exec("DELETE FROM offers WHERE session_id = ?", session_id);
  }

  // --- offers that wait for this agent's answer

  /** Keeps it until it is answered or ends. False when too many wait already. */
  addOffer({ session_id, until, capability, line }: Offer, now: number): boolean {
    this.#create();
    this.#sql.exec("DELETE FROM offers WHERE until <= ?", now);
    const { waiting } = this.#sql
      .exec<{ waiting: number }>("SELECT count(*) AS waiting FROM offers WHERE session_id <> ?", session_id)
      .one();
    if (waiting >= limits.offersMax) return false;
    this.#sql.exec("INSERT OR IGNORE INTO offers VALUES (?, ?, ?, ?)", session_id, until, capability ?? null, line);
    return true;
  }

  /** The lines of those that still wait, the oldest first (as far as their ids tell). */
  offers(now: number): string[] {
    if (!this.#exists) return [];
    return this.#sql
      .exec<{ line: string }>("SELECT line FROM offers WHERE until > ? ORDER BY session_id", now)
      .toArray()
      .map(({ line }) => line);
  }

  /** How many sessions and offers the agent has for a capability, without that one; and how many in all. */
  engaged(capability: string, now: number, except = ""): { here: number; all: number } {
    if (!this.#exists) return { here: 0, all: 0 };
    return this.#sql
      .exec<{ here: number; all: number }>(
        `SELECT count(*) AS "all", coalesce(sum(capability = ?), 0) AS here FROM (
           SELECT session_id, capability FROM sessions WHERE live = 1 OR until > ?
           UNION ALL SELECT session_id, capability FROM offers
             WHERE until > ? AND session_id NOT IN (SELECT session_id FROM sessions)
         ) WHERE session_id <> ?`,
        capability,
        now,
        now,
        except,
      )
      .one();
  }

  // --- turns: after whom the next search for a capability begins

  turn(capability: string): string {
    if (!this.#exists) return "";
    const row = this.#sql.exec<{ after: string }>("SELECT after FROM turns WHERE capability = ?", capability).toArray();
    return row[0]?.after ?? "";
  }

  saveTurn(capability: string, after: string): void {
    this.#sql.exec("INSERT OR REPLACE INTO turns VALUES (?, ?)", capability, after);
  }
}
