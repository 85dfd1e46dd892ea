// The half of the oracle that judges what becomes durable, against what the applications said: rows, cursors, usage, what is taken of
// another session's dead letters, and what is forgotten.
import type { Effect, Row, SessionRecord, UsageReport } from "../../protocol/session/effects.ts";
import { otherSide, type Side } from "../../protocol/session/tasks.ts";
import type { SessionEnvelope } from "../../protocol/wire/envelope.ts";
import type { RowEffect } from "../protocol/store.ts";
import { tooEarly } from "./forgetting.ts";
import { Hearing } from "./hearing.ts";
import { isCrowded, Letters } from "./letters.ts";
import { Tally } from "./meter.ts";
import { refusedRequests } from "./promises.ts";
import { readRow } from "./rows.ts";
import { honestRefusals } from "./verdicts.ts";

/** What allows an event to say more than its agents did. */
interface Occasion {
  /** The side that asks what it has forgotten. */
  asked?: Side;
  /** What may be taken of another session. */
  letters?: Letters | undefined;
}

export class Storing extends Hearing {
  /** What was accepted, and so is to be metered. */
  protected tally = new Tally();
  /** Task requests that the present event refuses for want of room. */
  #refused: ReadonlySet<string> = new Set();
  /** What the next event is about, and what the present one is. */
  #coming: Occasion = {};
  #present: Occasion = {};

  /** A frame reached the object. */
  arrived(side: Side, envelopes: readonly SessionEnvelope[]): void {
    const ledger = this.ledgers[otherSide(side)];
    for (const { ack } of envelopes as readonly { ack?: number }[]) if (ack !== undefined) ledger.acknowledge(ack);
    const asks = envelopes.some((one) => one.type === "SESSION_RESUME" && one.data.received === null);
    this.#coming = asks ? { asked: side } : {};
  }

  /** Dead letters of the agent of a side are about to come. */
  redrives(side: Side): void {
    const { source, names } = this.world;
    this.#coming = { letters: source?.letters?.[source.names[0] === names[side] ? 0 : 1] };
  }

  /** What an event wants to be done, before any of it is. */
  decided(effects: readonly Effect[]): void {
    this.#refused = refusedRequests(effects);
    this.#present = this.#coming;
    this.#coming = {};
  }

  /** Rows became durable. */
  committed(effects: readonly RowEffect[]): void {
    // What an acknowledgement of this very event frees may be deleted with the next row only.
    const known = [this.ledgers[0].known, this.ledgers[1].known] as const;
    const before = this.#present.letters?.taken ?? 0;
    for (const effect of effects) {
      if (effect.do === "store") this.#stores(effect.row);
      else if (effect.do === "forget")
        for (const { row } of effect.rows)
          this.ledgers[effect.stream].forget(row, (detail) => this.#overwrites(detail));
      else if (effect.do === "cursors") this.#knows(effect.cursors);
      else if (effect.do === "cancelTasks") this.tasks.cancelAll();
    }
    this.#noted(before, effects);
    for (const ledger of this.ledgers) ledger.grant();
    this.#metered(effects);
    for (const effect of effects) {
      const wrong =
        effect.do === "store" ? this.ledgers[effect.row.stream].history(known[effect.row.stream]) : undefined;
      if (wrong !== undefined) this.fails("storage ≤ bound", wrong);
    }
  }

  /**
   * What a session takes of another's dead letters it must note in the very write that stores them.
   * @param before how many had gone before this event
   */
  #noted(before: number, effects: readonly RowEffect[]): void {
    const { letters } = this.#present;
    if (letters === undefined) return;
    const note = effects.find((effect) => effect.do === "redriven");
    const went = letters.taken - before;
    const wrong = note && letters.note(note.through, this.tasks, this.world.clock.now);
    if (wrong !== undefined) this.fails("a dead letter goes once, in order", wrong);
    if (note === undefined && went > 0) this.fails("a dead letter goes once, in order", `${went} went, none is noted`);
    if (note !== undefined && went > 0 && isCrowded(this.ledgers[note.stream]))
      this.fails("storage ≤ bound", `${this.ledgers[note.stream].ownWaiting} dead letters wait`);
  }

  /** Nothing is left of a session. */
  forgets(record: SessionRecord): void {
    const wrong = tooEarly(record, this.world.clock.now);
    if (wrong !== undefined) this.fails("an ended session is remembered for its time", wrong);
  }

  /** A call to redrive was refused. */
  refuses(reason: string): void {
    if (!honestRefusals.has(reason)) this.fails("an honest client is not refused", `redrive got ${reason}`);
  }

  /** What the session leaves undelivered, by the side that sent it. */
  letters(): [Letters, Letters] {
    const [a, b] = this.ledgers;
    return [new Letters(a, this.tasks), new Letters(b, this.tasks)];
  }

  /** The cursors of one event are the same in all of its rows, and count all of them. */
  #metered(effects: readonly RowEffect[]): void {
    const [cursors] = effects.flatMap((one) => (one.do === "store" ? [one.row.cursors] : []));
    const stored = cursors ?? effects.find((one) => one.do === "cursors")?.cursors;
    const wrong = stored && this.tally.stores(stored, this.tasks.opened);
    if (wrong !== undefined && !this.wasRolledBack) this.fails("what is accepted is metered once", wrong);
  }

  #knows({ acked }: Row["cursors"]): void {
    for (const side of [0, 1] as const) this.ledgers[side].known = Math.max(this.ledgers[side].known, acked[side]);
  }

  #overwrites(detail: string): never {
    return this.fails("nothing is overwritten before it was acknowledged", detail);
  }

  #stores(row: Row): void {
    const side = row.stream;
    const ledger = this.ledgers[side];
    const { said } = this.diaries[side];
    const { asked, letters } = this.#present;
    const shared = { tasks: this.tasks, tally: this.tally, asked, letters };
    const books = { side, name: this.name(side), ledger, said, ...shared };
    const wrong = readRow(row, books, this.world.clock.now, this.#refused);
    if (wrong !== undefined) this.fails(wrong.invariant, wrong.detail);
    this.#knows(row.cursors);
    ledger.store(row, ledger.out.at(-1)?.own === true && row.last >= row.first, (detail) => this.#overwrites(detail));
  }

  /** A report of usage leaves. */
  protected reports(report: UsageReport): void {
    const wrong = this.wasRolledBack ? undefined : this.tally.reports(report);
    if (wrong !== undefined) this.fails("a report says what is durable", wrong);
  }
}
