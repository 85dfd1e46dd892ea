// One session from its offer to its end: two agents, the wires, the session's object, and an oracle that looks on. First trouble,
// for some steps; then the network heals, and everything must come to its end within bounds.
import { ClientSession } from "../../protocol/session/client.ts";
import type { FromBroker } from "../../protocol/wire/envelope.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { Clock } from "./clock.ts";
import type { Dice } from "./dice.ts";
import { End } from "./end.ts";
import { Host } from "./host.ts";
import { Network } from "./network.ts";
import { Offers } from "./offers.ts";
import { Oracle } from "./oracle.ts";
import { type FaultKind, faultKinds, type Plan } from "./plan.ts";
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
}

const plainHalves: Halves = {
  offer: (session_id, to, mint) => ClientSession.offer(session_id, to, undefined, mint),
  accept: (offer, mint) => ClientSession.accept(offer, mint),
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
  readonly offers: Offers;
  readonly oracle: Oracle;
  readonly ends: readonly [End, End];
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
    this.offers = new Offers(this);
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
    const [a, b] = this.ends;
    for (const end of this.ends) end.start();
    a.offer();
    for (const end of this.ends) end.app.start();
    for (const kind of faultKinds) this.#plan(kind);
    for (let i = 0; i < steps && !(a.ended && b.ended); i++) this.#step();
    this.#heal();
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
    const [a, b] = this.ends;
    const started = this.clock.now;
    const bothLive = !a.dead && !b.dead;
    const phases = [() => this.#close(), () => this.#askOnceMore()];
    for (let i = 0; !(a.ended && (b.ended || b.session === undefined) && this.host.isOver); i++) {
      const late = bothLive && !this.oracle.wasRolledBack && this.clock.now - started > healMsMax;
      if (i === healStepsMax || late) this.oracle.stuck(`after ${i} steps and ${this.clock.now - started} ms`);
      if (i % 50 === 0) for (const end of this.ends) end.app.finish();
      // Longer than anything that the protocol waits for: a stalled attachment, a dead heartbeat, an unanswered cancel.
      const quiet = limits.heartbeatTimeoutMs + limits.ackStallMs * 2 + limits.deliveryStallMs * 2;
      if (this.clock.now - started > quiet * (3 - phases.length)) phases.shift()?.();
      this.totals.healSteps++;
      if (!this.#step()) this.oracle.stuck("nothing is planned any more");
    }
    this.oracle.ended();
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

  // --- faults

  #plan(kind: FaultKind): void {
    const mean = this.plan.faults[kind];
    if (mean === 0) return;
    this.clock.after(mean * 2 * this.dice.unit(), () => {
      if (this.calm) return;
      this.note(kind);
      this.#strike(kind);
      this.#plan(kind);
    });
  }

  #strike(kind: FaultKind): void {
    const { dice, host } = this;
    const end = dice.pick(this.ends);
    const connection = end.direct !== undefined && dice.chance(0.7) ? end.direct : end.relay;
    switch (kind) {
      case "cut":
        if (connection === undefined) return;
        this.totals.cuts++;
        return this.network.cut(connection);
      case "swallow":
        if (connection === undefined) return;
        connection.swallows = true;
        // The heartbeat finds out.
        return this.clock.after(limits.heartbeatTimeoutMs, () => this.network.cut(connection));
      case "stall": {
        if (connection === undefined) return;
        connection.lag = dice.between(100, 5_000);
        return this.clock.after(dice.between(100, 10_000), () => {
          connection.lag = 0;
        });
      }
      case "reattach":
        return end.reattach();
      case "crash":
        return host.crash();
      case "hibernate":
        return host.hibernate();
      case "rollback":
        return dice.chance(0.5) ? host.keepCopy() : host.rollBack();
      case "die":
        if (this.ends.some(({ dead }) => dead)) return;
        this.totals.deaths++;
        return end.die();
      case "sleep":
        return end.app.sleep(dice.between(100, 20_000));
      case "pause":
        end.pausing.want(true);
        return this.clock.after(dice.between(10, 5_000), () => {
          end.pausing.want(false);
          end.flush();
        });
    }
  }
}
