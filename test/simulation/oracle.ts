// The independent judge. It keeps books of its own — what the applications said, heard and took, which rows are durable, which
// frames left — and never looks into the core's memory. `protocol.md`, "What must always hold".
import type { Effect } from "../../protocol/session/effects.ts";
import { otherSide, type Side } from "../../protocol/session/tasks.ts";
import { standingOf, type Told } from "./diary.ts";
import { lostLetter } from "./letters.ts";
import { beyond, readControl } from "./promises.ts";
import { misremembered } from "./recoveries.ts";
import { Storing } from "./storing.ts";

const sides = [0, 1] as const;

export class Oracle extends Storing {
  #isAnnounced = false;

  /** Frames leave: what they say must be durable by now. */
  leaving(effect: Effect, answers: Side | undefined): void {
    if (effect.do === "send") for (const frame of effect.frames) this.#says(effect.to, frame);
    else if (effect.do === "reply" && answers !== undefined) for (const line of effect.lines) this.#says(answers, line);
    else if (effect.do === "index") this.reports(effect.report);
    else if (effect.do === "replay") {
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
      tally: this.tally.copy(),
    };
  }

  /** @param announced the restored storage has a new epoch, as a restore on purpose must give it */
  rolledBack({ ledgers: [a, b], tasks, tally }: ReturnType<Oracle["copy"]>, announced: boolean): void {
    this.#isAnnounced = announced && (this.#isAnnounced || !this.wasRolledBack);
    this.wasRolledBack = true;
    if (a === undefined || b === undefined) return;
    this.ledgers = [a.restoredAfter(this.ledgers[0]), b.restoredAfter(this.ledgers[1])];
    this.tasks = tasks.copy();
    this.tally = tally.copy();
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
    const { givenSeqs } = this.diaries[otherSide(side)];
    const missing = heard.findIndex((_, i) => !givenSeqs.has(i + 1));
    const ungiven = missing < 0 ? undefined : `number ${missing + 1} came to its peer, whose application never had it`;
    if (wrong !== undefined || ungiven !== undefined)
      this.fails("after the network heals everything is delivered", `${this.name(side)}: ${wrong ?? ungiven}`);
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
    const unmetered = this.wasRolledBack ? undefined : meter.misses(this.tally.usage(this.tasks.opened));
    if (unmetered !== undefined) this.fails("what is accepted is metered once", unmetered);
    const isClosed = (side: Side) => ["closed", "resume_closed"].includes(this.diaries[side].end);
    for (const side of sides) if (isClosed(side) && store.record?.state === "closed") this.#compare(side);
    // Who comes back to find the session closed never learns what it had said in it.
    const closed = sides.every((side) => isClosed(side) && !this.diaries[side].isBlank);
    if (closed && !this.wasRolledBack) for (const side of sides) this.#complete(side, true);
  }
}
