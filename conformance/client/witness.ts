// Looks on at everything that a client sends, whatever the check is about, and knows which rule each envelope has to obey. It judges
// by what was said on the wire alone: PROTOCOL.md in code once more, and nobody else's.
import { decodeClientLine } from "../../protocol/wire/codec.ts";
import { type ClientEnvelope, isWork, type SessionEnvelope, type WorkEnvelope } from "../../protocol/wire/envelope.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { Broken } from "../check.ts";

/** Who the program is, by its certificate; and who the script plays. */
export const agentName = "echo";
export const scriptName = "script";

const heartbeat = '{"type":"HEARTBEAT"}';
/** What the broker has just said may have crossed what the client was sending. */
const crossingMs = 500;

/** A session, as far as both ends have spoken of it. */
interface Known {
  /** The connection that it is attached to, or undefined: nothing may be sent. */
  on: object | undefined;
  /** SESSION_RESUME was sent there and not answered. */
  asking: object | undefined;
  epoch: string;
  limit: number;
  /** The last `seq` on the present attachment; and of all. */
  position: number;
  highest: number;
  /** What was sent, by `seq`, without `ack`. */
  sent: Map<number, string>;
  ids: Set<string>;
  /** The highest `seq` of the broker's work. */
  told: number;
  closed: number | undefined;
  /** When the broker said that it is over. */
  over: number | undefined;
  /** Tasks that the client was asked for: whether it has answered. */
  tasks: Map<string, boolean>;
}

type Said = Record<string, unknown> & { type: string; data?: Record<string, unknown> };

export class Witness {
  readonly #sessions = new Map<string, Known>();
  readonly #registered = new WeakSet<object>();
  /** The first rule that was broken. */
  broken: Broken | undefined;

