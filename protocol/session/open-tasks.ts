// The open tasks of a session in memory, read from the table once: what can be due, and how many there are. Ended ones are
// looked up when somebody asks for them. Pure state over the session's own storage.
import { isOpen, type TaskRecord, type TaskTable } from "./tasks.ts";

export class OpenTasks {
  readonly #table: TaskTable;
  /** Read once, when first asked for. */
  #open: Map<string, TaskRecord> | undefined;
  /** Ended by the present event, and so not in the table yet. */
  readonly #ended = new Map<string, TaskRecord>();

  constructor(table: TaskTable) {
    this.#table = table;
  }

  #all(): Map<string, TaskRecord> {
    this.#open ??= new Map(this.#table.open().map((task) => [task.task_id, task]));
    return this.#open;
  }

  find(task_id: string): TaskRecord | undefined {
    return this.#all().get(task_id) ?? this.#ended.get(task_id) ?? this.#table.find(task_id);
  }

  /** The task with its `request`, which is not kept in memory. */
  whole(task_id: string): TaskRecord | undefined {
    return this.#table.find(task_id);
  }

  /** Takes note of a record that is being stored. */
  put(task: TaskRecord): void {
    const { request: _, ...kept } = task;
    if (isOpen(task.state)) this.#all().set(task.task_id, kept);
    else {
      this.#all().delete(task.task_id);
      this.#ended.set(task.task_id, task);
    }
  }

  /** The event's effects are carried out: the table has it all. */
  settled(): void {
    this.#ended.clear();
  }

  /** The session has ended, and its tasks with it. */
  clear(): void {
    this.#all().clear();
  }

  get count(): number {
    return this.#all().size;
  }

  all(): TaskRecord[] {
    return [...this.#all().values()];
  }

  /** When the first of them is due, if any is. */
  nextDue(): number | undefined {
    let next: number | undefined;
    for (const { due_at } of this.#all().values()) {
      if (due_at !== undefined && (next === undefined || due_at < next)) next = due_at;
    }
    return next;
  }

  due(now: number): TaskRecord[] {
    return this.all().filter(({ due_at }) => due_at !== undefined && due_at <= now);
  }
}
