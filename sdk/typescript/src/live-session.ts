// A session as the application holds it: promises, iterators and handlers around the core's client half. It decides when
// something counts as taken; when and where its lines are sent is the agent's business. No sockets here.
import type { ClientSession } from "../../../protocol/session/client.ts";
import type { ClientEvent } from "../../../protocol/session/client-events.ts";
import { encode } from "../../../protocol/wire/codec.ts";
import type { BrokerEnvelope, Capability, DeliveredEnvelope } from "../../../protocol/wire/envelope.ts";
import type { Message, Receipt, RequestOptions, Session, SessionEnd, Task } from "./api.ts";
import type { Connection } from "./connection.ts";
import { jsonOf } from "./content.ts";
import { type Deferred, deferred, rejected } from "./deferred.ts";
import { AgentworksError, wireError } from "./error.ts";
import type { Host } from "./host.ts";
import { Inbox, type Slot } from "./inbox.ts";
import type { SessionMemory } from "./journal-records.ts";
import { Messages } from "./messages.ts";
import { mint } from "./mint.ts";
import { Outgoing } from "./outgoing.ts";
import { Performer } from "./performer.ts";
import { Hold, Pausing, Stall } from "./pulse.ts";
import type { Say } from "./receipts.ts";
import { Requests } from "./requests.ts";
import { SessionClose } from "./session-close.ts";
import { sessionEndOf } from "./session-end.ts";
import { SessionJournal } from "./session-journal.ts";
import type { Timing } from "./socket.ts";

export class LiveSession implements Session {
  capabilities: readonly Capability[] = [];
  /** A connection of its own, once it has one: its lines go there only. */
  route: Connection | undefined;
  /** Whether this program did not open it: a peer did, or an earlier life of this agent. */
  readonly offered: boolean;
  recovered: boolean;
  requested: readonly string[] = [];
  /** Work through this `seq` may have been taken in an earlier life. */
  #sentBefore = 0;
  readonly #core: ClientSession;
  readonly #host: Host;
  readonly #journal: SessionJournal | undefined;
  /** What the journal remembers of it, until the broker has agreed. */
  #memory: SessionMemory | undefined;
  readonly #inbox: Inbox;
  readonly #messages: Messages;
  readonly #outgoing: Outgoing;
  readonly #requests: Requests;
  readonly #performer: Performer;
  readonly #opening: Deferred<void> = deferred();
  readonly #ending: Deferred<SessionEnd> = deferred();
  #end: SessionEnd | undefined;
  readonly #close: SessionClose;
  #abandoned = false;
  readonly #hold = new Hold();
  readonly #pausing = new Pausing();
  readonly #answers = new Stall();
  readonly #deliveries = new Stall();

  /** @param memory what the journal remembers of it, where `core` was recalled */
  constructor(core: ClientSession, host: Host, memory?: SessionMemory) {
    this.#core = core;
    this.#host = host;
    this.offered = core.state !== "offering";
    this.recovered = core.state === "recovering" || memory !== undefined;
    const wake = () => host.wake(this);
    const take = (seq: number) => {
      core.take(seq);
      wake();
    };
    const journal = host.journal && new SessionJournal(host.journal, core.session_id);
    this.#journal = journal;
    this.#inbox = new Inbox(take, journal && ((slot, through) => journal.taken(slot.seq, through, slot.envelope)));
    this.#messages = new Messages(this.#inbox);
    this.#outgoing = new Outgoing(core, wake, journal);
    this.#close = new SessionClose(this.#outgoing, this.#inbox);
    const say: Say = (type, data, bounded) => this.#outgoing.say(type, data, bounded);
    this.#requests = new Requests(say, mint);
    this.#performer = new Performer(this, host.handlers, this.#inbox, say);
    if (memory !== undefined) this.#recall(memory);
  }

