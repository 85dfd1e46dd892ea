// What of a session survives its broker's memory: rows, record, cursors, tasks, as `SessionStore` keeps them, in maps.
import type { Row, Saved, SessionRecord } from "../../protocol/session/effects.ts";
import { isOpen, type TaskRecord, type TaskTable } from "../../protocol/session/tasks.ts";

/** The store of one session: what survives. */
export class Store implements TaskTable {
  record: SessionRecord | undefined;
  cursors: Saved["cursors"];
  rows: [Map<number, Row>, Map<number, Row>] = [new Map(), new Map()];
  tasks = new Map<string, TaskRecord>();

  find(task_id: string): TaskRecord | undefined {
    return this.tasks.get(task_id);
  }

  countOpen(): number {
    return [...this.tasks.values()].filter((task) => isOpen(task.state)).length;
  }

  saved(): Saved | undefined {
    if (!this.record) return undefined;
    const rows = [0, 1].map((side) => [...(this.rows[side]?.values() ?? [])].sort((a, b) => a.row - b.row));
    const copies = [this.cursors, ...rows.flat().map((row) => row.cursors)].filter((copy) => copy !== undefined);
    const cursors = copies.sort((a, b) => b.version - a.version)[0];
    return { record: structuredClone(this.record), cursors, rows: [rows[0] ?? [], rows[1] ?? []] };
  }
}
