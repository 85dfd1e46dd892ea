// The broker half of a session: everything reliable, as (event, now) → ordered effects. No clock, no dice, no I/O, no await.
// `SessionObject` drives it on the edge; tests and the simulator drive it in virtual time. The stream of work itself is in
// `intake.ts`, attachment and resuming in `attachments.ts`, offers in `opening.ts`, states in `life.ts`; this file says which event
// is whose, and what happens at the beginning and the end of each.
import { type Capability, isWork, type SessionEnvelope } from "../wire/envelope.ts";
import type { ErrorReason } from "../wire/errors.ts";
import type { AgentId, Uuid } from "../wire/ids.ts";
import { limits } from "../wire/limits.ts";
import { Attachments } from "./attachments.ts";
import { isWhole } from "./damage.ts";
import { Direction, type Progress } from "./direction.ts";
import type { AttachKey, Output, Saved, SessionRecord } from "./effects.ts";
import { Intake } from "./intake.ts";
import { Life } from "./life.ts";
import { OpenTasks } from "./open-tasks.ts";
import { Opening } from "./opening.ts";
import { Outbox } from "./outbox.ts";
import { type Letter, noteRedrive, type Redriven, takeLetters } from "./redrive.ts";
import { isEnded, isLive } from "./states.ts";
import type { Side, TaskTable } from "./tasks.ts";
import { dueTimers, nextDeadline } from "./timers.ts";

/** One inbound frame's envelopes for this session, with what the adapter knows about who sent them. */
export interface Inbound {
  agent: AgentId;
  attach: AttachKey;
  envelopes: readonly SessionEnvelope[];
  /** What the agent announced: needed where a SESSION_INIT or SESSION_ACCEPT is in the frame. */
  capabilities?: readonly Capability[];
}

/** Dice, brought from outside. */
export interface Mint {
  /** A fresh UUIDv7 for a frame of the broker's own. */
  id(): Uuid;
  /** A fresh name for a session's storage. */
  epoch(): string;
}

export class BrokerSession {
  readonly #directions: [Direction, Direction] = [new Direction(), new Direction()];
  readonly #tasks: OpenTasks;
  readonly #intake: Intake;
  #record: SessionRecord | undefined;
  readonly #attachments: Attachments;
  readonly #life: Life;
  readonly #opening: Opening;
  readonly #out: Outbox;
  /** Its storage is not what was stored: whoever asks is told so, and nothing else happens any more. */
  readonly isDamaged: boolean;

