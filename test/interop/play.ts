// Plays scenarios with pairs: one scenario after another, all pairs at once, as many as it allows. A pair in which something failed
// begins the next scenario with new agents, so that one failure is not told twice.
import { messageOf } from "../../scripts/failure.ts";
import type { Language } from "./languages.ts";
import { Pair, pairName } from "./pair.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import type { Stage } from "./stage.ts";

export interface Cell {
  readonly pair: string;
  readonly scenario: string;
  readonly seconds: number;
  /** Why it failed. */
  readonly failure?: string;
}

/** Two languages, and their agents while there are some. */
export class Seat {
  readonly name: string;
  readonly #a: Language;
  readonly #b: Language;
  #pair: Pair | undefined;
  #lives = 0;

  constructor(a: Language, b: Language) {
    this.name = pairName(a, b);
    this.#a = a;
    this.#b = b;
  }

  async #enter(stage: Stage): Promise<Pair> {
    this.#pair ??= await Pair.enter(stage, this.#a, this.#b, ++this.#lives);
    return this.#pair;
  }

  async play(stage: Stage, scenario: Scenario): Promise<Cell> {
    const started = performance.now();
    const failure = await stage.play(() => this.#play(stage, scenario));
    const seconds = (performance.now() - started) / 1000;
    return { pair: this.name, scenario: scenario.name, seconds, ...(failure !== undefined && { failure }) };
  }

  async #play(stage: Stage, scenario: Scenario): Promise<string | undefined> {
    try {
      const pair = await this.#enter(stage);
      await scenario.play(pair);
      if (pair.complaints === "") return undefined;
      return await this.#fail(pair.complaints);
    } catch (error) {
      const complaints = this.#pair?.complaints ?? "";
      return await this.#fail(complaints === "" ? messageOf(error) : `${messageOf(error)}\n${complaints}`);
    }
  }

  async #fail(why: string): Promise<string> {
    await this.end();
    return why;
  }

  async end(): Promise<void> {
    const pair = this.#pair;
    this.#pair = undefined;
    await pair?.end();
  }
}

/** One scenario with every seat; the cells in the seats' order. */
export async function playRow(stage: Stage, scenario: Scenario, seats: readonly Seat[]): Promise<Cell[]> {
  const cells: Cell[] = [];
  const left = seats.map((seat, i) => ({ seat, i }));
  const one = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      cells[next.i] = await next.seat.play(stage, scenario);
    }
  };
  await Promise.all(Array.from({ length: scenario.together ?? seats.length }, one));
  return cells;
}
