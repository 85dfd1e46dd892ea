// The journal of an agent, which outlives its program: the SDK's own records, in a text instead of a file. What was committed
// survives; a program that is killed in a write leaves the whole of it, nothing, or any part.
import { JournalMemory, type JournalRecord, lineOf } from "../../sdk/typescript/src/journal-records.ts";
import type { Notes } from "../../sdk/typescript/src/session-journal.ts";
import type { World } from "./world.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

export class Paper implements Notes {
  readonly memory: JournalMemory;
  readonly #world: World;
  readonly #agent: string;
  #text: string;
  #unwritten = "";
  #isOpen = true;
  /** The program is killed in the write, or right after it. */
  onKill: () => void = () => {};

  private constructor(world: World, agent: string, memory: JournalMemory) {
    this.#world = world;
    this.#agent = agent;
    this.memory = memory;
    memory.owner ??= { agent, account: "local" };
    this.#text = [...memory.text()].join("");
  }

  static blank(world: World, agent: string): Paper {
    return new Paper(world, agent, new JournalMemory());
  }

  /** As the next life finds it. */
  reopened(): Paper {
    const memory = JournalMemory.read(bytesOf(this.#text), `${this.#agent}'s journal`);
    return new Paper(this.#world, this.#agent, memory);
  }

  note(record: JournalRecord): void {
    const noted = this.#world.plant?.noted?.(record) ?? record;
    if (this.#isOpen && this.memory.apply(noted)) this.#unwritten += lineOf(noted);
  }

  commit(): boolean {
    if (!this.#isOpen) return false;
    if (this.#unwritten === "" || this.#world.plant?.isJournalLate) return true;
    const { plan, dice } = this.#world;
    const isKilled = this.#world.strikes(plan.mishaps.killInside);
    const written = isKilled && dice.chance(0.5) ? dice.below(this.#unwritten.length) : this.#unwritten.length;
    this.#text += this.#unwritten.slice(0, written);
    this.#unwritten = "";
    if (!isKilled) return true;
    this.close();
    this.onKill();
    return false;
  }

  /** The program is dead. */
  close(): void {
    this.#isOpen = false;
  }
}
