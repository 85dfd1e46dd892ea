// A session's SQLite: one row per inbound frame in a ring of slots, one row for the record, one per task. Nothing here decides
// anything; it writes what the core says and reads it back. Rows written are the bill: no index, no delete on the usual path.
import type { Cursors, Row, RowMeta, Saved, SessionRecord } from "../protocol/session/effects.ts";
import type { Slotted } from "../protocol/session/ring.ts";
import type { Side, TaskRecord, TaskState, TaskTable } from "../protocol/session/tasks.ts";
import { packFrames } from "../protocol/wire/codec.ts";
import { limits } from "../protocol/wire/limits.ts";
import { migrate, type Version } from "./migrations.ts";

/** Its number is stored with every session, so that a later one can migrate what it finds. */
const first: Version = [
  "CREATE TABLE session (id INTEGER PRIMARY KEY CHECK (id = 0), schema_version INTEGER NOT NULL, account TEXT NOT NULL, record TEXT NOT NULL)",
  "CREATE TABLE cursors (id INTEGER PRIMARY KEY CHECK (id = 0), cursors TEXT NOT NULL)",
  // `body` is last: reading the columns before it does not touch its pages.
  "CREATE TABLE ring (slot INTEGER PRIMARY KEY, row INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, origin INTEGER NOT NULL, bytes INTEGER NOT NULL, at INTEGER NOT NULL, cursors TEXT NOT NULL, body TEXT NOT NULL)",
  "CREATE TABLE tasks (task_id TEXT PRIMARY KEY, requester INTEGER NOT NULL, state TEXT NOT NULL, digest TEXT NOT NULL, due_at INTEGER, seq INTEGER, request TEXT, response TEXT) WITHOUT ROWID",
];

const versions: readonly Version[] = [first];

/** Where the slots of a direction begin. */
const slotsFrom = (stream: Side) => stream * limits.ringRowsMax;
const slotsOf = (stream: Side): [number, number] => [slotsFrom(stream), slotsFrom(stream) + limits.ringRowsMax];

export class SessionStore implements TaskTable {
  readonly #sql: SqlStorage;
  #exists: boolean;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#exists = this.#has("session");
    if (this.#exists) this.#migrate();
  }

  #migrate(): void {
    const row = this.#sql.exec<{ schema_version: number }>("SELECT schema_version FROM session").toArray()[0];
    const from = row?.schema_version ?? versions.length;
    const version = migrate(this.#sql, from, versions);
    if (version !== from) this.#sql.exec("UPDATE session SET schema_version = ?", version);
  }

