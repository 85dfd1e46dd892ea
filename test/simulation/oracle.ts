// The independent judge. It keeps books of its own — what the applications said, heard and took, which rows are durable, which
// frames left — and never looks into the core's memory. `protocol.md`, "What must always hold".
import type { Effect, Row, SessionRecord } from "../../protocol/session/effects.ts";
import { otherSide, type Side } from "../../protocol/session/tasks.ts";
import type { SessionEnvelope } from "../../protocol/wire/envelope.ts";
import type { RowEffect } from "../protocol/store.ts";
import { standingOf, type Told } from "./diary.ts";
import { tooEarly } from "./forgetting.ts";
import { Hearing } from "./hearing.ts";
import { isCrowded, Letters, lostLetter } from "./letters.ts";
import { Tally } from "./meter.ts";
import { beyond, readControl, refusedRequests } from "./promises.ts";
import { misremembered } from "./recoveries.ts";
import { readRow } from "./rows.ts";
import { honestRefusals } from "./verdicts.ts";

const sides = [0, 1] as const;

/** What allows an event to say more than its agents did. */
interface Occasion {
  /** The side that asks what it has forgotten. */
  asked?: Side;
  /** What may be taken of another session. */
  letters?: Letters | undefined;
}

export class Oracle extends Hearing {
  /** What was accepted, and so is to be metered. */
  #tally = new Tally();
  /** Task requests that the present event refuses for want of room. */
  #refused: ReadonlySet<string> = new Set();
  /** What the next event is about, and what the present one is. */
  #coming: Occasion = {};
  #present: Occasion = {};
  #isAnnounced = false;

  // --- the broker

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
    const before = this.#present.letters?.through;
    for (const effect of effects) {
      if (effect.do === "store") this.#stores(effect.row);
      else if (effect.do === "forget")
        for (const row of effect.rows) this.ledgers[effect.stream].forget(row, (detail) => this.#overwrites(detail));
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

  /** What a session takes of another's dead letters it must note in the very write that stores them. */
  #noted(before: number | undefined, effects: readonly RowEffect[]): void {
    const { letters } = this.#present;
    if (letters === undefined) return;
    const note = effects.find((effect) => effect.do === "redriven");
    const wrong =
      note === undefined
        ? letters.through === before
          ? undefined
          : `through ${letters.through} went, nothing is noted`
        : letters.note(note.through, this.tasks, this.world.clock.now);
    if (wrong !== undefined) this.fails("a dead letter goes once, in order", wrong);
    if (note !== undefined && isCrowded(this.ledgers[note.stream]))
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
    const wrong = stored && this.#tally.stores(stored, this.tasks.opened);
    if (wrong !== undefined && !this.wasRolledBack) this.fails("what is accepted is metered once", wrong);
  }

  #knows({ acked }: Row["cursors"]): void {
    for (const side of sides) this.ledgers[side].known = Math.max(this.ledgers[side].known, acked[side]);
  }

