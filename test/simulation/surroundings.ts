// What the sessions of one pair of agents share, one after another: time, ids, whether there is trouble, and where each other is.
import { Clock } from "./clock.ts";
import type { World } from "./world.ts";

export class Surroundings {
  readonly clock = new Clock();
  /** No more faults, and the applications come to an end. */
  calm = false;
  readonly worlds = new Map<string, World>();
  #ids = 0;

  /** Ids that are the same in every run of a seed. */
  readonly mint = (): string => `00000000-0000-7000-8000-${(++this.#ids).toString(16).padStart(12, "0")}`;
}
