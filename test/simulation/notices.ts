// What a session asks of other objects: it takes a while, arrives or not, and the answer is heard by the life that asked only.
import type { BrokerSession } from "../../protocol/session/broker.ts";
import type { Effect, Output } from "../../protocol/session/effects.ts";
import type { World } from "./world.ts";

/** The session's object, as far as answers go. */
interface Asker {
  /** Counts its lives. */
  readonly life: number;
  perform(give: (session: BrokerSession) => Output): void;
}

export class Notices {
  readonly #world: World;
  readonly #asker: Asker;

  constructor(world: World, asker: Asker) {
    this.#world = world;
    this.#asker = asker;
  }

  /** Runs what is answered, a while later, unless the asker has crashed. */
  later(run: () => void): void {
    const { life } = this.#asker;
    this.#world.clock.after(this.#world.network.latency(), () => {
      if (life === this.#asker.life) run();
    });
  }

  offer(effect: Extract<Effect, { do: "offer" }>): void {
    const { clock, agents } = this.#world;
    this.later(() => {
      const isKept = agents.keep(effect);
      this.#asker.perform((session) =>
        isKept ? session.offerMade(clock.now) : session.offerFailed("agent_offline", clock.now),
      );
    });
  }

  /**
   * What left arrives even when the asker is gone by then. Each of those who are told may fail by itself; a report may come late,
   * and twice.
   */
  index({ record: { state }, report }: Extract<Effect, { do: "index" }>): void {
    const { clock, network, agents, meter, totals, plan, dice } = this.#world;
    const { life } = this.#asker;
    const arrives = () => !this.#world.strikes(plan.mishaps.indexDown);
    totals.reports++;
    const isLate = this.#world.strikes(plan.mishaps.strayReport);
    if (isLate) clock.after(dice.below(60_000), () => meter.receive(report));
    clock.after(network.latency(), () => {
      const isMetered = arrives();
      if (isMetered) meter.receive(report);
      const told = ([0, 1] as const).map((side) => {
        const does = arrives();
        if (does) agents.told(side, state);
        return does;
      });
      if (life !== this.#asker.life || !isMetered || told.includes(false)) return;
      this.#asker.perform((session) => session.indexed(state, clock.now));
    });
  }
}