  #overwrites(detail: string): never {
    return this.fails("nothing is overwritten before it was acknowledged", detail);
  }

  #stores(row: Row): void {
    const side = row.stream;
    const ledger = this.ledgers[side];
    const { said } = this.diaries[side];
    const { asked, letters } = this.#present;
    const shared = { tasks: this.tasks, tally: this.#tally, asked, letters };
    const books = { side, name: this.name(side), ledger, said, ...shared };
    const wrong = readRow(row, books, this.world.clock.now, this.#refused);
    if (wrong !== undefined) this.fails(wrong.invariant, wrong.detail);
    this.#knows(row.cursors);
    ledger.store(row, ledger.out.at(-1)?.own === true && row.last >= row.first, (detail) => this.#overwrites(detail));
  }

  /** Frames leave: what they say must be durable by now. */
  leaving(effect: Effect, answers: Side | undefined): void {
    if (effect.do === "send") for (const frame of effect.frames) this.#says(effect.to, frame);
    else if (effect.do === "reply" && answers !== undefined) for (const line of effect.lines) this.#says(answers, line);
    else if (effect.do === "index" && !this.wasRolledBack) {
      const wrong = this.#tally.reports(effect.report);
      if (wrong !== undefined) this.fails("a report says what is durable", wrong);
    } else if (effect.do === "replay") {
      if (effect.last > this.ledgers[otherSide(effect.to)].out.length)
        this.fails("nothing is sent that is not durable", `replay through ${effect.last}`);
    }
  }

  #says(to: Side, frame: string): void {
    const said = readControl(frame);
    if (said === undefined) return;
    const wrong = beyond(said, this.ledgers[to]);
    if (wrong !== undefined) this.fails(wrong.invariant, `${said.type} to ${this.name(to)} says ${wrong.claim}`);
    if (said.data?.taken !== undefined) return this.#remembers(to, said.data);
    // Without a new epoch an end may go on for a while, until the contradiction reaches it.
    if (said.data?.outcome === "resumed" && this.#isAnnounced) this.#compare(to);
  }

  /** What an end without memory learns of its past. After older storage came back it has nothing left to compare with. */
  #remembers(side: Side, told: Told): void {
    if (this.wasRolledBack) return;
    const books = { side, diary: this.diaries[side], ledgers: this.ledgers, tasks: this.tasks };
    const wrong = misremembered(standingOf(told), books);
    if (wrong !== undefined) this.fails("who lost its memory goes on where it was", `${this.name(side)}: ${wrong}`);
  }

  // --- after every step, and at the end

  look(): void {
    for (const ledger of this.ledgers) {
      const wrong = ledger.overflow();
      if (wrong !== undefined) this.fails("storage ≤ bound", wrong);
    }
  }

  copy() {
    return {
      ledgers: this.ledgers.map((ledger) => ledger.copy()),
      tasks: this.tasks.copy(),
      tally: this.#tally.copy(),
    };
  }

  /** @param announced the restored storage has a new epoch, as a restore on purpose must give it */
  rolledBack({ ledgers: [a, b], tasks, tally }: ReturnType<Oracle["copy"]>, announced: boolean): void {
    this.#isAnnounced = announced && (this.#isAnnounced || !this.wasRolledBack);
    this.wasRolledBack = true;
    if (a === undefined || b === undefined) return;
    this.ledgers = [a.restoredAfter(this.ledgers[0]), b.restoredAfter(this.ledgers[1])];
    this.tasks = tasks.copy();
    this.#tally = tally.copy();
  }

  /** After older storage came back: an end that goes on must have lost nothing, and what it heard must be what is stored. */
  #compare(side: Side): void {
    if (!this.wasRolledBack) return;
    const wrong =
      this.ledgers[side].forgot(this.diaries[side].stored) ??
      this.ledgers[otherSide(side)].contradicts(this.diaries[side].heard);
    if (wrong === undefined) return;
    this.fails("never a silent partial recovery", `${this.name(side)}: ${wrong}`);
  }

  #isLive(side: Side): boolean {
    const { ended, session } = this.world.ends[side];
    return !ended && session !== undefined;
  }

  /** The network has healed, and nothing has gone wrong for longer than anything waits. */
  settled(): void {
    if (this.wasRolledBack || !sides.every((side) => this.#isLive(side))) return;
    for (const side of sides) this.#complete(side, false);
    const { source, host } = this.world;
    if (host.store.record?.state !== "active") return;
    const left = source?.unsettled(0) ?? source?.unsettled(1);
    if (left !== undefined) this.fails("a dead letter goes once, in order", left);
  }

  #complete(side: Side, closed: boolean): void {
    const { said, stored, delivered } = this.diaries[side];
    const { heard } = this.diaries[otherSide(side)];
    const receipts = { stored, delivered: closed ? delivered : undefined };
    const wrong = this.ledgers[side].missing(said.length, heard.length, receipts);
    if (wrong !== undefined)
      this.fails("after the network heals everything is delivered", `${this.name(side)}: ${wrong}`);
  }

  stuck(detail: string): never {
    const { ends, host } = this.world;
    const states = ends.map((end) => `${end.name} ${end.life === "alive" ? end.session?.state : end.life}`).join(", ");
    return this.fails("everything comes to its end", `${detail}: ${states}, session ${host.store.record?.state}`);
  }

  /** Both clients and the session are at their end. */
  ended(): void {
    const { host, meter } = this.world;
    const { store } = host;
    const wrong = this.tasks.unfinished(store, (detail) => (this.world.totals.tasksEnded += detail));
    if (wrong !== undefined) this.fails("each task reaches exactly one terminal state", wrong);
    for (const side of sides) {
      const { known } = this.ledgers[otherSide(side)];
      const { taken } = this.diaries[side];
      const isHere = this.world.ends[side].life === "alive" && store.record?.state === "expired";
      if (isHere && !this.wasRolledBack && known < taken)
        this.fails("what was acknowledged is no dead letter", `${this.name(side)} took ${taken}, known are ${known}`);
    }
    const lost = this.world.source && lostLetter(this.world.source);
    if (lost !== undefined) this.fails("a dead letter goes once, or stays listed", lost);
    const unmetered = this.wasRolledBack ? undefined : meter.misses(this.#tally.usage(this.tasks.opened));
    if (unmetered !== undefined) this.fails("what is accepted is metered once", unmetered);
    const isClosed = (side: Side) => ["closed", "resume_closed"].includes(this.diaries[side].end);
    for (const side of sides) if (isClosed(side) && store.record?.state === "closed") this.#compare(side);
    // Who comes back to find the session closed never learns what it had said in it.
    const closed = sides.every((side) => isClosed(side) && !this.diaries[side].isBlank);
    if (closed && !this.wasRolledBack) for (const side of sides) this.#complete(side, true);
  }
}
