// Takes the sequenced envelopes of a frame at the broker: sequence, limit, task state; then stamps and stores what is passed on.
// A frame becomes one row, unless the broker kept an envelope back (then a row ends there, so that each is one unbroken run).
import { encodeWork, utf8Length } from "../wire/codec.ts";
import type { SessionEnvelope, WorkEnvelope } from "../wire/envelope.ts";
import { closeCodes } from "../wire/errors.ts";
import type { Uuid } from "../wire/ids.ts";
import { limits } from "../wire/limits.ts";
import type { Direction } from "./direction.ts";
import type { AttachKey, SessionRecord } from "./effects.ts";
import type { OpenTasks } from "./open-tasks.ts";
import type { Outbox } from "./outbox.ts";
import { OwnFrames, storeRow } from "./own-frames.ts";
import { judgeTask, otherSide, type Side, type TaskEnvelope } from "./tasks.ts";

interface Run {
  side: Side;
  lines: string[];
  origin: number;
}

export class Intake {
  readonly #directions: readonly [Direction, Direction];
  readonly #tasks: OpenTasks;
  readonly #own: OwnFrames;
  #run: Run | undefined;
  /** The rest of this frame is beyond a gap or the limit: said once, not taken. */
  #stopped = false;
  #strikes: [number, number] = [0, 0];

  constructor(directions: readonly [Direction, Direction], tasks: OpenTasks, mint: { id(): Uuid }) {
    this.#directions = directions;
    this.#tasks = tasks;
    this.#own = new OwnFrames(directions, tasks, mint);
  }

  /** A new attachment starts without strikes, and what follows it in the frame is judged afresh. */
  forgive(side: Side): void {
    this.#strikes[side] = 0;
    this.#stopped = false;
  }

  /** `ack` of a side: everything towards it, through there, is done (S5). */
  acknowledged(
    side: Side,
    envelope: SessionEnvelope & { ack?: number | undefined },
    out: Outbox,
    record: SessionRecord,
  ): void {
    const ack = envelope.ack ?? 0;
    const direction = this.#directions[otherSide(side)];
    if (ack > direction.out.sent) return out.fault("ack_beyond", envelope, { sent: direction.out.sent });
    const before = direction.out.bytes;
    if (direction.acknowledge(ack)) out.delivered(otherSide(side));
    out.acknowledgedBytes(before - direction.out.bytes);
    out.pump(side, record);
  }

  /** Takes one sequenced envelope. True when it closes the session. */
  take(record: SessionRecord, side: Side, attach: AttachKey, envelope: WorkEnvelope, out: Outbox): boolean {
    const direction = this.#directions[side];
    const { last } = direction.received;
    const verdict = direction.received.judge(envelope.seq);
    if (verdict === "duplicate") {
      out.owe(side, true);
      return false;
    }
    if (this.#stopped) return false;
    if (this.#isShut(record, side)) {
      out.fault("session_closed", envelope);
      return false;
    }
    if (verdict === "gap") {
      this.#stopped = true;
      out.fault("sequence_gap", envelope, { expected: last + 1 });
      return false;
    }
    if (envelope.seq > direction.granted + direction.slack) {
      this.#stopped = true;
      this.#refuseBeyond(record, side, attach, envelope, out);
      return false;
    }
    direction.received.last = envelope.seq;
    out.owe(side, true);
    return this.#pass(record, side, envelope, out);
  }

  /** This side closed, or it has acknowledged that the other did: it has no more to say (N8). */
  #isShut(record: SessionRecord, side: Side): boolean {
    if (record.close === undefined) return false;
    return record.close.by === side || this.#directions[record.close.by].out.acked >= record.close.seq;
  }

  #refuseBeyond(record: SessionRecord, side: Side, attach: AttachKey, envelope: WorkEnvelope, out: Outbox): void {
    const { granted } = this.#directions[side];
    this.#strikes[side]++;
    if (this.#strikes[side] < limits.flowControlStrikesMax)
      return out.fault("flow_control", envelope, { limit: granted });
    out.fault("flow_control_abuse", envelope, { limit: granted });
    out.close(side, attach, closeCodes.too_large, "flow control");
    record.attach[side] = null;
    out.changed();
  }