  /** @param stored what it lives on from; "unreadable": something is stored, and it cannot be made out what */
  constructor(tasks: TaskTable, mint: Mint, stored?: Saved | "unreadable") {
    const saved = stored === "unreadable" ? undefined : stored;
    this.isDamaged = stored === "unreadable" || (saved !== undefined && !isWhole(saved));
    this.#record = saved?.record;
    const latest = saved?.cursors;
    if (saved && latest && !this.isDamaged) {
      for (const side of [0, 1] as const)
        this.#directions[side].restore(saved.rows[side], latest.acked[side], latest.granted[side], latest.sent[side]);
    }
    this.#tasks = new OpenTasks(tasks);
    this.#intake = new Intake(this.#directions, this.#tasks, mint);
    this.#out = new Outbox(this.#directions, latest);
    this.#attachments = new Attachments(
      this.#directions,
      this.#tasks,
      this.#intake,
      this.#out,
      mint,
      saved !== undefined,
    );
    this.#life = new Life(this.#directions, this.#tasks, this.#out, mint);
    this.#opening = new Opening(this.#attachments, this.#life, this.#out, mint);
  }

  /** The session as it is stored, or undefined: there is none. */
  get record(): Readonly<SessionRecord> | undefined {
    return this.#record;
  }

  /** How far each direction is (index: the side that sends in it). */
  get progress(): [Progress, Progress] {
    return [this.#directions[0].progress, this.#directions[1].progress];
  }

  /** When the next thing is due (epoch milliseconds), if anything is. */
  get deadline(): number | undefined {
    const record = this.#record;
    if (record === undefined) return undefined;
    const task = isLive(record.state) ? this.#tasks.nextDue() : undefined;
    return nextDeadline({ ...record.timers, ...(task !== undefined && { task }) });
  }

  /** Whether a direct socket of this agent may be opened. */
  isParticipant(agent: AgentId): boolean {
    return this.#record?.agents.includes(agent) ?? false;
  }

  /** A frame came in. */
  receive(inbound: Inbound, now: number): Output {
    this.#begin(now);
    const { agent, attach } = inbound;
    for (const envelope of inbound.envelopes) {
      const record = this.#record;
      if (this.isDamaged) this.#out.fault("session_damaged", envelope);
      else if (envelope.type === "SESSION_INIT") this.#record = this.#opening.init(record, envelope, inbound);
      else if (record === undefined || !record.agents.includes(agent)) this.#attachments.unknown(envelope);
      else {
        const side: Side = record.agents[0] === agent ? 0 : 1;
        if (envelope.type === "SESSION_ACCEPT") this.#opening.accept(record, side, envelope, inbound);
        else if (envelope.type === "SESSION_REJECT") this.#opening.reject(record, side, envelope);
        else if (envelope.type === "SESSION_RESUME") this.#attachments.resume(record, side, envelope, attach);
        else this.#work(record, side, attach, envelope);
      }
    }
    this.#settle();
    return this.#finish();
  }

  /** The responder's agent took the offer. Where it was answered meanwhile, its list may have it again: it is told once more. */
  offerMade(now: number): Output {
    this.#out.begin(now);
    if (this.#record !== undefined && this.#record.state !== "pending") this.#life.tellIndex(this.#record);
    return this.#finish();
  }

  /** The responder has no connection that could take the offer. */
  offerFailed(reason: ErrorReason, now: number): Output {
    this.#out.begin(now);
    if (this.#record?.state === "pending") this.#life.end(this.#record, "reject", { reason });
    return this.#finish();
  }

  /** An attachment turned out to be gone. Older than the present one: nothing happens. */
  detached(side: Side, attach: AttachKey, now: number): Output {
    this.#out.begin(now);
    const record = this.#record;
    if (record && record.attach[side] === attach) {
      record.attach[side] = null;
      this.#out.changed();
    }
    return this.#finish();
  }

  /** The index (D1, the agents' lists) has the state of `record` as it was then. */
  indexed(state: SessionRecord["state"], now: number): Output {
    this.#out.begin(now);
    const record = this.#record;
    if (record && record.state === state && record.timers.index !== undefined) {
      delete record.timers.index;
      this.#out.changed();
    }
    return this.#finish();
  }

  /**
   * The alarm rang.
   * @param lastWorkAt when the newest row was written, if there is one
   */
  wake(lastWorkAt: number | undefined, now: number): Output {
    this.#begin(now);
    const record = this.#record;
    for (const name of record ? dueTimers(record.timers, now) : []) {
      if (record === undefined || record.timers[name] === undefined) continue;
      if (name === "index") {
        record.timers.index = now + limits.indexRetryMs;
        this.#out.changed();
        this.#out.index(record);
      } else if (name === "offer") this.#life.end(record, "expire", { reason: "offer_expired" });
      else if (name === "forget") {
        // Asked for until it is done; not before D1 has heard of the end, which would bring it back there.
        record.timers.forget = now + limits.indexRetryMs;
        this.#out.changed();
        if (record.timers.index === undefined) this.#out.erase(record.session_id);
      } else {
        const workAt = lastWorkAt ?? record.created_at;
        const idleAt = workAt + limits.sessionIdleMs;
        const isAsked = record.asked_at !== undefined && workAt <= record.asked_at;
        if (idleAt > now && !isAsked) record.timers.idle = idleAt;
        else if (!isAsked && this.#attachments.asksBeforeEnd(record)) record.timers.idle = now + limits.ackStallMs;
        else this.#life.end(record, "expire", { reason: "session_expired" });
        this.#out.changed();
      }
    }
    this.#settle();
    return this.#finish();
  }

  /** Somebody who may ends it, whatever is under way (N17). Ended already: nothing happens. */
  end(now: number): Output {
    this.#begin(now);
    const record = this.#record;
    if (record !== undefined)
      this.#life.end(record, "end", { reason: isLive(record.state) ? "closed" : "session_closed" });
    this.#settle();
    return this.#finish();
  }

  /** Closes whatever sockets the agent has here (its certificate was revoked, it was suspended). */
  expel(agent: AgentId, code: number, reason: string, now: number): Output {
    this.#out.begin(now);
    const record = this.#record;
    if (record?.agents.includes(agent)) {
      const side: Side = record.agents[0] === agent ? 0 : 1;
      const attach = record.attach[side];
      if (attach !== null) {
        this.#out.close(side, attach, code, reason);
        record.attach[side] = null;
        this.#out.changed();
      }
    }
    return this.#finish();
  }

  // --- dead letters

  /** At their target: takes dead letters of `side`'s out of another session of the two, `after` those that it took before. */
  redrive(
    side: Side,
    source: Uuid,
    letters: readonly Letter[],
    after: number,
    now: number,
  ): Output & { answer: Redriven | undefined } {
    this.#begin(now);
    const record = this.#record;
    const isOpen = record?.state === "active";
    const answer = isOpen
      ? takeLetters(record, side, source, letters, after, this.#directions, this.#tasks, this.#out)
      : undefined;
    this.#settle();
    return { ...this.#finish(), answer };
  }

  /** At their source: the dead letters of `side` after one `seq` go into that session, and are there through another. */
  redriving(side: Side, target: Uuid, after: number, through: number, now: number): Output {
    this.#out.begin(now);
    const record = this.#record;
    if (record) {
      record.redrives = noteRedrive(record.redrives, { side, target, after, through });
      this.#out.changed();
    }
    return this.#finish();
  }

  // --- work

  #work(record: SessionRecord, side: Side, attach: AttachKey, envelope: SessionEnvelope): void {
    if (record.state === "pending") return this.#out.fault("session_not_active", envelope);
    if (isEnded(record.state)) {
      // Receipts that crossed the end are no mistake; work is.
      return isWork(envelope) ? this.#out.fault("session_closed", envelope) : undefined;
    }
    if (record.attach[side] !== attach) return this.#out.fault("session_not_attached", envelope, "once");
    if ("ack" in envelope && envelope.ack !== undefined) this.#intake.acknowledged(side, envelope, this.#out, record);
    if (isWork(envelope)) {
      if (this.#intake.take(record, side, attach, envelope, this.#out)) this.#life.step(record, "close");
    }
    if (envelope.type === "PAUSE" || envelope.type === "RESUME") {
      const asked = envelope.type === "PAUSE";
      if (record.paused[side] !== asked) {
        record.paused[side] = asked;
        this.#out.changed();
      }
      if (!asked) this.#out.pump(side, record);
    }
  }

  // --- the ends of an event

  /** What is due comes first. A session that is not live has no open tasks, and looks nothing up. */
  #begin(now: number): void {
    this.#out.begin(now);
    const record = this.#record;
    if (record === undefined) return;
    if (this.isDamaged) this.#life.condemn(record);
    else if (isLive(record.state)) this.#intake.elapse(record, this.#out);
  }

  #settle(): void {
    const record = this.#record;
    if (record === undefined) return;
    this.#intake.flush(record, this.#out);
    if (isLive(record.state)) this.#out.settle(record);
    if (isLive(record.state) && this.#out.reportsUsage(record)) this.#life.tellIndex(record);
    const drained = this.#directions.every((direction) => direction.out.waiting === 0);
    if (record.state === "closing" && drained) this.#life.end(record, "drained", { reason: "closed" });
  }

  #finish(): Output {
    return { effects: this.#out.end(this.#record), deadline: this.deadline };
  }
}
