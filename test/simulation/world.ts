// One session from its offer to its end: two agents, the wires, the session's object, and an oracle that looks on. First trouble,
// for some steps; then the network heals, and everything must come to its end within bounds.
import { ClientSession } from "../../protocol/session/client.ts";
import type { FromBroker } from "../../protocol/wire/envelope.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { Agents } from "./agents.ts";
import { Clock } from "./clock.ts";
import type { Dice } from "./dice.ts";
import { End } from "./end.ts";
import { planFaults } from "./faults.ts";
import { Host } from "./host.ts";
import { Meter } from "./meter.ts";
import { Network } from "./network.ts";
import { Oracle } from "./oracle.ts";
import type { Plan } from "./plan.ts";
import type { Plant } from "./plants.ts";
import type { Totals } from "./totals.ts";

/** Steps within which a healed session must have delivered everything, and ended. */
const healStepsMax = 60_000;
/** Virtual time for the same, as long as both clients live. */
const healMsMax = 20 * 60_000;

/** How the ends' client halves are made; who wants to look on makes others. */
export interface Halves {
  offer(session_id: string, to: string, mint: () => string): ClientSession;
  accept(offer: FromBroker<"SESSION_INIT">, mint: () => string): ClientSession;
  recover(session_id: string, peer: string, mint: () => string): ClientSession;
}

const plainHalves: Halves = {
  offer: (session_id, to, mint) => ClientSession.offer(session_id, to, undefined, mint),
  accept: (offer, mint) => ClientSession.accept(offer, mint),
  recover: (session_id, peer, mint) => ClientSession.recover(session_id, peer, mint),
};

export interface Setting {
  halves?: Halves;
  dice: Dice;
  plan: Plan;
  plant: Plant | undefined;
  totals: Totals;
  /** Called for everything worth a line in a trace. */
  note: (what: string, about?: unknown) => void;
}

export class World {
  readonly dice: Dice;
  readonly plan: Plan;
  readonly plant: Plant | undefined;
  readonly totals: Totals;
  readonly note: Setting["note"];
  readonly halves: Halves;
  readonly clock = new Clock();
  readonly network: Network;
  readonly host: Host;
  readonly agents: Agents;
  readonly oracle: Oracle;
  readonly meter = new Meter();
  /** The present lives of the two agents. */
  readonly ends: [End, End];
  readonly session_id: string;
  /** No more faults, and the applications come to an end. */
  calm = false;
  #ids = 0;

  constructor(setting: Setting) {
    this.dice = setting.dice;
    this.plan = setting.plan;
    this.plant = setting.plant;
    this.totals = setting.totals;
    this.halves = setting.halves ?? plainHalves;
    this.note = (what, about) => setting.note(`${this.clock.now} ${what}`, about);
    this.session_id = this.mint();
    this.oracle = new Oracle(this);
    this.network = new Network(this);
    this.host = new Host(this);
    this.agents = new Agents(this);
    this.ends = [new End(this, 0), new End(this, 1)];
  }

  /** Ids that are the same in every run of a seed. */
  readonly mint = (): string => `00000000-0000-7000-8000-${(++this.#ids).toString(16).padStart(12, "0")}`;

  /** Whether a mishap of this chance happens now. */
  strikes(chance: number): boolean {
    return chance > 0 && !this.calm && this.dice.chance(chance);
  }

  /**
   * Runs the session.
   * @param steps how many steps of trouble there may be at most
   */
  run(steps: number): void {
    for (const end of this.ends) end.start();
    this.ends[0].offer();
    for (const end of this.ends) end.app.start();
    planFaults(this);
    for (let i = 0; i < steps && !this.#isOver; i++) this.#step();
    this.#heal();
  }

  /** An agent that died comes back: another program under the same name, with what its application keeps of its own. */
  revive(side: 0 | 1): void {
    const { asked } = this.ends[side].app;
    this.note(`${this.ends[side].name} comes back`);
    this.totals.returns++;
    const end = new End(this, side, asked);
    this.ends[side] = end;
    end.start();
    end.app.start();
  }

  get #isOver(): boolean {
    return this.host.isOver && this.ends.every((end) => end.isDone);
  }

  #step(): boolean {
    this.totals.steps++;
    const happened = this.clock.step();
    this.oracle.look();
    return happened;
  }

  #heal(): void {
    this.note("heal");
    this.calm = true;
    const started = this.clock.now;
    const bothLive = this.ends.every(({ life }) => life !== "gone");
    // Longer than anything that the protocol waits for: a stalled attachment, a dead heartbeat, an unanswered cancel.
    const quiet = limits.heartbeatTimeoutMs + limits.ackStallMs * 2 + limits.deliveryStallMs * 2;
    const phases: [number, () => void][] = [
      [quiet / 4, () => this.#register()],
      [quiet, () => this.#close()],
      [quiet * 2, () => this.#askOnceMore()],
    ];
    for (let i = 0; !this.#isOver || !this.host.isTold; i++) {
      const passed = this.clock.now - started;
      const late = bothLive && !this.oracle.wasRolledBack && passed > healMsMax;
      if (i === healStepsMax || late) this.oracle.stuck(`after ${i} steps and ${passed} ms`);
      if (i % 50 === 0) for (const end of this.ends) end.app.finish();
      if (passed > (phases[0]?.[0] ?? Number.POSITIVE_INFINITY)) phases.shift()?.[1]();
      this.totals.healSteps++;
      if (!this.#step()) this.oracle.stuck("nothing is planned any more");
    }
    this.oracle.ended();
  }

  /** Who came back while its session was not yet on its list hears of it at its next registration. */
  #register(): void {
    for (const { side, relay } of this.ends)
      if (relay !== undefined && this.agents.isForgotten(side)) this.network.cut(relay);
  }

  /** An end whose close went down with newer storage waits for an answer that nobody owes it; it asks. */
  #askOnceMore(): void {
    if (this.oracle.wasRolledBack) for (const end of this.ends) end.reattach();
  }

  /** Everything first; the close last. */
  #close(): void {
    this.oracle.settled();
    for (const end of this.ends) end.app.close();
  }
}
