// The client half of a session, as (event) → lines to send and events for the application. No clock, no dice, no I/O, no await.
// The TypeScript SDK drives it; the Python and Ruby SDKs port it. It keeps what the broker has not acknowledged, and it
// acknowledges what the application has taken (not what merely arrived), so that a slow application slows its peer down.
import { encode } from "../wire/codec.ts";
import {
  type BrokerEnvelope,
  type Capability,
  type DeliveredEnvelope,
  type FromBroker,
  type FromClient,
  isDelivered,
  type ResumeOutcome,
  type WorkData,
  type WorkType,
} from "../wire/envelope.ts";
import type { AgentId, Uuid } from "../wire/ids.ts";
import { limits } from "../wire/limits.ts";
import { ReceiveStream, SendStream, type Span } from "./streams.ts";

interface Outgoing extends Span {
  line: string;
}

/**
 * offering, accepting: waiting for the broker's SESSION_ACCEPT · ready: accepted, and this connection is attached ·
 * resuming: accepted, SESSION_RESUME sent or to be sent · recovering: the same, without a memory of it · ended: no work will flow again.
 */
export type ClientState =
  | { name: "offering"; offer: FromClient<"SESSION_INIT">; asked: boolean }
  | { name: "accepting"; accept: FromClient<"SESSION_ACCEPT">; asked: boolean }
  | { name: "ready" }
  | { name: "resuming"; asked: boolean }
  | { name: "recovering"; asked: boolean }
  | { name: "ended"; reason: string; detail: string };

/** What the application hears. `work` comes in order and once. */
export type ClientEvent =
  | { kind: "accepted"; capabilities: Capability[] }
  | { kind: "resumed" }
  /**
   * The `data` of TASK_REQUESTs that were stored while nothing the broker said was heard: if it refused one of them (T9), that is
   * lost. Ask again for those that are open (A11).
   */
  | { kind: "unheard"; requests: readonly string[] }
  /**
   * Work through `sent` may have been taken in an earlier life; `requested` are tasks that this agent asked for then. closing: that
   * life or the peer has closed the session; nothing more is to be said in it.
   */
  | { kind: "recovered"; sent: number; requested: readonly Uuid[]; closing: boolean }
  | { kind: "work"; envelope: DeliveredEnvelope }
  | { kind: "receipts"; stored: number; delivered: number }
  | { kind: "flow"; paused: boolean }
  | { kind: "fault"; fault: FromBroker<"ERROR"> }
  | { kind: "ended"; reason: string; detail: string };

/** What must outlive a client's process, so that the next one goes on with the session as after any disconnect (A2). */
export interface Remembered {
  session_id: Uuid;
  peer: AgentId;
  epoch: string;
  /** The application has taken everything through this: nothing at or below it comes again. */
  taken: number;
  /** Of this end's own, the broker has stored everything through this … */
  stored: number;
  /** … and these are the exact lines of all that was queued after it, in order. */
  lines: readonly string[];
  /** Either side has closed it. */
  isClosing: boolean;
}

export class ClientSession {
  readonly session_id: Uuid;
  /** Of a session that was opened by a capability: "" until it is accepted. */
  #peer: AgentId;
  #state: ClientState;
  #epoch = "";
  readonly #in = new ReceiveStream();
  readonly #out = new SendStream<Outgoing>();
  #limit = 0;
  #delivered = 0;
  /** The application has taken everything through this. */
  #taken = 0;
  #saidTaken = 0;
  #paused = false;
  #closeSeq: number | undefined;
  /** Somebody else closed: the peer, or an earlier life. */
  #isClosed = false;
  /** The ids of the last work that came, by `seq` modulo the window. */
  readonly #ids: Uuid[] = [];
  /** The last `seq` of the frame that is on its way, or 0. Only one is: what queues up meanwhile shares the next (B1). */
  #flying = 0;
  /** What is acknowledged before an attachment is made again: its ERRORs may be lost. */
  #unheard: Outgoing[] = [];
  /** The id of the SESSION_RESUME that waits for its answer. */
  #question: Uuid | undefined;
  readonly #mint: () => Uuid;

