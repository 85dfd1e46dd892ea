// The half of the oracle that judges what applications say and hear, against books of what is durable. Each method is told of one
// thing that happened, and throws a Violation that names the invariant.
import type { ClientEvent } from "../../protocol/session/client-events.ts";
import { otherSide, type Side } from "../../protocol/session/tasks.ts";
import type { DeliveredEnvelope } from "../../protocol/wire/envelope.ts";
import type { SessionMemory } from "../../sdk/typescript/src/journal-records.ts";
import { Diary, standingOf, type Told } from "./diary.ts";
import { Ledger, type Sent } from "./ledger.ts";
import { misrecalled } from "./recollections.ts";
import { TaskBooks } from "./task-books.ts";
import { honestEnds, honestFaults, Violation } from "./verdicts.ts";
import type { World } from "./world.ts";

export class Hearing {
  protected readonly world: World;
  /** What is durable, by the side that sends. */
  protected ledgers: [Ledger, Ledger] = [new Ledger(), new Ledger()];
  protected tasks = new TaskBooks();
  /** What each application knows. */
  protected readonly diaries: [Diary, Diary] = [new Diary(), new Diary()];
  wasRolledBack = false;

  constructor(world: World) {
    this.world = world;
  }

  fails(invariant: string, detail: string): never {
    throw new Violation(invariant, detail);
  }

  protected name(side: Side): string {
    return this.world.ends[side].name;
  }

  sent(side: Side, one: Sent & { seq: number }): void {
    const { seq, ...rest } = one;
    if (this.diaries[side].said.push(rest) !== seq)
      this.fails("each number is given out once", `${seq} to ${one.type}`);
  }

  took(side: Side, seq: number): void {
    const diary = this.diaries[side];
    diary.taken = Math.max(diary.taken, seq);
  }

  /** Another life begins, without memory of those before it. */
  begins(side: Side): void {
    this.diaries[side].isBlank = true;
  }

  /** A life without memory goes on where the broker says that it stands: what that says was judged when it left. */
  recovered(side: Side, told: Told): void {
    const { out } = this.ledgers[otherSide(side)];
    const diary = this.diaries[side];
    if (!this.wasRolledBack) return diary.recover(standingOf(told));
    // What it was told may be of a history that an older storage has undone since.
    const heard = Array.from({ length: told.taken ?? 0 }, (_, i) => out[i]?.id ?? diary.heard[i] ?? "unknown");
    diary.recover(standingOf(told), heard);
  }

  /** @param marked the application is told that it may have heard this before */
  heard(side: Side, event: ClientEvent, marked: boolean): void {
    if (event.kind === "work") return this.#heardWork(side, event.envelope, marked);
    if (event.kind === "receipts") return this.#heardReceipts(side, event.stored, event.delivered);
    if (event.kind === "fault") {
      const { reason } = event.fault.data;
      if (!honestFaults.has(reason) && !this.wasRolledBack)
        this.fails("an honest client is not refused", `${this.name(side)} got ${reason}`);
    }
    if (event.kind === "ended") {
      this.diaries[side].end = event.reason;
      if (!honestEnds.has(event.reason)) {
        this.world.totals.lostSessions++;
        if (!this.wasRolledBack)
          this.fails("a session ends for a reason", `${this.name(side)}'s ended as ${event.reason}`);
      }
    }
  }

  #heardWork(side: Side, envelope: DeliveredEnvelope, marked: boolean): void {
    const diary = this.diaries[side];
    const due = diary.heard.length + 1;
    const what = `${this.name(side)} heard ${envelope.type} ${envelope.seq}`;
    if (envelope.seq !== due) this.fails("the application hears in order, once", `${what}, due is ${due}`);
    const { out, lost } = this.ledgers[otherSide(side)];
    // What was under way when older storage came back may still arrive. Whether it may stay is seen when the end attaches.
    const gone = lost.get(envelope.id);
    const stored = gone?.seq === due ? gone : out[due - 1];
    if (stored === undefined) this.fails("nothing is heard that was not stored", what);
    if (stored.id !== envelope.id || stored.type !== envelope.type || stored.data !== JSON.stringify(envelope.data))
      this.fails(
        "what is heard is what was stored",
        `${what}: ${JSON.stringify(envelope)}, not ${JSON.stringify(stored)}`,
      );
    const isMarked = marked || (envelope.type === "TASK_REQUEST" && "redelivered" in envelope.data);
    if (!isMarked && diary.mayKnow(envelope.id) && !this.wasRolledBack) this.fails("what comes again is marked", what);
    diary.hears(envelope.id);
    if (!this.keeps(side)) this.given(side, envelope, marked);
  }

  /** Whether the agent of a side keeps a journal: then its application has a thing when it takes it. */
  protected keeps(side: Side): boolean {
    return this.world.papers[side] !== undefined;
  }

  /** The application has it. */
  given(side: Side, envelope: DeliveredEnvelope, marked = false): void {
    const diary = this.diaries[side];
    const isMarked = marked || (envelope.type === "TASK_REQUEST" && "redelivered" in envelope.data);
    if (this.keeps(side) && diary.given.has(envelope.id) && !isMarked && !this.wasRolledBack)
      this.fails("with a journal nothing comes again", `${this.name(side)} got ${envelope.type} ${envelope.seq} again`);
    diary.gives(envelope);
    if (envelope.type === "MESSAGE") this.world.totals.messages++;
    // Until the contradiction reaches an end, what an older storage says again may look like something new.
    if (this.wasRolledBack) return;
    const complain = (detail: string) => this.fails("a task is given once and answered once", detail);
    this.tasks.heard(side, envelope, isMarked, complain);
  }

  // --- with a journal

  /** What the present life said until now is written. */
  wrote(side: Side): void {
    const diary = this.diaries[side];
    if (!diary.isBlank) diary.written = diary.said.length;
  }

  /** It is written that the application has this, and then it has it. */
  takes(side: Side, envelope: DeliveredEnvelope): void {
    this.diaries[side].taking = envelope;
  }

  /** A life goes on from its journal. */
  recalled(side: Side, memory: SessionMemory): void {
    const diary = this.diaries[side];
    const { taking } = diary;
    // Killed between the writing and the handing over: it was taken.
    const isTaken = taking !== undefined && (taking.seq <= memory.taken || memory.ahead.has(taking.seq));
    if (isTaken && !diary.givenSeqs.has(taking.seq)) diary.gives(taking);
    const wrong = misrecalled(memory, diary);
    if (wrong !== undefined && !this.wasRolledBack)
      this.fails("a journal remembers what was said and taken", `${this.name(side)}: ${wrong}`);
    diary.recall(memory);
  }

  #heardReceipts(side: Side, stored: number, delivered: number): void {
    const diary = this.diaries[side];
    diary.stored = Math.max(diary.stored, stored);
    diary.delivered = Math.max(diary.delivered, delivered);
    if (stored > this.ledgers[side].accepted && !this.wasRolledBack)
      this.fails("nothing acknowledged is lost", `${this.name(side)} was told that ${stored} are stored`);
  }
}
