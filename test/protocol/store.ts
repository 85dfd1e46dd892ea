// What of a session survives its broker's memory: rows, record, cursors, tasks, as `SessionStore` keeps them, in maps.
import type { Effect, Row, Saved, SessionRecord } from "../../protocol/session/effects.ts";
import { isOpen, type Side, type TaskRecord, type TaskTable } from "../../protocol/session/tasks.ts";

/** Effects that write: what an event leaves behind. */
export type RowEffect = Extract<
  Effect,
  { do: "store" | "forget" | "task" | "cancelTasks" | "redriven" | "record" | "cursors" }
>;

const rowEffects: Record<RowEffect["do"], true> = {
  store: true,
  forget: true,
  task: true,
  cancelTasks: true,
  redriven: true,
  record: true,
  cursors: true,
};
export const isRowEffect = (effect: Effect): effect is RowEffect => Object.hasOwn(rowEffects, effect.do);

/** The store of one session: what survives. */
export class Store implements TaskTable {
  record: SessionRecord | undefined;
  cursors: Saved["cursors"];
  /** By their slots. */
  rows: [Map<number, Row>, Map<number, Row>] = [new Map(), new Map()];
  tasks = new Map<string, TaskRecord>();
  /** Through which `seq` dead letters were taken, by their session and the stream that they went into. */
  redriven = new Map<string, number>();

  find(task_id: string): TaskRecord | undefined {
    return this.tasks.get(task_id);
  }

  open(): TaskRecord[] {
    return [...this.tasks.values()].filter((task) => isOpen(task.state)).map(({ request: _, ...task }) => task);
  }

  /** As `SessionStore.saveTask`: a request is kept until its task ends, and then no longer. */
  saveTask(task: TaskRecord): void {
    const request = task.response === undefined ? (task.request ?? this.tasks.get(task.task_id)?.request) : undefined;
    const { request: _, ...rest } = task;
    this.tasks.set(task.task_id, request === undefined ? rest : { ...rest, request });
  }

  saved(): Saved | undefined {
    if (!this.record) return undefined;
    const rows = [0, 1].map((side) => [...(this.rows[side]?.values() ?? [])].sort((a, b) => a.row - b.row));
    const copies = [this.cursors, ...rows.flat().map((row) => row.cursors)].filter((copy) => copy !== undefined);
    const cursors = copies.sort((a, b) => b.version - a.version)[0];
    return { record: structuredClone(this.record), cursors, rows: [rows[0] ?? [], rows[1] ?? []] };
  }

  apply(effect: RowEffect): void {
    switch (effect.do) {
      case "store":
        this.rows[effect.row.stream].set(effect.row.slot, effect.row);
        return;
      case "forget": {
        const rows = this.rows[effect.stream];
        for (const { row, slot } of effect.rows) if (rows.get(slot)?.row === row) rows.delete(slot);
        return;
      }
      case "task":
        return this.saveTask(effect.task);
      case "cancelTasks":
        for (const { due_at: _, ...task } of this.open()) this.tasks.set(task.task_id, { ...task, state: "cancelled" });
        return;
      case "redriven":
        this.redriven.set(`${effect.source} ${effect.stream}`, effect.through);
        return;
      case "record":
        this.record = structuredClone(effect.record);
        return;
      case "cursors":
        this.cursors = effect.cursors;
        return;
    }
  }

  /** The stored envelopes first…last of a stream, a frame for each row. */
  frames(stream: Side, first: number, last: number): string[] {
    const rows = [...this.rows[stream].values()].sort((x, y) => x.row - y.row);
    return rows
      .filter((row) => row.last >= first && row.first <= last && row.last >= row.first)
      .map((row) =>
        row.body
          .split("\n")
          .slice(Math.max(0, first - row.first))
          .join("\n"),
      );
  }

  redrivenThrough(source: string, stream: Side): number {
    return this.redriven.get(`${source} ${stream}`) ?? 0;
  }

  /** As `SessionStore.cancelledAfter`. */
  cancelledAfter(stream: Side, acked: number): Set<string> {
    const cancelled = new Set<string>();
    for (const { first, last, body } of this.rows[stream].values()) {
      if (last <= acked || last < first || !body.includes('"type":"TASK_CANCEL"')) continue;
      for (const [i, line] of body.split("\n").entries()) {
        const { type, data } = JSON.parse(line) as { type: string; data: { task_id: string } };
        if (first + i > acked && type === "TASK_CANCEL") cancelled.add(data.task_id);
      }
    }
    return cancelled;
  }

  /** When the newest row was written, if there is one. */
  lastWorkAt(): number | undefined {
    let latest: number | undefined;
    for (const rows of this.rows) for (const { at } of rows.values()) latest = Math.max(latest ?? at, at);
    return latest;
  }

  /** A copy that further effects leave as it is: what they replace they replace whole. */
  copy(): Store {
    const copy = new Store();
    copy.record = this.record;
    copy.cursors = this.cursors;
    copy.rows = [new Map(this.rows[0]), new Map(this.rows[1])];
    copy.tasks = new Map(this.tasks);
    copy.redriven = new Map(this.redriven);
    return copy;
  }
}
