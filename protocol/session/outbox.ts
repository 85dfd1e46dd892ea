// Collects the effects of one event at the broker and puts them in order: rows, then frames, then notices. It also decides
// what each side is owed at the end of the event (receipts, PAUSE, RESUME) and when cursors are worth a row of their own.
import { encode, errorLine } from "../wire/codec.ts";
import type { BrokerEnvelope, SessionEnvelope } from "../wire/envelope.ts";
import type { ErrorReason } from "../wire/errors.ts";
import type { Uuid } from "../wire/ids.ts";
import { limits } from "../wire/limits.ts";
import type { Direction } from "./direction.ts";
import type { AttachKey, Cursors, Effect, Row, SessionRecord, Usage } from "./effects.ts";
import type { Slotted } from "./ring.ts";
import { otherSide, type Side, type TaskRecord } from "./tasks.ts";

const nothing: Usage = { messages: 0, bytes: 0, tasks: 0 };
const none: Cursors = { version: 0, acked: [0, 0], granted: [0, 0], sent: [0, 0], usage: nothing };
const sides = [0, 1] as const;

export class Outbox {
  readonly #directions: readonly [Direction, Direction];
  /** The copy of the cursors that is stored. */
  #stored: Cursors;
  #ackedBytes = 0;
  readonly #usage: Usage;
  #rows: Row[] = [];
  /** What this event stored, by direction and row: it can be sent without reading it back. */
  readonly #bodies: [Map<number, string>, Map<number, string>] = [new Map(), new Map()];
  #persist: Effect[] = [];
  #transmit: Effect[] = [];
  #notify: Effect[] = [];
  #replies: string[] = [];
  #saidOnce = new Set<ErrorReason>();
  #recordChanged = false;
  /** The index is to be told, with the record as it was then. */
  #indexed: SessionRecord | undefined;
  #sentMoved = false;
  #owed: [boolean, boolean] = [false, false];
  #owedReply: [boolean, boolean] = [false, false];
  /** More of what a side sent is delivered than it was told; of all here, this and the next outlive the event. */
  readonly #untold: [boolean, boolean] = [false, false];
  /** When a side had its last receipt: where that is forgotten with the rest of the memory, it gets one too many. */
  readonly #toldAt: [number, number] = [0, 0];
  now = 0;

  constructor(directions: readonly [Direction, Direction], stored: Cursors = none) {
    this.#directions = directions;
    this.#stored = stored;
    this.#usage = { ...nothing, ...stored.usage };
  }

