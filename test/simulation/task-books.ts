// The oracle's book of tasks: a second opinion on the rules T1–T11, kept from what was said and stored. It predicts for each
// envelope whether the broker passes it on, and judges what the broker says on its own account.
import { otherSide, type Side } from "../../protocol/session/tasks.ts";
import type { DeliveredEnvelope } from "../../protocol/wire/envelope.ts";
import { limits } from "../../protocol/wire/limits.ts";
import type { Store } from "../protocol/store.ts";
import type { Sent } from "./ledger.ts";

interface Task {
  requester: Side;
  request: string;
  /** When the broker may end it, and must. */
  dueAt: number;
  cancelling: boolean;
  /** Its one response, as JSON text; "cancelled" when the session took it along. */
  end?: string;
  /** Ids of requests that ask for the response once more. */
  repeats: string[];
  /** The `seq` by which its request went to the performer last. */
  seq: number;
}

interface OwnFrame {
  id: string;
  type: string;
  data: { task_id: string; status?: string; redelivered?: boolean };
  in_reply_to?: string;
}

export class TaskBooks {
  #tasks = new Map<string, Task>();
  /** How many the two agents opened. */
  opened = 0;
  /** What the applications heard: each task once. */
  readonly #given = new Set<string>();
  readonly #answers = new Map<string, string>();
  readonly #answered = new Set<string>();

