// What an end with a journal does besides: it notes before it acts, as the SDK does, and goes on from what an earlier life noted.
import type { ClientSession } from "../../protocol/session/client.ts";
import type { DeliveredEnvelope } from "../../protocol/wire/envelope.ts";
import { Inbox, type Slot } from "../../sdk/typescript/src/inbox.ts";
import type { SessionMemory } from "../../sdk/typescript/src/journal-records.ts";
import { SessionJournal } from "../../sdk/typescript/src/session-journal.ts";
import type { End } from "./end.ts";
import type { Paper } from "./paper.ts";
import type { World } from "./world.ts";

/** Work that has come, and is not taken. */
export interface Unread extends Slot {
  readonly envelope: DeliveredEnvelope;
}

export class Keeper {
  readonly #world: World;
  readonly #end: End;
  readonly #paper: Paper;
  readonly #notes: SessionJournal;
  readonly #inbox: Inbox;
  /** What is remembered of the session, until the broker has agreed. */
  #memory: SessionMemory | undefined;

  constructor(world: World, end: End, paper: Paper) {
    this.#world = world;
    this.#end = end;
    this.#paper = paper;
    this.#notes = new SessionJournal(paper, world.session_id);
    this.#inbox = new Inbox(
      (seq) => end.took(seq),
      (slot, through) => this.#notes.taken(slot.seq, through, slot.envelope),
    );
  }

  /** The session as an earlier life left it, where there is one. */
  recall(): ClientSession | undefined {
    const { session_id, halves, mint, oracle, totals } = this.#world;
    const memory = this.#paper.memory.sessions.get(session_id);
    if (memory === undefined) return undefined;
    totals.recalls++;
    oracle.recalled(this.#end.side, memory);
    this.#memory = memory;
    this.#inbox.recall(memory.ahead);
    this.#end.app.recall(memory);
    return halves.recall(memory.remembered, mint);
  }

  /** The broker has agreed: what was begun and not finished begins again. */
  resumed(): void {
    const begun = [...(this.#memory?.tasks.keys() ?? [])];
    this.#memory = undefined;
    this.#end.app.begin(begun);
  }

  /** The broker has not agreed yet: nothing is said before it does. */
  get isWaiting(): boolean {
    return this.#memory !== undefined;
  }

  opened({ remembered }: ClientSession, redelivered = 0, requested: readonly string[] = []): void {
    this.#notes.opened(remembered, redelivered, requested);
  }

  queued({ newestLine = "" }: ClientSession): void {
    this.#notes.queued(newestLine);
  }

  stored(through: number): void {
    this.#notes.stored(through);
  }

  ended(): void {
    this.#notes.ended();
  }

  /** Before anything leaves. False: the program was killed, and nothing does. */
  commit(): boolean {
    const { oracle } = this.#world;
    if (!this.#notes.commit()) return false;
    oracle.wrote(this.#end.side);
    return true;
  }

  /** Undefined: an earlier life took it, and it only keeps its place. */
  arrived(envelope: DeliveredEnvelope): Unread | undefined {
    if (this.#inbox.hadBefore(envelope.seq)) return undefined;
    return this.#inbox.arrived({ seq: envelope.seq, taken: false, envelope });
  }

  /** False: the program was killed before the application had it. */
  take(slot: Unread): boolean {
    const { oracle } = this.#world;
    const { side } = this.#end;
    oracle.takes(side, slot.envelope);
    if (!this.#inbox.done(slot)) return false;
    oracle.wrote(side);
    oracle.given(side, slot.envelope);
    return true;
  }
}