  #session(session_id: string): Known {
    const known = this.#sessions.get(session_id);
    if (known !== undefined) return known;
    const fresh: Known = {
      on: undefined,
      asking: undefined,
      epoch: "",
      limit: 0,
      position: 0,
      highest: 0,
      sent: new Map(),
      ids: new Set(),
      told: 0,
      closed: undefined,
      over: undefined,
      tasks: new Map(),
    };
    this.#sessions.set(session_id, fresh);
    return fresh;
  }

  #breaks(rule: string, detail: string): void {
    this.broken ??= new Broken(rule, detail);
  }

  // --- what the client sends

  /** One frame of the client's on a connection. @returns its good envelopes */
  heard(link: object, data: Buffer, isBinary: boolean): ClientEnvelope[] {
    const text = data.toString("utf8");
    if (isBinary) this.#breaks("F1", "a binary message");
    if (data.length > limits.frameBytesMax) this.#breaks("F2", `a frame of ${data.length} bytes`);
    const lines = (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
    if (lines.length > limits.frameEnvelopesMax) this.#breaks("F3", `a frame of ${lines.length} envelopes`);
    return lines.flatMap((line) => {
      const decoded = decodeClientLine(line);
      if (!decoded.ok) {
        this.#breaks("E6", `${decoded.fault.reason}: ${line.slice(0, 300)}`);
        return [];
      }
      const { envelope } = decoded;
      if (envelope.type === "HEARTBEAT" && text !== heartbeat)
        this.#breaks("H1", `the heartbeat is not exactly ${heartbeat}: ${text.slice(0, 100)}`);
      else this.#judge(link, envelope);
      return [envelope];
    });
  }

  #judge(link: object, envelope: ClientEnvelope): void {
    if ("from" in envelope && envelope.from !== undefined && envelope.from !== agentName)
      this.#breaks("E3", `${envelope.type} says that it is from ${envelope.from}`);
    if (envelope.type === "REGISTER") {
      if (this.#registered.has(link)) this.#breaks("R2", "a second REGISTER on one connection");
      this.#registered.add(link);
    } else if (envelope.type !== "HEARTBEAT" && !this.#registered.has(link)) {
      this.#breaks("R1", `${envelope.type} before REGISTER`);
    }
    if ("session_id" in envelope && envelope.session_id !== undefined)
      this.#judgeSession(link, this.#session(envelope.session_id), envelope as SessionEnvelope);
  }

  #judgeSession(link: object, known: Known, envelope: SessionEnvelope): void {
    const { type } = envelope;
    if ("ack" in envelope && (envelope.ack ?? 0) > known.told)
      this.#breaks("S5", `${type} acknowledges ${envelope.ack}, and only ${known.told} was sent to it`);
    if (isWork(envelope)) this.#judgeWork(link, known, envelope);
    else if (type === "SESSION_RESUME") {
      known.asking = link;
      const { data } = envelope;
      if (data.received === null) return;
      if (data.epoch !== known.epoch) this.#breaks("A2", `RESUME names epoch ${data.epoch}, not ${known.epoch}`);
      if (data.received > known.told)
        this.#breaks("A2", `RESUME says received ${data.received}, and ${known.told} was sent`);
      if ((envelope.ack ?? 0) > data.received) this.#breaks("A2", "RESUME acknowledges more than it has received");
      if (data.next <= known.highest)
        this.#breaks("A2", `RESUME says next ${data.next}, and ${known.highest} was sent`);
    }
  }

  #judgeWork(link: object, known: Known, envelope: WorkEnvelope): void {
    const { type, seq, id, data } = envelope;
    const what = `${type} with seq ${seq}`;
    const text = JSON.stringify({ type, id, data, in_reply_to: envelope.in_reply_to });
    if (known.over !== undefined) {
      if (performance.now() - known.over > crossingMs) this.#breaks("N12", `${what} after the session had ended`);
      return;
    }
    if (known.epoch === "") return this.#breaks("N2", `${what} before SESSION_ACCEPT`);
    if (known.asking === link) return this.#breaks("A2", `${what} before the answer to SESSION_RESUME`);
    if (known.on !== link) return this.#breaks("A1", `${what} on a connection to which the session is not attached`);
    if (seq <= known.position) return this.#breaks("A6", `${what} was sent twice on one attachment`);
    if (seq > known.position + 1) this.#breaks("S1", `${what} follows ${known.position}`);
    if (seq > known.limit) this.#breaks("W1", `${what} is beyond the limit ${known.limit}`);
    known.position = seq;
    const before = known.sent.get(seq);
    if (before !== undefined && before !== text)
      this.#breaks("A6", `seq ${seq} was ${before}, and is now ${text}`.slice(0, 400));
    if (before !== undefined) return;
    if (known.ids.has(id)) this.#breaks("E1", `the id of ${what} was used before`);
    if (known.closed !== undefined) this.#breaks("N8", `${what} after its SESSION_CLOSE`);
    known.sent.set(seq, text);
    known.ids.add(id);
    known.highest = Math.max(known.highest, seq);
    if (type === "SESSION_CLOSE") known.closed = seq;
    if (type === "TASK_RESPONSE" || type === "TASK_PROGRESS") this.#judgeTask(known, type, envelope.data.task_id);
  }

  #judgeTask(known: Known, type: string, task_id: string): void {
    const answered = known.tasks.get(task_id);
    if (answered === undefined) this.#breaks("T2", `${type} for a task that nobody asked for`);
    else if (answered) this.#breaks("T4", `${type} for a task that it has answered`);
    else if (type === "TASK_RESPONSE") known.tasks.set(task_id, true);
  }

  // --- what the script says

  /** One envelope of the script's, on a connection. */
  said(link: object, { type, session_id, seq, limit, data = {} }: Said): void {
    if (typeof session_id !== "string") return;
    const known = this.#session(session_id);
    if (typeof limit === "number") known.limit = Math.max(known.limit, limit);
    if (typeof seq === "number") known.told = Math.max(known.told, seq);
    switch (type) {
      case "SESSION_ACCEPT":
        known.on = link;
        known.epoch = String(data.epoch);
        return;
      case "SESSION_RESUMED":
        return this.#resumed(link, known, data);
      case "SESSION_CLOSED":
      case "SESSION_REJECT":
        known.over = performance.now();
        return;
      case "TASK_REQUEST":
        if (!known.tasks.has(String(data.task_id))) known.tasks.set(String(data.task_id), false);
        return;
    }
  }

  #resumed(link: object, known: Known, data: Record<string, unknown>): void {
    known.asking = undefined;
    if (data.outcome !== "resumed") {
      known.over = performance.now();
      return;
    }
    known.on = link;
    known.epoch = String(data.epoch);
    known.position = Number(data.received);
    if (data.taken !== undefined) known.highest = Math.max(known.highest, known.position);
  }

  /** An answer that is none for the client: it does not count (A2). */
  ignored(session_id: string): { restore(): void } {
    const known = this.#session(session_id);
    const { on, asking, position, over, epoch } = known;
    return { restore: () => Object.assign(known, { on, asking, position, over, epoch }) };
  }

  /** How far the client has come in a session. */
  highest(session_id: string): number {
    return this.#session(session_id).highest;
  }
}
