// An agent's SQLite: the number of its newest connection, what it announced, its open sessions. Written per connection and per
// session, never per message.
import type { Capability } from "../protocol/wire/envelope.ts";
import { limits } from "../protocol/wire/limits.ts";

const tables = [
  "CREATE TABLE IF NOT EXISTS agent (id INTEGER PRIMARY KEY CHECK (id = 0), account TEXT NOT NULL, name TEXT NOT NULL, connection INTEGER NOT NULL, capabilities TEXT NOT NULL, published INTEGER NOT NULL)",
  "CREATE TABLE IF NOT EXISTS sessions (session_id TEXT PRIMARY KEY, peer TEXT NOT NULL) WITHOUT ROWID",
];

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
    this.#exists = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'agent'").toArray().length > 0;
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
    if (!this.#exists) for (const table of tables) this.#sql.exec(table);
    this.#exists = true;
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

  // --- open sessions

  sessions(): { session_id: string; peer: string }[] {
    if (!this.#exists) return [];
    return this.#sql.exec<{ session_id: string; peer: string }>("SELECT session_id, peer FROM sessions").toArray();
  }

  /** Whether the agent may not have one more; a session that it has already is no more. */
  isFull(session_id: string): boolean {
    if (!this.#exists) return false;
    const { open, known } = this.#sql
      .exec<{ open: number; known: number }>(
        "SELECT count(*) AS open, coalesce(sum(session_id = ?), 0) AS known FROM sessions",
        session_id,
      )
      .one();
    return known === 0 && open >= limits.openSessionsMax;
  }

  addSession(session_id: string, peer: string): void {
    if (this.#exists) this.#sql.exec("INSERT OR IGNORE INTO sessions VALUES (?, ?)", session_id, peer);
  }

  removeSession(session_id: string): void {
    if (this.#exists) this.#sql.exec("DELETE FROM sessions WHERE session_id = ?", session_id);
  }
}
