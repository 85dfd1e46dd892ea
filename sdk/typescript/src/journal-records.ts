// What a journal says: its records, how they read as lines, and what all of them together remember. Pure: files are the business
// of `journal.ts`, so that every order of records and every damage can be tried here.
import type { Remembered } from "../../../protocol/session/client-events.ts";
import { decodeBrokerFrame } from "../../../protocol/wire/codec.ts";
import { type FromBroker, isWork } from "../../../protocol/wire/envelope.ts";
import { type AgentId, isAgentId, isUuid, type Uuid } from "../../../protocol/wire/ids.ts";
import { clientError } from "./error.ts";
import { Fifo } from "./fifo.ts";

/** Who closed a session, and with which words. From then on this agent has no more to say in it. */
export interface Closing {
  reason: string;
  own: boolean;
}

/**
 * One line of the journal, after the first. Each member says one thing, and a record may say several. `epoch` begins a session;
 * the members that come with it say where its streams stood then.
 */
export interface JournalRecord {
  session: Uuid;
  epoch?: string;
  peer?: AgentId;
  /** Messages that were sent in it before. */
  messages?: number;
  /** Messages of the peer's through this may have been taken in a life that kept no journal. */
  redelivered?: number;
  /** Tasks that this agent asked for and that have no response. */
  requested?: readonly Uuid[];
  closing?: Closing;
  /** The exact wire line of one work envelope, queued as the next of this end's stream. */
  line?: string;
  /** The broker has everything through this. It only allows to forget, and may be late. */
  stored?: number;
  /** The application has taken everything through this … */
  taken?: number;
  /** … and this one, though not all that came before it. */
  ahead?: number;
  /** A TASK_REQUEST whose handler starts, or the TASK_CANCEL of such a task. It is kept until the task's response is queued. */
  task?: TaskOrder;
  /** A task of `requested` that has got its response, or never will. */
  answered?: Uuid;
  /** The peer's SESSION_CLOSE was taken: its reason. */
  closed?: string;
  /** The session has ended, and everything about it can be forgotten. */
  ended?: true;
}

export type TaskOrder = FromBroker<"TASK_REQUEST"> | FromBroker<"TASK_CANCEL">;

/** A task whose handler had started. */
export interface StartedTask {
  request: FromBroker<"TASK_REQUEST">;
  cancel?: FromBroker<"TASK_CANCEL">;
}

/** Whose journal it is. */
export interface Owner {
  agent: string;
  account: string;
}

const version = 1;

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isText = (value: unknown): boolean => typeof value === "string";
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

function isTaskOrder(value: unknown): boolean {
  const [decoded] = decodeBrokerFrame(JSON.stringify(value));
  return decoded?.ok === true && /^TASK_(?:REQUEST|CANCEL)$/.test(decoded.envelope.type);
}

const members: Record<keyof JournalRecord, (value: unknown) => boolean> = {
  session: isUuid,
  epoch: isText,
  peer: isAgentId,
  messages: isCount,
  redelivered: isCount,
  requested: (value) => Array.isArray(value) && value.every(isUuid),
  closing: (value) => isObject(value) && isText(value.reason) && typeof value.own === "boolean",
  line: isText,
  stored: isCount,
  taken: isCount,
  ahead: isCount,
  task: isTaskOrder,
  answered: isUuid,
  closed: isText,
  ended: (value) => value === true,
};

/** A record has no member that this version does not know: what is not understood may have mattered. */
function isRecord(value: Record<string, unknown>): value is Record<string, unknown> & JournalRecord {
  const names = Object.keys(value);
  return (
    "session" in value &&
    "epoch" in value === "peer" in value &&
    names.every((name) => Object.hasOwn(members, name) && members[name as keyof JournalRecord](value[name]))
  );
}

/** A line of this end's that the broker may not have. */
interface Queued {
  line: string;
  type: string;
  /** Of a task's envelope; otherwise "". */
  task_id: Uuid;
}

interface Head {
  type: string;
  data?: { task_id?: Uuid; reason?: string };
}

/** Most lines are messages, and of a message no more is needed: as this SDK writes them they are not parsed again. */
const headOf = (line: string): Head =>
  line.startsWith('{"type":"MESSAGE"') ? { type: "MESSAGE" } : (JSON.parse(line) as Head);

/** One session, as its records leave it. */
export class SessionMemory {
  readonly session: Uuid;
  readonly peer: AgentId;
  readonly epoch: string;
  readonly redelivered: number;
  messages: number;
  taken: number;
  stored: number;
  closing: Closing | undefined;
  readonly ahead = new Set<number>();
  readonly requested: Set<Uuid>;
  readonly tasks = new Map<Uuid, StartedTask>();
  readonly #lines = new Fifo<Queued>();
  /** Of `messages`, those whose lines are kept. */
  #messagesKept = 0;

  constructor({ session, epoch = "", peer = "", ...base }: JournalRecord) {
    this.session = session;
    this.epoch = epoch;
    this.peer = peer;
    this.messages = base.messages ?? 0;
    this.redelivered = base.redelivered ?? 0;
    this.taken = base.taken ?? 0;
    this.stored = base.stored ?? 0;
    this.requested = new Set(base.requested);
    this.closing = base.closing;
  }

  /** The number of the line that is queued next. */
  get next(): number {
    return this.stored + this.#lines.size + 1;
  }