  #recall(memory: SessionMemory): void {
    this.#memory = memory;
    this.#sentBefore = memory.redelivered;
    this.#inbox.recall(memory.ahead);
    this.#outgoing.messages = memory.messages;
    this.requested = [...memory.requested];
    const { closing } = memory;
    if (closing === undefined) return;
    this.#close.recall(closing.reason);
    if (closing.own) this.#messages.unwanted();
  }

  /** The broker goes on from what was remembered: so does the application, and what it had begun and not finished first. */
  #recalled({ tasks }: SessionMemory): void {
    this.#memory = undefined;
    const begun = [...tasks.values()];
    this.#opening.resolve();
    this.#host.opened(this);
    this.#performer.recall(begun);
  }

  get id(): string {
    return this.#core.session_id;
  }

  get peer(): string {
    return this.#core.peer;
  }

  // --- what the application does

  request<R, P>(capability: string, input: unknown, options: RequestOptions = {}): Task<R, P> {
    const task: Task = this.#requests.ask(capability, input, options, this.#performer.size);
    // The types of result and progress are the caller's claim about its peer.
    return task as Task<R, P>;
  }

  send(content: unknown): Promise<Receipt> {
    try {
      return this.#outgoing.say("MESSAGE", `{"content":${jsonOf(content)}}`).stored;
    } catch (error) {
      return rejected(error);
    }
  }

  get sent(): number {
    return this.#outgoing.messages;
  }

  get ready(): Promise<void> {
    return this.#outgoing.ready;
  }

  messages(): AsyncIterableIterator<Message> {
    return this.#messages.read();
  }

  pause(): void {
    this.#pausing.want(true);
    this.#host.wake(this);
  }

  resume(): void {
    this.#pausing.want(false);
    this.#host.wake(this);
  }

  close(reason = "closed"): Promise<void> {
    if (this.#close.stored !== undefined) return this.#close.stored;
    if (this.#end !== undefined) return Promise.resolve();
    const stored = this.#close.say(reason, this.#core.state === "recovering" ? this.opened : undefined);
    this.#performer.abandon(wireError("session_closed"));
    this.#messages.unwanted();
    return stored;
  }

  get closed(): Promise<SessionEnd> {
    return this.#ending.promise;
  }

  // --- what the agent does

  /** Resolves when the session is accepted; rejects when it will not be. */
  get opened(): Promise<void> {
    return this.#opening.promise;
  }

  get hasUnread(): boolean {
    return this.#messages.hasUnread;
  }

  /** This program offered it, and has had no answer. */
  get isOffering(): boolean {
    return this.#core.state === "offering";
  }

  /** The one who opened it does not wait any more: it is closed as soon as it is accepted. */
  abandon(error: AgentworksError): void {
    this.#abandoned = true;
    this.#opening.reject(error);
  }

  /** A connection is up: what comes next is INIT, ACCEPT or RESUME. */
  connected(): void {
    this.#hold.release();
    this.#core.connected();
  }

  /** Whether a receipt waits for company. */
  get owesReceipt(): boolean {
    return this.#core.owesReceipt;
  }

  /** Writes what the journal does not have yet: before anything leaves, connected or not. False: nothing may leave. */
  keep(): boolean {
    return this.#journal?.commit() ?? true;
  }

  /** What is to be sent now; with "later", a receipt waits for company. */
  lines(receipts: "now" | "later" = "now"): string[] {
    if (this.#hold.isHeld) return [];
    if (!this.keep()) return [];
    const lines = this.#core.lines(receipts);
    if (this.#core.hasFullFrame) this.#host.wake(this);
    const type = this.#core.state === "ready" ? this.#pausing.take() : undefined;
    if (type !== undefined) lines.push(encode({ type, session_id: this.id }));
    return lines;
  }

  receive(envelope: BrokerEnvelope): void {
    for (const event of this.#core.receive(envelope)) this.#hear(event, envelope);
    if (this.#end === undefined) this.#host.wake(this);
  }

  /** L15, L28: attaches again when what is on its way has had no answer, or what is stored is not delivered, for too long. */
  watchStall(nowMs: number, { ackStallMs, deliveryStallMs }: Pick<Timing, "ackStallMs" | "deliveryStallMs">): void {
    // Both are looked at each time: they keep the time of what they saw last.
    const { state, oldestInFlight, awaited } = this.#core;
    const isOwed = state !== "ready" || oldestInFlight !== undefined;
    const asked = isOwed ? `${state} ${oldestInFlight}` : undefined;
    const isUnanswered = this.#answers.isStalled(asked, nowMs, ackStallMs);
    const isForgotten = this.#deliveries.isStalled(awaited, nowMs, deliveryStallMs);
    if (!isUnanswered && !isForgotten) return;
    this.connected();
    this.#host.wake(this);
  }

  /** The agent is over. What this side had closed ended as it was closed. */
  stop(error: AgentworksError): void {
    this.end(this.#close.isDone ? { reason: this.#close.reason } : { reason: error.reason, error });
  }

  /** Ends it on this side. Nothing is said to the broker. */
  end(end: SessionEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    const { error } = end;
    this.#hold.release();
    const refusal = error ?? wireError("session_closed");
    this.#opening.reject(refusal);
    this.#performer.abandon(refusal);
    this.#requests.fail(refusal);
    this.#outgoing.fail(refusal);
    this.#messages.end(error?.reason === "agent_closed" ? undefined : error);
    this.#host.ended(this);
    this.#ending.resolve(end);
  }

  // --- what the broker says

  #hear(event: ClientEvent, envelope: BrokerEnvelope): void {
    switch (event.kind) {
      case "work":
        return this.#work(event.envelope);
      case "receipts":
        this.#journal?.stored(event.stored);
        this.#outgoing.settle(event.stored, event.delivered);
        return this.#close.settle();
      case "accepted":
        this.#hold.healed();
        this.capabilities = event.capabilities;
        this.#journal?.opened(this.#core.remembered, 0, []);
        this.#opening.resolve();
        if (this.#abandoned) void this.close("abandoned");
        else this.#host.opened(this);
        return;
      case "resumed":
        this.#hold.healed();
        this.route?.settled();
        this.#pausing.attached();
        return this.#memory && this.#recalled(this.#memory);
      case "unheard":
        return this.#requests.askAgain(event.requests);
      case "recovered":
        this.#hold.healed();
        this.recovered = true;
        this.#sentBefore = event.sent;
        this.requested = event.requested;
        if (event.closing) this.#outgoing.shut(wireError("session_closed"));
        this.#journal?.opened(this.#core.remembered, event.sent, event.requested);
        this.#opening.resolve();
        return this.#host.opened(this);
      case "flow":
        return this.#host.tell({ type: event.paused ? "paused" : "resumed", session: this });
      case "fault": {
        if (event.fault.data.reason === "relay_lost" || event.fault.data.reason === "too_many_lookups") {
          this.#hold.hold(this.#host.random(), () => this.#host.wake(this));
        }
        const refused = this.#requests.refused(event.fault);
        if (refused !== undefined) return this.#journal?.refused(refused);
        return this.#host.tell({ type: "fault", session: this, error: new AgentworksError(event.fault.data) });
      }
      case "ended":
        this.#journal?.ended();
        return this.end(sessionEndOf(envelope, this.#close.reason));
    }
  }

  #work(envelope: DeliveredEnvelope): void {
    if (this.#inbox.hadBefore(envelope.seq)) return;
    const redelivered = envelope.seq <= this.#sentBefore;
    if (envelope.type === "MESSAGE") return this.#messages.arrived(envelope, redelivered);
    const slot = this.#inbox.arrived({ seq: envelope.seq, taken: false, envelope });
    if (envelope.type === "TASK_REQUEST") return this.#performer.request(envelope, slot, redelivered);
    if (envelope.type === "SESSION_CLOSE") return this.#peerCloses(envelope.data.reason ?? "closed", slot);
    if (envelope.type === "TASK_CANCEL") return this.#performer.cancel(envelope, slot);
    if (!this.#inbox.done(slot)) return;
    if (envelope.type === "TASK_PROGRESS") this.#requests.progress(envelope);
    else this.#requests.response(envelope);
  }

  #peerCloses(reason: string, slot: Slot): void {
    this.#close.hear(reason, slot);
    const refusal = wireError("session_closed");
    this.#performer.abandon(refusal);
    this.#requests.fail(refusal);
    this.#messages.end();
    this.#close.settle();
  }
}
