// Which connection speaks for a side of a session, and how one that comes back finds where both streams stand (PROTOCOL A).
// Part of the broker half: changes the record and the directions, says what is to be said; no clock, no I/O.
import type { FromClient, ResumeOutcome, SessionEnvelope } from "../wire/envelope.ts";
import { closeCodes } from "../wire/errors.ts";
import type { Uuid } from "../wire/ids.ts";
import { limits } from "../wire/limits.ts";
import type { Direction } from "./direction.ts";
import type { AttachKey, SessionRecord } from "./effects.ts";
import type { Intake } from "./intake.ts";
import type { OpenTasks } from "./open-tasks.ts";
import type { Outbox } from "./outbox.ts";
import { isEnded } from "./states.ts";
import { otherSide, type Side } from "./tasks.ts";

export class Attachments {
  readonly #directions: readonly [Direction, Direction];
  readonly #tasks: OpenTasks;
  readonly #intake: Intake;
  readonly #out: Outbox;
  readonly #mint: { id(): Uuid };
  /** Memory was lost since the side was sent something: nobody knows whether the last of it left (A9). */
  readonly #doubt: [boolean, boolean];

  /** @param restored this session lived on from its storage */
  constructor(
    directions: readonly [Direction, Direction],
    tasks: OpenTasks,
    intake: Intake,
    out: Outbox,
    mint: { id(): Uuid },
    restored: boolean,
  ) {
    this.#directions = directions;
    this.#tasks = tasks;
    this.#intake = intake;
    this.#out = out;
    this.#mint = mint;
    this.#doubt = [restored, restored];
  }

  /** Neither end of this side's streams has moved: an attachment without memory is no different from the first one. */
  isUntouched(side: Side): boolean {
    return this.#directions[side].received.last === 0 && this.#directions[otherSide(side)].out.acked === 0;
  }

  /** It did not hear that the session is open, and so it has nothing yet: everything is sent from the first on (N3). */
  attachAnew(record: SessionRecord, side: Side, attach: AttachKey, answers: Uuid): void {
    this.moveTo(record, side, attach);
    this.#directions[otherSide(side)].out.rewind(0);
    this.#out.rewound();
    this.sayAccepted(record, side, answers);
    this.#out.pump(side, record);
    this.#settleDoubt(record, otherSide(side));
  }