  /** What the core goes on with. */
  get remembered(): Remembered {
    const { session: session_id, peer, epoch, taken, stored } = this;
    const lines = Array.from(this.#lines, ({ line }) => line);
    return { session_id, peer, epoch, taken, stored, lines, isClosing: this.closing !== undefined };
  }

  apply({ line, stored = 0, taken = 0, ahead, task, answered, closed }: JournalRecord): void {
    if (line !== undefined) this.#queue(line);
    while (this.stored < stored && this.#lines.size > 0) {
      this.stored++;
      if (this.#lines.shift()?.type === "MESSAGE") this.#messagesKept--;
    }
    if (ahead !== undefined) this.ahead.add(ahead);
    if (taken > this.taken) {
      this.taken = taken;
      for (const seq of this.ahead) if (seq <= taken) this.ahead.delete(seq);
    }
    if (task !== undefined) this.#order(task);
    if (answered !== undefined) this.requested.delete(answered);
    if (closed !== undefined) this.#close({ reason: closed, own: false });
  }

  #queue(line: string): void {
    const { type, data = {} } = headOf(line);
    const { task_id = "", reason = "closed" } = data;
    this.#lines.push({ line, type, task_id });
    if (type === "MESSAGE") {
      this.messages++;
      this.#messagesKept++;
    } else if (type === "TASK_REQUEST") this.requested.add(task_id);
    else if (type === "TASK_RESPONSE") this.tasks.delete(task_id);
    else if (type === "SESSION_CLOSE") this.#close({ reason, own: true });
  }

  #order(order: TaskOrder): void {
    const { task_id } = order.data;
    if (order.type === "TASK_REQUEST") return void this.tasks.set(task_id, { request: order });
    const started = this.tasks.get(task_id);
    if (started !== undefined) started.cancel = order;
  }

  /** No response can be sent any more, and none will come. */
  #close(closing: Closing): void {
    this.closing ??= closing;
    this.tasks.clear();
    this.requested.clear();
  }

  /** The fewest records that leave it as it is. */
  *records(): Generator<JournalRecord> {
    const { session, peer, epoch, taken, stored, redelivered, closing } = this;
    const messages = this.messages - this.#messagesKept;
    const requested = [...this.requested];
    yield { session, peer, epoch, taken, stored, messages, redelivered, requested, ...(closing && { closing }) };
    for (const ahead of this.ahead) yield { session, ahead };
    for (const { line } of this.#lines) yield { session, line };
    // Answered before it was stored, as far as is known here.
    for (const { type, task_id } of this.#lines)
      if (type === "TASK_REQUEST" && !this.requested.has(task_id)) yield { session, answered: task_id };
    for (const { request, cancel } of this.tasks.values()) {
      yield { session, task: request };
      if (cancel !== undefined) yield { session, task: cancel };
    }
  }
}

/** Every session of an agent that has not ended. */
export class JournalMemory {
  owner: Owner | undefined;
  readonly sessions = new Map<Uuid, SessionMemory>();

  /** @returns false: it is about a session that is not remembered (any more), and there is nothing to write */
  apply(record: JournalRecord): boolean {
    const { session } = record;
    if (record.epoch !== undefined) {
      this.sessions.set(session, new SessionMemory(record));
      return true;
    }
    const memory = this.sessions.get(session);
    if (memory === undefined) return false;
    if (record.ended) this.sessions.delete(session);
    else memory.apply(record);
    return true;
  }

  /** The first line. */
  get head(): string {
    return this.owner === undefined ? "" : `${JSON.stringify({ journal: version, ...this.owner })}\n`;
  }

  /** A journal that says the same, and no more than is needed. */
  *text(): Generator<string> {
    yield this.head;
    for (const session of this.sessions.values()) {
      for (const record of session.records()) yield lineOf(record);
    }
  }

  /**
   * What a journal remembers. A last line without its line break was never written to its end, and nothing had come of it: it
   * is left out. Throws journal_damaged for any other line that cannot be read.
   * @param name how to call it in an error
   */
  static read(bytes: Uint8Array, name: string): JournalMemory {
    const memory = new JournalMemory();
    const lines = bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
    let number = 0;
    for (let start = 0; start < lines.length; number++) {
      const end = lines.indexOf(0x0a, start);
      if (!memory.#readLine(lines.subarray(start, end), number)) {
        throw clientError(
          "journal_damaged",
          `Line ${number + 1} of the journal ${name} cannot be read. Restore the file, or move it away: the agent then goes on as one without a journal, and what it had not said yet is lost.`,
        );
      }
      start = end + 1;
    }
    return memory;
  }

  #readLine(bytes: Uint8Array, number: number): boolean {
    try {
      const value: unknown = JSON.parse(new TextDecoder("utf8", { fatal: true }).decode(bytes));
      if (!isObject(value)) return false;
      if (number > 0) return isRecord(value) && this.#fits(value) && this.apply(value);
      const { journal, agent, account } = value;
      if (journal !== version || typeof agent !== "string" || typeof account !== "string") return false;
      this.owner = { agent, account };
      return true;
    } catch {
      return false;
    }
  }

  /** Whether a record can follow those before it. */
  #fits({ session, epoch, line, stored = 0 }: JournalRecord): boolean {
    const memory = this.sessions.get(session);
    if (epoch !== undefined) return memory === undefined && line === undefined;
    if (memory === undefined || stored >= memory.next) return false;
    if (line === undefined) return true;
    const { type, session_id, seq } = JSON.parse(line) as { type: string; session_id: unknown; seq: unknown };
    return isWork({ type }) && session_id === session && seq === memory.next;
  }
}

/** With its line break. */
export const lineOf = (record: JournalRecord): string => `${JSON.stringify(record)}\n`;
