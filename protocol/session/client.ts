// The client half of a session, as (event) → lines to send and events for the application. No clock, no dice, no I/O, no await.
// The TypeScript SDK drives it; the Python and Ruby SDKs port it. It keeps what the broker has not acknowledged, and it
// acknowledges what the application has taken (not what merely arrived), so that a slow application slows its peer down. Here are
// the states and what moves between them; what is kept of the two streams is in client-outgoing.ts and client-incoming.ts.
import { encode, encodeWork } from "../wire/codec.ts";
import {
  type BrokerEnvelope,
  type DeliveredEnvelope,
  type FromBroker,
  isDelivered,
  type WorkData,
  type WorkType,
} from "../wire/envelope.ts";
import type { AgentId, Uuid } from "../wire/ids.ts";
import { limits } from "../wire/limits.ts";
import type { ClientEvent, ClientState, Remembered } from "./client-events.ts";
import { mismatchDetail, outcomeDetail, remedyFor } from "./client-faults.ts";
import { IncomingWork } from "./client-incoming.ts";
import { OutgoingWork } from "./client-outgoing.ts";

export class ClientSession {
  readonly session_id: Uuid;
  /** Of a session that was opened by a capability: "" until it is accepted. */
  #peer: AgentId;
  #state: ClientState;
  #epoch = "";
  readonly #in = new IncomingWork();
  readonly #out = new OutgoingWork();
  #paused = false;
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
    session.#in.recover(taken, isClosing);
    session.#out.startAfter(stored);
    for (const line of lines) {
      const { type, seq } = JSON.parse(line) as { type: WorkType; seq: number };
      session.#out.queue(type, seq, line);
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
      taken: this.#in.taken,
      stored: this.#out.acked,
      lines,
      isClosing: this.#isClosing,
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
    const { acked, delivered, waiting } = this.#out;
    const isDone = waiting === 0 && delivered >= acked;
    return isDone && !this.#isClosing ? undefined : `${acked} ${delivered} ${this.#in.taken}`;
  }

  /** A side has closed. */
  get #isClosing(): boolean {
    return this.#out.isClosing || this.#in.isClosed;
  }

  /**
   * Queues one envelope. Never refuses: the caller bounds the backlog.
   * @returns its `seq`
   */
  send<K extends WorkType>(
    type: K,
    id: Uuid,
    data: WorkData<K>,
    more?: { in_reply_to?: Uuid; traceparent?: string },
  ): number {
    return this.sendText(type, id, JSON.stringify(data), more);
  }

  /** The same, with `data` as JSON text of the type's own shape: who had to measure it need not write it twice. */
  sendText(type: WorkType, id: Uuid, data: string, more?: { in_reply_to?: Uuid; traceparent?: string }): number {
    const seq = this.#out.next;
    this.#out.queue(type, seq, encodeWork({ type, id, session_id: this.session_id, seq, ...more }, data));
    return seq;
  }

  /** The application has taken everything through `seq`: it will be acknowledged with the next lines. */
  take(seq: number): void {
    this.#in.take(seq);
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
    return this.#state.name === "ready" && this.#in.owed > 0;
  }

  /** A full frame of work waits that need not wait for anything: call `lines` once more, for a frame of its own (B1). */
  get hasFullFrame(): boolean {
    return this.#state.name === "ready" && this.#out.hasFullFrame;
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
    const lines = this.#out.frame();
    // What this end has taken is said once more after its SESSION_CLOSE, so that the broker can end the session (N7).
    if (lines.length > 0 && this.#out.hasSentClose) this.#in.acknowledgeAgain();
    const { owed, taken } = this.#in;
    const waits = receipts === "later" && lines.length === 0 && owed < limits.receiptMessagesMax;
    if (owed > 0 && !waits) {
      this.#in.acknowledge();
      lines.push(encode({ type: "MESSAGE_ACK", session_id: this.session_id, ack: taken }));
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
      ack: this.#in.taken,
      data: { epoch: this.#epoch, received: this.#in.last, first: this.#out.acked + 1, next: this.#out.next },
    });
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
    switch (this.#in.receive(envelope)) {
      case "next":
        return [{ kind: "work", envelope }];
      case "duplicate":
        return [];
      case "gap":
        this.#reattachOnce();
        return [];
      case "mismatch":
        return this.#end("stream_mismatch", mismatchDetail);
    }
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
    this.#paused = false;
    const unheard = this.#out.tellUnheard();
    // Once a side has closed, nothing more is asked: every task ends with the session.
    const requests = this.#isClosing ? [] : unheard;
    return [...receipts, { kind: "resumed" }, ...(requests.length > 0 ? [{ kind: "unheard", requests } as const] : [])];
  }

  #recovered(data: FromBroker<"SESSION_RESUMED">["data"], limit: number): ClientEvent[] {
    if (data.outcome !== "resumed") return this.#end(`resume_${data.outcome}`, outcomeDetail[data.outcome]);
    const { epoch = "", received, delivered, taken = 0, sent = taken, requested = [] } = data;
    this.#epoch = epoch;
    this.#out.recover(received, delivered, limit);
    this.#in.recover(taken, data.state === "closing");
    this.#state = { name: "ready" };
    return [{ kind: "recovered", sent, requested, closing: this.#in.isClosed }];
  }

  #receipts(stored: number, delivered: number, limit: number): ClientEvent[] {
    const hasMoved = this.#out.receipt(stored, delivered, limit, this.#state.name !== "resuming");
    return hasMoved ? [{ kind: "receipts", stored: this.#out.acked, delivered: this.#out.delivered }] : [];
  }

  #fault(fault: FromBroker<"ERROR">): ClientEvent[] {
    const { reason, detail } = fault.data;
    switch (remedyFor(reason, this.#state.name)) {
      case "ask":
        this.reattach();
        break;
      case "attach":
        this.#reattachOnce();
        break;
      case "recover":
        if (this.#out.next > 1) return this.#end(reason, detail);
        this.#state = { name: "recovering", asked: false };
        return [];
      case "end":
        return this.#end(reason, detail);
      case "none":
        break;
    }
    return [{ kind: "fault", fault }];
  }

  #end(reason: string, detail: string): ClientEvent[] {
    this.#state = { name: "ended", reason, detail };
    return [{ kind: "ended", reason, detail }];
  }
}