  sayAccepted(record: SessionRecord, side: Side, answers: Uuid): void {
    this.#out.line(record, side, {
      type: "SESSION_ACCEPT",
      id: this.#mint.id(),
      session_id: record.session_id,
      in_reply_to: answers,
      limit: this.#directions[side].grant(),
      data: {
        epoch: record.epoch,
        peer: record.agents[otherSide(side)],
        capabilities: record.capabilities[otherSide(side)],
      },
    });
  }

  /** There is no such session, or it is not this agent's: both look the same (N6). */
  unknown(envelope: SessionEnvelope): void {
    if (envelope.type !== "SESSION_RESUME") return this.#out.fault("session_unknown", envelope);
    this.#out.reply({
      type: "SESSION_RESUMED",
      id: this.#mint.id(),
      session_id: envelope.session_id,
      in_reply_to: envelope.id,
      limit: 0,
      data: { outcome: "unknown", received: 0, delivered: 0 },
    });
  }

  resume(record: SessionRecord, side: Side, envelope: FromClient<"SESSION_RESUME">, attach: AttachKey): void {
    // Work of the same frame is stored first: the new limit counts it.
    this.#intake.flush(record, this.#out, false);
    const inbound = this.#directions[side];
    const outbound = this.#directions[otherSide(side)];
    const answer = {
      type: "SESSION_RESUMED",
      id: this.#mint.id(),
      session_id: record.session_id,
      in_reply_to: envelope.id,
    } as const;
    const facts = { state: record.state, received: inbound.received.last, delivered: inbound.delivered };
    if (record.state === "pending") return this.#out.fault("session_not_active", envelope);
    const refuse = (outcome: ResumeOutcome) =>
      this.#out.reply({ ...answer, limit: 0, data: { outcome, epoch: record.epoch, ...facts } });
    const { data } = envelope;
    if (data.received !== null && data.epoch !== record.epoch) return refuse("epoch_mismatch");
    if (isEnded(record.state)) return refuse("closed");
    if (data.received === null) {
      this.moveTo(record, side, attach);
      this.#out.line(record, side, {
        ...answer,
        limit: inbound.grant(),
        data: { outcome: "resumed", epoch: record.epoch, ...facts, ...this.#remembered(side) },
      });
      this.#intake.redeliver(record, side, this.#out);
      this.#out.pump(side, record);
      return this.#settleDoubt(record, otherSide(side));
    }
    const { received, first, next } = data;
    const stored = inbound.received.last;
    const taken = envelope.ack ?? outbound.out.acked;
    const beyond =
      taken > received ||
      received >= outbound.out.next ||
      received < outbound.out.acked ||
      stored >= next ||
      stored + 1 < first;
    if (beyond) return refuse("gap");

    this.moveTo(record, side, attach);
    if (outbound.acknowledge(taken)) this.#out.owe(otherSide(side));
    outbound.out.rewind(received);
    this.#out.rewound();
    const limit = inbound.grant();
    this.#out.line(record, side, { ...answer, limit, data: { outcome: "resumed", epoch: record.epoch, ...facts } });
    if (inbound.pausing) this.#out.line(record, side, { type: "PAUSE", session_id: record.session_id });
    this.#out.pump(side, record);
    this.#settleDoubt(record, otherSide(side));
  }

  /**
   * A9. Who caused what was lost with this object's memory learns from its relay that it was, and resumes. The other side has no
   * reason to ask: it is told to, where something that it was sent is not acknowledged. Not again for a while, however often
   * memory is lost: else each would set the other going for ever. (The record is written anyway, by whoever resumes.)
   */
  #settleDoubt(record: SessionRecord, side: Side): void {
    if (this.#out.now - (record.doubted?.[side] ?? 0) >= limits.ackStallMs) this.#ask(record, side);
  }

  /** Whether what a side acknowledged may be forgotten with this object's memory, and it was told to say it again. */
  #ask(record: SessionRecord, side: Side): boolean {
    const { sent, acked } = this.#directions[otherSide(side)].out;
    if (!this.#doubt[side] || sent === acked || record.attach[side] === null) return false;
    const { now } = this.#out;
    const [a, b] = record.doubted ?? [0, 0];
    this.#doubt[side] = false;
    record.doubted = side === 0 ? [now, b] : [a, now];
    this.#out.error(record, side, "relay_lost");
    return true;
  }

  /** D1. Before a session that was idle ends: what is not acknowledged by then is a dead letter. */
  asksBeforeEnd(record: SessionRecord): boolean {
    const asked = ([0, 1] as const).map((side) => this.#ask(record, side));
    if (!asked.includes(true)) return false;
    record.asked_at = this.#out.now;
    return true;
  }

  /** What an agent without memory must know of its own past; everything after what it took is sent again (A8). */
  #remembered(side: Side): { taken: number; sent: number; requested: Uuid[] } {
    const { out } = this.#directions[otherSide(side)];
    const { acked: taken, sent } = out;
    out.rewind(taken);
    this.#out.rewound();
    const requested = this.#tasks.all().filter(({ requester }) => requester === side);
    return { taken, sent, requested: requested.map(({ task_id }) => task_id) };
  }

  /** The newest attachment wins (A3); an older direct socket is closed, an older connection is its agent's business. */
  moveTo(record: SessionRecord, side: Side, attach: AttachKey): void {
    const before = record.attach[side];
    if (before !== null && before !== attach)
      this.#out.close(side, before, closeCodes.superseded, "attached elsewhere");
    record.attach[side] = attach;
    this.#doubt[side] = false;
    record.paused[side] = false;
    this.#intake.forgive(side);
    this.#out.changed();
  }
}