  private constructor(session_id: Uuid, peer: AgentId, state: ClientState, mint: () => Uuid) {
    this.session_id = session_id;
    this.#peer = peer;
    this.#state = state;
    this.#mint = mint;
  }

  /**
   * Opens a session: the first line it gives out is SESSION_INIT.
   * @param to undefined: the broker finds an agent for `more.capability`
   */
  static offer(
    session_id: Uuid,
    to: AgentId | undefined,
    metadata: unknown,
    mint: () => Uuid,
    more: { capability?: string; ttl_ms?: number } = {},
  ): ClientSession {
    const offer = {
      type: "SESSION_INIT",
      id: mint(),
      session_id,
      to,
      data: { ...more, ...(metadata !== undefined && { metadata }) },
    } as const;
    return new ClientSession(session_id, to ?? "", { name: "offering", offer, asked: false }, mint);
  }

  /** Accepts an offer: the first line it gives out is SESSION_ACCEPT. */
  static accept(offer: FromBroker<"SESSION_INIT">, mint: () => Uuid): ClientSession {
    const accept = { type: "SESSION_ACCEPT", id: mint(), session_id: offer.session_id, in_reply_to: offer.id } as const;
    return new ClientSession(offer.session_id, offer.from, { name: "accepting", accept, asked: false }, mint);
  }

  /** A session of an earlier life of this agent: the first line it gives out asks where its streams stand (A8). */
  static recover(session_id: Uuid, peer: AgentId, mint: () => Uuid): ClientSession {
    return new ClientSession(session_id, peer, { name: "recovering", asked: false }, mint);
  }

  /**
   * A session of an earlier life that was remembered: the first line it gives out is SESSION_RESUME, from where both streams
   * stood. Throws when the lines are not those that follow `stored`.
   */
  static recall({ session_id, peer, epoch, ...memory }: Remembered, mint: () => Uuid): ClientSession {
    const { taken, stored, lines, isClosing } = memory;
    const session = new ClientSession(session_id, peer, { name: "resuming", asked: false }, mint);
    session.#epoch = epoch;
    session.#in.last = taken;
    session.#taken = taken;
    session.#saidTaken = taken;
    session.#isClosed = isClosing;
    session.#out.startAfter(stored);
    for (const line of lines) {
      const { type, seq } = JSON.parse(line) as { type: WorkType; seq: number };
      session.#queue(type, seq, line);
    }
    return session;
  }

  /** What `recall` needs to go on from here. */
  get remembered(): Remembered {
    const lines = this.#out.spans.map(({ line }) => line);
    const { session_id } = this;
    return {
      session_id,
      peer: this.#peer,
      epoch: this.#epoch,
      taken: this.#taken,
      stored: this.#out.acked,
      lines,
      isClosing: this.#closeSeq !== undefined || this.#isClosed,
    };
  }

  /** The line that was queued last, while the broker has not stored it. */
  get newestLine(): string | undefined {
    return this.#out.spans.at(-1)?.line;
  }

  get peer(): AgentId {
    return this.#peer;
  }

  get state(): ClientState["name"] {
    return this.#state.name;
  }