  /** Whether what a side said is to be passed on to the other; and notes what it does to its task. */
  passes(side: Side, { id, type, data }: Sent, now: number, refused: ReadonlySet<string>): boolean {
    if (type === "MESSAGE") return true;
    if (type === "SESSION_CLOSE") {
      const isFirst = !this.#tasks.has("close");
      this.#tasks.set("close", {
        requester: side,
        request: "",
        dueAt: 0,
        cancelling: false,
        end: "",
        repeats: [],
        seq: 0,
      });
      return isFirst;
    }
    const { task_id, deadline } = JSON.parse(data) as { task_id: string; deadline?: string };
    const task = this.#tasks.get(task_id);
    if (task === undefined)
      return type === "TASK_REQUEST" && this.#opens(side, task_id, { id, data, deadline }, now, refused);
    if (task.requester === side) return this.#asks(task, { id, type, data }, now);
    if ((type !== "TASK_RESPONSE" && type !== "TASK_PROGRESS") || task.end !== undefined) return false;
    if (type === "TASK_RESPONSE") task.end = data;
    return true;
  }

  #opens(
    side: Side,
    task_id: string,
    { id, data, deadline }: { id: string; data: string; deadline: string | undefined },
    now: number,
    refused: ReadonlySet<string>,
  ): boolean {
    if (refused.has(id)) return false;
    const at = deadline === undefined ? Number.POSITIVE_INFINITY : Date.parse(deadline);
    const isLate = at <= now;
    const dueAt = isLate ? now : at + limits.deadlineGraceMs;
    this.opened++;
    const repeats = isLate ? [id] : [];
    this.#tasks.set(task_id, { requester: side, request: data, dueAt, cancelling: false, repeats, seq: 0 });
    return !isLate;
  }

  #asks(task: Task, { id, type, data }: Sent, now: number): boolean {
    if (type === "TASK_REQUEST" && bare(data) === bare(task.request) && task.end !== undefined) task.repeats.push(id);
    if (type !== "TASK_CANCEL" || task.end !== undefined || task.cancelling) return false;
    task.cancelling = true;
    task.dueAt = Math.min(task.dueAt, now + limits.cancelGraceMs);
    return true;
  }

  knows(task_id: string): boolean {
    return this.#tasks.has(task_id);
  }

  isAnswered(task_id: string): boolean {
    const { end } = this.#tasks.get(task_id) ?? {};
    return end !== undefined && end !== "cancelled";
  }

  /** A dead letter opens its task here. */
  redriven(side: Side, data: string): void {
    const { task_id, deadline } = JSON.parse(data) as { task_id: string; deadline?: string };
    const dueAt = deadline === undefined ? Number.POSITIVE_INFINITY : Date.parse(deadline) + limits.deadlineGraceMs;
    this.#tasks.set(task_id, { requester: side, request: data, dueAt, cancelling: false, repeats: [], seq: 0 });
  }

  /** A request is on its way to its performer. */
  sent(task_id: string, seq: number): void {
    const task = this.#tasks.get(task_id);
    if (task !== undefined) task.seq = seq;
  }

  /** The tasks of a side that are open. */
  requestedBy(side: Side): string[] {
    const mine = [...this.#tasks].filter(([, { requester, end }]) => requester === side && end === undefined);
    return mine.map(([task_id]) => task_id);
  }

  /** A task that its performer, who lost its memory after it took everything through `taken`, does not hear of again. */
  unheard(performer: Side, taken: number): string | undefined {
    const missing = ([, { requester, end, cancelling, seq }]: [string, Task]) =>
      requester !== performer && end === undefined && !cancelling && seq <= taken;
    return [...this.#tasks].find(missing)?.[0];
  }

  /**
   * Judges a frame of the broker's own from a side to the other.
   * @param asked the side that asks in this event what it has forgotten, if one does
   * @returns what is wrong with it
   */
  own(side: Side, { type, data, in_reply_to }: OwnFrame, now: number, asked: Side | undefined): string | undefined {
    const task = this.#tasks.get(data.task_id);
    const what = `${type} of ${data.task_id}`;
    if (task === undefined) return `${what}: nobody asked for it`;
    if (type === "TASK_CANCEL")
      return task.requester === side && task.end !== undefined ? undefined : `${what} is early`;
    if (type === "TASK_REQUEST") {
      const isDue = task.end === undefined && task.requester === side && asked === otherSide(side);
      return isDue && data.redelivered ? undefined : `${what} comes again`;
    }
    if (type !== "TASK_RESPONSE" || task.requester === side) return `${what}: not the broker's to say`;
    const text = JSON.stringify(data);
    if (task.end === undefined) {
      if (now < task.dueAt) return `${what}: ended before it was due`;
      task.end = text;
    } else if (in_reply_to === undefined) return `${what}: ended twice`;
    if (task.end !== text) return `${what}: another response than before: ${text}, ${task.end}`;
    if (in_reply_to === undefined) return undefined;
    const repeat = task.repeats.indexOf(in_reply_to);
    if (repeat < 0) return `${what}: nobody asked again`;
    task.repeats.splice(repeat, 1);
    return undefined;
  }

  /** The session ended, and with it what was open. */
  cancelAll(): void {
    for (const task of this.#tasks.values()) task.end ??= "cancelled";
  }

  /**
   * An application hears of a task: its request once, its response always the same.
   * @param marked it may have heard this in an earlier life, and knows that
   */
  heard(side: Side, envelope: DeliveredEnvelope, marked: boolean, complain: (detail: string) => never): void {
    if (envelope.type === "TASK_REQUEST") {
      const { task_id, redelivered } = envelope.data as { task_id: string; redelivered?: boolean };
      const name = `${side} ${task_id}`;
      if (this.#given.has(name) && !marked && redelivered !== true) complain(`${task_id} was given twice`);
      this.#given.add(name);
    } else if (envelope.type === "TASK_RESPONSE") {
      const { task_id } = envelope.data;
      const text = JSON.stringify(envelope.data);
      const before = this.#answers.get(task_id) ?? text;
      // A repetition that was asked for may be taken before what it repeats.
      const isRepeated = envelope.in_reply_to === undefined && this.#answered.has(task_id) && !marked;
      if (before !== text || isRepeated) complain(`${task_id} was answered twice: ${before}, ${text}`);
      this.#answers.set(task_id, text);
      if (envelope.in_reply_to === undefined) this.#answered.add(task_id);
    }
  }

  /** What is wrong with the tasks now that the session has ended. */
  unfinished(store: Store, ended: (count: number) => void): string | undefined {
    // Nothing is left of a session that was forgotten.
    if (store.record === undefined) return undefined;
    for (const [task_id, { end, requester }] of this.#tasks) {
      if (task_id === "close") continue;
      const stored = store.tasks.get(task_id);
      if (end === undefined) return `${task_id} is open`;
      const status = end === "cancelled" ? end : JSON.parse(end).status;
      if (stored?.state !== status || stored?.requester !== requester)
        return `${task_id} is ${stored?.state}, not ${status}`;
    }
    ended(this.#tasks.size - Number(this.#tasks.has("close")));
    return undefined;
  }

  copy(): TaskBooks {
    const copy = new TaskBooks();
    copy.opened = this.opened;
    copy.#tasks = new Map(Array.from(this.#tasks, ([id, task]) => [id, { ...task, repeats: [...task.repeats] }]));
    return copy;
  }
}

/** What makes a repetition the same request: the deadline does not count, nor that the broker gave it again. */
const bare = (data: string): string => data.replace(/,"deadline":"[^"]*"/, "").replace(',"redelivered":true', "");