  /** The account that the session belongs to, once there is a session. */
  get account(): string | undefined {
    if (!this.#exists) return undefined;
    return this.#sql.exec<{ account: string }>("SELECT account FROM session").toArray()[0]?.account;
  }

  /** Everything the core needs to live on; undefined where no session was ever stored (nothing is written by asking). */
  load(): Saved | "unreadable" | undefined {
    if (!this.#exists) return undefined;
    try {
      return this.#load();
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause;
      return "unreadable";
    }
  }

  #load(): Saved | undefined {
    const stored = this.#sql.exec<{ record: string }>("SELECT record FROM session").toArray()[0];
    if (stored === undefined) return undefined;
    const copies = this.#sql
      .exec<{ cursors: string }>(
        `SELECT cursors FROM cursors
         UNION ALL SELECT cursors FROM (SELECT cursors FROM ring WHERE slot < ? ORDER BY row DESC LIMIT 1)
         UNION ALL SELECT cursors FROM (SELECT cursors FROM ring WHERE slot >= ? ORDER BY row DESC LIMIT 1)`,
        limits.ringRowsMax,
        limits.ringRowsMax,
      )
      .toArray()
      .map(({ cursors }) => JSON.parse(cursors) as Cursors)
      .sort((a, b) => b.version - a.version);
    return {
      record: JSON.parse(stored.record) as SessionRecord,
      cursors: copies[0],
      rows: [this.#rows(0), this.#rows(1)],
    };
  }

  #rows(stream: Side): RowMeta[] {
    return this.#sql
      .exec<{ row: number; slot: number; first: number; last: number; origin: number; bytes: number }>(
        "SELECT row, slot - ? AS slot, first, last, origin, bytes FROM ring WHERE slot >= ? AND slot < ? ORDER BY row",
        slotsFrom(stream),
        ...slotsOf(stream),
      )
      .toArray();
  }

  saveRow({ stream, row, slot, first, last, origin, bytes, at, cursors, body }: Row): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO ring VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      slotsFrom(stream) + slot,
      row,
      first,
      last,
      origin,
      bytes,
      at,
      JSON.stringify(cursors),
      body,
    );
  }

  /** Where the slot was written over since, it is left alone. */
  forgetRows(stream: Side, rows: readonly Slotted[]): void {
    for (const { row, slot } of rows)
      this.#sql.exec("DELETE FROM ring WHERE slot = ? AND row = ?", slotsFrom(stream) + slot, row);
  }

  saveRecord(record: SessionRecord, account: string): void {
    if (!this.#exists) migrate(this.#sql, 0, versions);
    this.#exists = true;
    this.#sql.exec(
      "INSERT OR REPLACE INTO session VALUES (0, ?, ?, ?)",
      versions.length,
      account,
      JSON.stringify(record),
    );
  }

  saveCursors(cursors: Cursors): void {
    this.#sql.exec("INSERT OR REPLACE INTO cursors VALUES (0, ?)", JSON.stringify(cursors));
  }

  // --- dead letters

  /** The task_ids of cancels in a direction after `acked`. */
  cancelledAfter(stream: Side, acked: number): Set<string> {
    const bodies = this.#sql.exec<{ first: number; body: string }>(
      `SELECT first, body FROM ring WHERE slot >= ? AND slot < ? AND last > ? AND last >= first AND body LIKE '%"type":"TASK_CANCEL"%'`,
      ...slotsOf(stream),
      acked,
    );
    const cancelled = new Set<string>();
    for (const { first, body } of bodies) {
      for (const [i, line] of body.split("\n").entries()) {
        if (first + i <= acked) continue;
        const envelope = JSON.parse(line) as { type: string; data: { task_id: string } };
        if (envelope.type === "TASK_CANCEL") cancelled.add(envelope.data.task_id);
      }
    }
    return cancelled;
  }

  /** Through which `seq` dead letters of another session were taken into a direction of this one. */
  redrivenThrough(source: string, stream: Side): number {
    if (!this.#has("redriven")) return 0;
    const found = this.#sql.exec<{ through: number }>(
      "SELECT through FROM redriven WHERE source = ? AND stream = ?",
      source,
      stream,
    );
    return found.toArray()[0]?.through ?? 0;
  }

  /** The table is made by the first of them: most sessions never need it. */
  saveRedriven(source: string, stream: Side, through: number): void {
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS redriven (source TEXT NOT NULL, stream INTEGER NOT NULL, through INTEGER NOT NULL, PRIMARY KEY (source, stream)) WITHOUT ROWID",
    );
    this.#sql.exec("INSERT OR REPLACE INTO redriven VALUES (?, ?, ?)", source, stream, through);
  }

  #has(table: string): boolean {
    return this.#sql.exec("SELECT 1 FROM sqlite_master WHERE name = ?", table).toArray().length > 0;
  }

  /** When the newest row was written (epoch milliseconds), if there is one. */
  lastWorkAt(): number | undefined {
    return this.#sql.exec<{ at: number | null }>("SELECT max(at) AS at FROM ring").one().at ?? undefined;
  }

  /** The stored envelopes first…last of a direction, as frames that keep the limits. */
  *frames(stream: Side, first: number, last: number): Generator<string> {
    const rows = this.#sql.exec<{ first: number; body: string }>(
      "SELECT first, body FROM ring WHERE slot >= ? AND slot < ? AND last >= ? AND first <= ? AND last >= first ORDER BY row",
      ...slotsOf(stream),
      first,
      last,
    );
    let lines: string[] = [];
    let length = 0;
    for (const row of rows) {
      if (length > 0 && (length + row.body.length) * 3 > limits.frameBytesMax) {
        yield* packFrames(lines);
        lines = [];
        length = 0;
      }
      lines.push(...row.body.split("\n").slice(Math.max(0, first - row.first)));
      length += row.body.length;
    }
    yield* packFrames(lines);
  }

  // --- tasks

  find(task_id: string): TaskRecord | undefined {
    const found = this.#sql.exec<TaskRow>("SELECT * FROM tasks WHERE task_id = ?", task_id).toArray()[0];
    return found && taskOf(found);
  }

  /** The open tasks, without what it takes to send them again. */
  open(): TaskRecord[] {
    if (!this.#exists) return [];
    return this.#sql
      .exec<TaskRow>(
        "SELECT task_id, requester, state, digest, due_at, seq, NULL AS request, NULL AS response FROM tasks WHERE state IN ('open', 'cancelling')",
      )
      .toArray()
      .map(taskOf);
  }

  /** A request is kept until its task ends, and then no longer. */
  saveTask({ task_id, requester, state, digest, due_at, seq, request, response }: TaskRecord): void {
    this.#sql.exec(
      `INSERT INTO tasks (task_id, requester, state, digest, due_at, seq, request, response) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (task_id) DO UPDATE SET state = excluded.state, due_at = excluded.due_at, seq = excluded.seq,
         request = CASE WHEN excluded.response IS NULL THEN coalesce(excluded.request, request) END, response = excluded.response`,
      task_id,
      requester,
      state,
      digest,
      due_at ?? null,
      seq ?? null,
      request ?? null,
      response ?? null,
    );
  }

  cancelTasks(): void {
    this.#sql.exec("UPDATE tasks SET state = 'cancelled', request = NULL WHERE state IN ('open', 'cancelling')");
  }
}

interface TaskRow extends Record<string, SqlStorageValue> {
  task_id: string;
  requester: number;
  state: string;
  digest: string;
  due_at: number | null;
  seq: number | null;
  request: string | null;
  response: string | null;
}

function taskOf({ task_id, requester, state, digest, due_at, seq, request, response }: TaskRow): TaskRecord {
  return {
    task_id,
    requester: requester as Side,
    state: state as TaskState,
    digest,
    ...(due_at !== null && { due_at }),
    ...(seq !== null && { seq }),
    ...(request !== null && { request }),
    ...(response !== null && { response }),
  };
}