  /** Messages and bytes that the broker has not stored yet. */
  get backlog(): { messages: number; bytes: number } {
    return { messages: this.#out.waiting, bytes: this.#out.bytes };
  }

  /** The broker asked to pause (advice; what binds is `limit`). */
  get paused(): boolean {
    return this.#paused;
  }

  /** Oldest `seq` that is sent and not acknowledged, or undefined: the caller watches it, and a state that is not "ready", for a stall (L15). */
  get oldestInFlight(): number | undefined {
    return this.#out.sent > this.#out.acked ? this.#out.acked + 1 : undefined;
  }

  /**
   * Names what else this end waits for while it is attached, and how far that is; undefined: nothing. The caller looks at L28: a
   * peer may be slow, but a broker that lost its memory may also have forgotten to forward, and finds out when it is asked.
   */
  get awaited(): string | undefined {
    if (this.#state.name !== "ready") return undefined;
    const isDone = this.#out.waiting === 0 && this.#delivered >= this.#out.acked;
    const isClosing = this.#closeSeq !== undefined || this.#isClosed;
    return isDone && !isClosing ? undefined : `${this.#out.acked} ${this.#delivered} ${this.#taken}`;
  }

  /**
   * Queues one envelope. Never refuses: the caller bounds the backlog.
   * @returns its `seq`
   */
  send<K extends WorkType>(
    type: K,
    id: Uuid,
    data: WorkData<K>,
    more: { in_reply_to?: Uuid; traceparent?: string } = {},
  ): number {
    return this.sendText(type, id, JSON.stringify(data), more);
  }

  /** The same, with `data` as JSON text of the type's own shape: who had to measure it need not write it twice. */
  sendText(type: WorkType, id: Uuid, data: string, more: { in_reply_to?: Uuid; traceparent?: string } = {}): number {
    const seq = this.#out.next;
    const head = JSON.stringify({ type, id, session_id: this.session_id, seq, ...more });
    this.#queue(type, seq, `${head.slice(0, -1)},"data":${data}}`);
    return seq;
  }

  #queue(type: WorkType, seq: number, line: string): void {
    this.#out.append({ first: seq, last: seq, bytes: line.length, line });
    if (type === "SESSION_CLOSE") this.#closeSeq = seq;
  }

  /** The application has taken everything through `seq`: it will be acknowledged with the next lines. */
  take(seq: number): void {
    this.#taken = Math.max(this.#taken, seq);
  }

  /** A connection is up: what comes next is INIT, ACCEPT or RESUME. */
  connected(): void {
    this.#question = undefined;
    const state = this.#state;
    if (state.name === "offering" || state.name === "accepting" || state.name === "recovering") state.asked = false;
    else if (state.name !== "ended") this.#state = { name: "resuming", asked: false };
  }

  /** Attach again on the same connection: frames were lost on the way, or acknowledgements stopped (A5). */
  reattach(): void {
    this.#question = undefined;
    const state = this.#state;
    if (state.name === "ready") this.#state = { name: "resuming", asked: false };
    else if (state.name !== "ended") state.asked = false;
  }

  /** As `reattach`, where one that is under way answers for what went wrong before it. */
  #reattachOnce(): void {
    if (this.#state.name === "ready") this.reattach();
  }

  /** A receipt waits for company (B3): call `lines("now")` within `limits.receiptDelayMs`. */
  get owesReceipt(): boolean {
    return this.#state.name === "ready" && this.#taken > this.#saidTaken;
  }

  /**
   * The lines to send now, at most one frame of work. Call it after every event, and send what it gives.
   * @param receipts "later": a receipt goes only with work, or when it covers many messages
   */
  lines(receipts: "now" | "later" = "now"): string[] {
    const state = this.#state;
    if (state.name === "offering" || state.name === "accepting") {
      if (state.asked) return [];
      state.asked = true;
      return [encode(state.name === "offering" ? state.offer : state.accept)];
    }
    if (state.name === "resuming" || state.name === "recovering") {
      if (state.asked) return [];
      state.asked = true;
      return [this.#resumeLine()];
    }
    if (state.name === "ended") return [];
    const lines = this.#workLines();
    const owed = this.#taken - this.#saidTaken;
    const waits = receipts === "later" && lines.length === 0 && owed < limits.receiptMessagesMax;
    if (owed > 0 && !waits) {
      this.#saidTaken = this.#taken;
      lines.push(encode({ type: "MESSAGE_ACK", session_id: this.session_id, ack: this.#taken }));
    }
    return lines;
  }

  #resumeLine(): string {
    const { session_id } = this;
    const id = this.#mint();
    this.#question = id;
    if (this.#state.name === "recovering") {
      return encode({ type: "SESSION_RESUME", id, session_id, data: { received: null } });
    }
    return encode({
      type: "SESSION_RESUME",
      id,
      session_id,
      ack: this.#taken,
      data: { epoch: this.#epoch, received: this.#in.last, first: this.#out.acked + 1, next: this.#out.next },
    });
  }

  #workLines(): string[] {
    if (this.#flying > this.#out.acked) return [];
    const lines: string[] = [];
    let bytes = 0;
    for (const { first, line } of this.#out.spans) {
      if (first <= this.#out.sent) continue;
      bytes += line.length * 3 + 1;
      // Half of a frame stays free for acknowledgements and other sessions.
      const full = lines.length >= limits.frameEnvelopesMax / 2 || bytes > limits.frameBytesMax / 2;
      if (first > this.#limit || (full && lines.length > 0)) break;
      lines.push(line);
    }
    if (lines.length === 0) return lines;
    this.#out.sent += lines.length;
    // What this end has taken is said once more after its SESSION_CLOSE, so that the broker can end the session (N7).
    if (this.#closeSeq !== undefined && this.#out.sent >= this.#closeSeq) this.#saidTaken = -1;
    this.#flying = this.#out.sent;
    return lines;
  }

  /** One envelope of the broker's for this session. */
  receive(envelope: BrokerEnvelope): ClientEvent[] {
    if (this.#state.name === "ended") return [];
    if (isDelivered(envelope)) {
      // Before it is known where the stream stands nothing of it can be taken: what comes too early comes again (N3, A8).
      const { name } = this.#state;
      return name === "ready" || name === "resuming" ? this.#receiveWork(envelope) : [];
    }
    switch (envelope.type) {
      case "SESSION_ACCEPT":
        return this.#accepted(envelope);
      case "SESSION_REJECT":
        return this.#end(envelope.data.reason, envelope.data.detail);
      case "SESSION_RESUMED":
        return this.#resumed(envelope);
      case "MESSAGE_ACK":
        return this.#receipts(envelope.ack, envelope.data?.delivered ?? 0, envelope.limit ?? 0);
      case "PAUSE":
      case "RESUME":
        this.#paused = envelope.type === "PAUSE";
        return [{ kind: "flow", paused: this.#paused }];
      case "SESSION_CLOSED":
        return [
          ...this.#receipts(envelope.data.received, envelope.data.delivered, 0),
          ...this.#end(envelope.data.state, "The session has ended."),
        ];
      case "ERROR":
        return this.#fault(envelope);
      default:
        return [];
    }
  }

  #receiveWork(envelope: DeliveredEnvelope): ClientEvent[] {
    const verdict = this.#in.judge(envelope.seq);
    const slot = envelope.seq % limits.windowMessages;
    if (verdict === "duplicate") {
      // A6: what is sent again has the same id. Another one is another history, of a storage that was put back behind our backs.
      const isRecent = envelope.seq > this.#in.last - limits.windowMessages;
      const known = isRecent ? this.#ids[slot] : undefined;
      if (known !== undefined && known !== envelope.id) return this.#end("stream_mismatch", mismatchDetail);
      this.#saidTaken = Math.min(this.#saidTaken, this.#taken - 1);
      return [];
    }
    if (verdict === "gap") {
      this.#reattachOnce();
      return [];
    }
    this.#in.last = envelope.seq;
    this.#ids[slot] = envelope.id;
    if (envelope.type === "SESSION_CLOSE") this.#isClosed = true;
    return [{ kind: "work", envelope }];
  }

  #accepted(envelope: FromBroker<"SESSION_ACCEPT">): ClientEvent[] {
    this.#epoch = envelope.data.epoch;
    this.#peer = envelope.data.peer;
    const first = this.#state.name === "offering" || this.#state.name === "accepting";
    if (!first) return [];
    this.#state = { name: "ready" };
    return [{ kind: "accepted", capabilities: envelope.data.capabilities }, ...this.#receipts(0, 0, envelope.limit)];
  }

  #resumed({ data, limit, in_reply_to }: FromBroker<"SESSION_RESUMED">): ClientEvent[] {
    // The answer to an older question is about numbers that have moved since: it may even say gap.
    if (in_reply_to !== undefined && in_reply_to !== this.#question) return [];
    if (this.#state.name === "recovering") return this.#recovered(data, limit);
    if (this.#state.name !== "resuming") return [];
    const receipts = this.#receipts(data.received, data.delivered, limit);
    if (data.outcome !== "resumed")
      return [...receipts, ...this.#end(`resume_${data.outcome}`, outcomeDetail[data.outcome])];
    this.#state = { name: "ready" };
    this.#out.rewind(data.received);
    this.#flying = 0;
    this.#paused = false;
    // Once a side has closed, nothing more is asked: every task ends with the session.
    const isClosing = this.#closeSeq !== undefined || this.#isClosed;
    const requests = isClosing ? [] : this.#unheard.flatMap(({ line }) => requestIn(line));
    this.#unheard = [];
    return [...receipts, { kind: "resumed" }, ...(requests.length > 0 ? [{ kind: "unheard", requests } as const] : [])];
  }

  #recovered(data: FromBroker<"SESSION_RESUMED">["data"], limit: number): ClientEvent[] {
    if (data.outcome !== "resumed") return this.#end(`resume_${data.outcome}`, outcomeDetail[data.outcome]);
    const { epoch = "", received, delivered, taken = 0, sent = taken, requested = [] } = data;
    this.#epoch = epoch;
    this.#out.startAfter(received);
    this.#in.last = taken;
    this.#taken = taken;
    this.#saidTaken = taken;
    this.#delivered = delivered;
    this.#limit = limit;
    this.#isClosed = data.state === "closing";
    this.#state = { name: "ready" };
    return [{ kind: "recovered", sent, requested, closing: this.#isClosed }];
  }

  #receipts(stored: number, delivered: number, limit: number): ClientEvent[] {
    const before = this.#out.acked + this.#delivered;
    const done = this.#out.acknowledge(stored);
    if (this.#state.name === "resuming") this.#unheard.push(...done);
    this.#delivered = Math.max(this.#delivered, delivered);
    this.#limit = Math.max(this.#limit, limit);
    if (this.#out.acked + this.#delivered === before) return [];
    return [{ kind: "receipts", stored: this.#out.acked, delivered: this.#delivered }];
  }

  #fault(fault: FromBroker<"ERROR">): ClientEvent[] {
    switch (fault.data.reason) {
      case "too_many_lookups":
      case "relay_lost":
        // The question itself may be what was lost: it is asked again, whatever it was.
        this.reattach();
        return [{ kind: "fault", fault }];
      case "session_not_attached":
      case "sequence_gap":
      case "ack_beyond":
      case "flow_control":
        // All of them say the same: what is on the way is not what the broker expects. Attach again, from where it stands.
        this.#reattachOnce();
        return [{ kind: "fault", fault }];
      case "session_exists":
      case "self_session":
      case "too_many_sessions":
        // They refuse INIT or ACCEPT. Once the session is open the question was a late copy, and its answer is about nothing.
        if (this.#state.name !== "offering" && this.#state.name !== "accepting") return [{ kind: "fault", fault }];
        return this.#end(fault.data.reason, fault.data.detail);
      case "session_not_pending":
        // An earlier life of this agent had accepted it already: this one asks where that came to (A8).
        if (this.#state.name !== "accepting") return [{ kind: "fault", fault }];
        if (this.#out.next > 1) return this.#end(fault.data.reason, fault.data.detail);
        this.#state = { name: "recovering", asked: false };
        return [];
      case "session_unknown":
      case "session_closed":
      case "session_damaged":
      // An envelope that the broker cannot take stops the stream: nothing after it would ever be in sequence.
      case "invalid_envelope":
      case "envelope_too_large":
      case "too_deep":
      case "from_mismatch":
        return this.#end(fault.data.reason, fault.data.detail);
      default:
        return [{ kind: "fault", fault }];
    }
  }

  #end(reason: string, detail: string): ClientEvent[] {
    this.#state = { name: "ended", reason, detail };
    return [{ kind: "ended", reason, detail }];
  }
}

const requestHead = '{"type":"TASK_REQUEST"';

/** The `data` of a TASK_REQUEST as this end wrote it, or nothing. */
const requestIn = (line: string): string[] =>
  line.startsWith(requestHead) ? [line.slice(line.indexOf(',"data":') + ',"data":'.length, -1)] : [];

const mismatchDetail =
  "The broker repeated a number with another envelope: its storage is an older one; the session cannot go on.";

const outcomeDetail: Record<ResumeOutcome, string> = {
  resumed: "",
  closed: "The session is closed. What was acknowledged before is stored.",
  unknown: "The broker does not know the session.",
  gap: "The broker and this client do not agree on what was sent; the session cannot go on without losing something.",
  epoch_mismatch: "The session was restored from older storage; it cannot go on without losing something.",
};