  #pass(record: SessionRecord, side: Side, envelope: WorkEnvelope, out: Outbox): boolean {
    if (envelope.type === "MESSAGE") this.#forward(record, side, envelope, out);
    else if (envelope.type === "SESSION_CLOSE") {
      // Both may close at the same time: the first one stands, the second is accepted and goes no further.
      if (record.close !== undefined) this.#absorb(record, side, envelope.seq, out);
      else {
        const seq = this.#forward(record, side, envelope, out);
        record.close = { by: side, seq };
        return true;
      }
    } else this.#passTask(record, side, envelope, out);
    return false;
  }

  #passTask(record: SessionRecord, side: Side, envelope: TaskEnvelope, out: Outbox): void {
    const { task_id } = envelope.data;
    const judged = judgeTask(envelope, side, this.#tasks.find(task_id), this.#own.hasRoomForTask, out.now);
    // What is kept was accepted all the same; what is passed on is metered there.
    if ("fault" in judged || judged.pass !== "forward") out.meter(utf8Length(JSON.stringify(envelope.data)));
    if ("fault" in judged) {
      this.#absorb(record, side, envelope.seq, out);
      return out.fault(judged.fault, envelope, { task_id });
    }
    if (envelope.type === "TASK_REQUEST" && judged.pass !== "replay" && judged.task !== undefined) out.meterTask();
    if (judged.pass === "replay" || judged.pass === "expire") {
      this.#absorb(record, side, envelope.seq, out);
      this.flush(record, out, false);
      if (judged.pass === "expire") this.#own.save(judged.task, out);
      if (!this.#own.respond(record, judged.task, out, envelope.id)) out.fault("too_many_tasks", envelope, { task_id });
      return;
    }
    if (judged.pass === "absorb") this.#absorb(record, side, envelope.seq, out);
    else {
      const seq = this.#forward(record, side, envelope, out);
      if (judged.task !== undefined && envelope.type === "TASK_REQUEST") judged.task.seq = seq;
    }
    if (judged.task !== undefined) this.#own.save(judged.task, out);
  }

  /** Ends what is due. Time comes before whatever the frame brings: a late response is late (T10). */
  elapse(record: SessionRecord, out: Outbox): void {
    for (const task of this.#tasks.due(out.now)) this.#own.expire(record, task, out);
  }

  /** What an agent that lost its memory has to hear again (A8). */
  redeliver(record: SessionRecord, side: Side, out: Outbox): void {
    this.#own.redeliver(record, side, out);
  }

  /** Stamps what the receiver will get, and puts it into the run. Returns its `seq` there. */
  #forward(record: SessionRecord, side: Side, envelope: WorkEnvelope, out: Outbox): number {
    if (this.#run !== undefined && this.#run.lines.length === 0) this.flush(record, out, false);
    this.#run ??= { side, lines: [], origin: 0 };
    const seq = this.#directions[side].out.next + this.#run.lines.length;
    const { type, id, session_id, in_reply_to, timestamp, traceparent } = envelope;
    const head = { type, id, session_id, seq, from: record.agents[side], in_reply_to, timestamp, traceparent };
    const data = JSON.stringify(envelope.data);
    this.#run.lines.push(encodeWork(head, data));
    if (type !== "SESSION_CLOSE") out.meter(utf8Length(data));
    this.#run.origin = envelope.seq;
    return seq;
  }

  /** Accepted, and not passed on: an empty row remembers that. */
  #absorb(record: SessionRecord, side: Side, origin: number, out: Outbox): void {
    if (this.#run !== undefined && this.#run.lines.length > 0) this.flush(record, out, false);
    this.#run ??= { side, lines: [], origin };
    this.#run.origin = origin;
  }

  /** Ends the run: its row is stored and handed on. At the end of a frame everything that was about this frame is dropped. */
  flush(record: SessionRecord, out: Outbox, endOfFrame = true): void {
    const run = this.#run;
    this.#run = undefined;
    if (run !== undefined) {
      storeRow(this.#directions[run.side], run.side, run.lines, run.origin, false, out);
      out.pump(otherSide(run.side), record);
    }
    if (endOfFrame) {
      this.#tasks.settled();
      this.#stopped = false;
    }
  }
}