  begin(now: number): void {
    this.now = now;
    this.#rows = [];
    for (const bodies of this.#bodies) bodies.clear();
    this.#persist = [];
    this.#transmit = [];
    this.#notify = [];
    this.#indexed = undefined;
    this.#replies = [];
    this.#saidOnce.clear();
    this.#recordChanged = false;
    this.#sentMoved = false;
    this.#owed = [false, false];
    this.#owedReply = [false, false];
  }

  // --- rows

  store(row: Omit<Row, "at" | "cursors">, forget: Slotted[]): void {
    this.#rows.push({ ...row, at: this.now, cursors: none });
    this.#bodies[row.stream].set(row.row, row.body);
    if (forget.length > 0) this.#persist.push({ do: "forget", stream: row.stream, rows: forget });
  }

  task(task: TaskRecord): void {
    this.#persist.push({ do: "task", task });
  }

  redriven(source: Uuid, stream: Side, through: number): void {
    this.#persist.push({ do: "redriven", source, stream, through });
  }

  cancelTasks(): void {
    this.#persist.push({ do: "cancelTasks" });
  }

  /** The record is different now; it is stored once, as it stands at the end of the event. */
  changed(): void {
    this.#recordChanged = true;
  }

  /** `sent` went back: unlike the other cursors that must not be forgotten. */
  rewound(): void {
    this.#sentMoved = true;
  }

  acknowledgedBytes(bytes: number): void {
    this.#ackedBytes += bytes;
  }

  // --- frames

  reply(envelope: BrokerEnvelope): void {
    this.#replies.push(encode(envelope));
  }

  /** Answers one envelope with an ERROR; with `"once"` only the first of its kind in a frame. */
  fault(reason: ErrorReason, envelope: SessionEnvelope, more?: object | "once"): void {
    if (more === "once") {
      if (this.#saidOnce.has(reason)) return;
      this.#saidOnce.add(reason);
    }
    const { id, session_id } = envelope;
    const fault = { reason, ...(id !== undefined && { id }), ...(session_id !== undefined && { session_id }) };
    this.#replies.push(errorLine(fault, typeof more === "object" ? more : undefined));
  }

  /** One envelope to a side, in order with its work; nothing when it is not attached. */
  line(record: SessionRecord, to: Side, envelope: BrokerEnvelope): void {
    const attach = record.attach[to];
    if (attach !== null) this.#transmit.push({ do: "send", to, attach, frames: [encode(envelope)] });
  }

  /** An ERROR about the session to a side, whether or not it asked; nothing when it is not attached. */
  error(record: SessionRecord, to: Side, reason: ErrorReason): void {
    const attach = record.attach[to];
    const frames = [errorLine({ reason, session_id: record.session_id })];
    if (attach !== null) this.#transmit.push({ do: "send", to, attach, frames });
  }

  close(to: Side, attach: AttachKey, code: number, reason: string): void {
    this.#transmit.push({ do: "close", to, attach, code, reason });
  }

  /** Hands over what waits for a side, as far as windows and its own PAUSE allow. */
  pump(to: Side, record: SessionRecord): void {
    const attach = record.attach[to];
    if (attach === null || record.paused[to]) return;
    const stream = otherSide(to);
    const { out } = this.#directions[stream];
    const spans = out.sendable(limits.windowMessages, limits.windowBytes).filter((span) => span.last >= span.first);
    const last = spans.at(-1)?.last;
    if (last === undefined) return;
    const fresh = spans.map((span) => this.#bodies[stream].get(span.row));
    const first = out.sent + 1;
    out.sent = last;
    // A stream that was rewound in this very event is read back, so that it can be seen what goes twice.
    if (!this.#sentMoved && fresh.every((body) => body !== undefined)) {
      this.#transmit.push({ do: "send", to, attach, frames: fresh });
    } else {
      // It was rewound again: what was to be replayed before goes with this. A frame of RESUMEs is answered with one window.
      const stale = (effect: Effect) => effect.do === "replay" && effect.to === to && effect.last >= first;
      this.#transmit = this.#transmit.filter((effect) => !stale(effect));
      this.#transmit.push({ do: "replay", to, attach, first, last });
      // No new row tells how far it was sent. Forgotten, the same would be replayed at each acknowledgement.
      this.#sentMoved = true;
    }
  }

  /** The side is owed a receipt: as an answer when it is the one that sent, else as a frame of its own. */
  owe(side: Side, asReply = false): void {
    if (asReply) this.#owedReply[side] = true;
    else this.#owed[side] = true;
  }

  /** More of what the side sent is delivered: it is told, unless the next receipt will say so soon enough (S10). */
  delivered(side: Side): void {
    this.#untold[side] = true;
  }

  /** A busy stream: the side was told a moment ago, and so much waits for the receiver that it is about to acknowledge more. */
  #isBusy(side: Side): boolean {
    const { waiting } = this.#directions[side].out;
    return waiting >= limits.receiptMessagesMax && Math.abs(this.now - this.#toldAt[side]) < limits.deliveredQuietMs;
  }

  // --- notices

  offer({ session_id, agents, offer: line, timers, waits = false, capability }: SessionRecord): void {
    const until = timers.offer ?? this.now;
    this.#notify.push({
      do: "offer",
      to: agents[1],
      session_id,
      line,
      until,
      waits,
      ...(capability && { capability }),
    });
  }

  index(record: SessionRecord): void {
    record.reported = this.#usage.messages;
    this.#indexed = structuredCopy(record);
  }

  /** An accepted envelope, with the bytes of its `data`. */
  meter(bytes: number): void {
    this.#usage.messages++;
    this.#usage.bytes += bytes;
  }

  meterTask(): void {
    this.#usage.tasks++;
  }

  /** A busy session reports on its way, so that what it carried is known before it ends. */
  reportsUsage(record: SessionRecord): boolean {
    return this.#usage.messages - (record.reported ?? 0) >= limits.usageReportMessages;
  }

  erase(session_id: Uuid): void {
    this.#notify.push({ do: "erase", session_id });
  }

  // --- the end of an event

  /** Receipts and pressure, judged once all of the frame has been taken. */
  settle(record: SessionRecord): void {
    for (const side of sides) {
      const direction = this.#directions[side];
      const before = direction.granted;
      const limit = direction.grant();
      const nearlyBlocked = before - direction.received.last <= limits.windowMessages / 4;
      if (limit > before && nearlyBlocked) this.owe(side);
      if (this.#untold[side] && !this.#isBusy(side)) this.owe(side);
      const pressure = direction.pressure();
      if (pressure !== undefined) this.line(record, side, { type: pressure, session_id: record.session_id });
      if (!this.#owed[side] && !this.#owedReply[side]) continue;
      this.#untold[side] = false;
      this.#toldAt[side] = this.now;
      const ack: BrokerEnvelope = {
        type: "MESSAGE_ACK",
        session_id: record.session_id,
        ack: direction.received.last,
        limit,
        data: { delivered: direction.delivered },
      };
      if (this.#owedReply[side]) this.reply(ack);
      else this.line(record, side, ack);
    }
  }

  /** The whole list, in order. */
  end(record: SessionRecord | undefined): Effect[] {
    const rows: Effect[] = [];
    if (this.#rows.length > 0 || this.#sentMoved || this.#isLagging(record)) {
      const [a, b] = this.#directions;
      this.#stored = {
        version: this.#stored.version + 1,
        acked: [a.out.acked, b.out.acked],
        granted: [a.granted, b.granted],
        sent: [a.out.sent, b.out.sent],
        usage: { ...this.#usage },
      };
      this.#ackedBytes = 0;
      for (const row of this.#rows) rows.push({ do: "store", row: { ...row, cursors: this.#stored } });
      if (this.#rows.length === 0) rows.push({ do: "cursors", cursors: this.#stored });
    }
    if (record && this.#recordChanged) rows.push({ do: "record", record: structuredCopy(record) });
    const replies: Effect[] = this.#replies.length > 0 ? [{ do: "reply", lines: this.#replies }] : [];
    // However often a frame asks, its offer goes out once.
    const offer = this.#notify.findLastIndex((effect) => effect.do === "offer");
    const notices = this.#notify.filter((effect, i) => effect.do !== "offer" || i === offer);
    // Numbered by the copy of the cursors that holds these totals.
    const report = { number: this.#stored.version, ...this.#stored.usage };
    const index: Effect[] = this.#indexed === undefined ? [] : [{ do: "index", record: this.#indexed, report }];
    return [...rows, ...this.#persist, ...replies, ...this.#transmit, ...notices, ...index];
  }

  /** Cursors that nothing else stores are stored when losing them would cost a good part of the window. */
  #isLagging(record: SessionRecord | undefined): boolean {
    // The last receipts of a session are what ends it, and what it says of itself ever after: nothing would carry them later.
    const lag = record?.state === "active" ? limits.cursorLagMessagesMax : 1;
    return (
      this.#ackedBytes >= limits.cursorLagBytesMax ||
      sides.some((side) => {
        const { out, granted } = this.#directions[side];
        return out.acked - this.#stored.acked[side] >= lag || granted - this.#stored.granted[side] >= lag;
      })
    );
  }
}

/** Effects outlive the event, and the record goes on changing: they get a copy as it is now. */
const structuredCopy = (record: SessionRecord): SessionRecord => ({
  ...record,
  agents: [...record.agents],
  attach: [...record.attach],
  paused: [...record.paused],
  timers: { ...record.timers },
});
