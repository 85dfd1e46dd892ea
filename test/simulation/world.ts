// One session from its offer to its end: two agents, the wires, the session's object, and an oracle that looks on. First trouble,
// for some steps; then the network heals, and everything must come to its end within bounds.
import { ClientSession } from "../../protocol/session/client.ts";
import type { Remembered } from "../../protocol/session/client-events.ts";
import { redriveOf } from "../../protocol/session/redrive.ts";
import type { FromBroker } from "../../protocol/wire/envelope.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { Agents } from "./agents.ts";
import type { Asked } from "./app.ts";
import type { Clock } from "./clock.ts";
import type { Dice } from "./dice.ts";
import { End } from "./end.ts";
import { planFaults } from "./faults.ts";
import { Host } from "./host.ts";
import type { Letters } from "./letters.ts";
import { Meter } from "./meter.ts";
import { Network } from "./network.ts";
import { Oracle } from "./oracle.ts";
import { Paper } from "./paper.ts";
import type { Plan } from "./plan.ts";
import type { Plant } from "./plants.ts";
import { Redriver } from "./redriver.ts";
import { Surroundings } from "./surroundings.ts";
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
  recall(remembered: Remembered, mint: () => string): ClientSession;
}

const plainHalves: Halves = {
  offer: (session_id, to, mint) => ClientSession.offer(session_id, to, undefined, mint),
  accept: (offer, mint) => ClientSession.accept(offer, mint),
  recover: (session_id, peer, mint) => ClientSession.recover(session_id, peer, mint),
  recall: (remembered, mint) => ClientSession.recall(remembered, mint),
};

export interface Setting {
  halves?: Halves;
  dice: Dice;
  plan: Plan;
  plant: Plant | undefined;
  totals: Totals;
  /** An earlier session of the two, which left dead letters. */
  source?: World | undefined;
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
  readonly surroundings: Surroundings;
  readonly clock: Clock;
  /** By side: who offered, and who was asked. */
  readonly names: readonly [string, string];
  readonly source: World | undefined;
  readonly network: Network;
  readonly host: Host;
  readonly agents: Agents;
  readonly oracle: Oracle;
  readonly meter = new Meter();
  /** The present lives of the two agents. */
  readonly ends: [End, End];
  /** Their journals. */
  readonly papers: [Paper | undefined, Paper | undefined];
  readonly session_id: string;
  readonly mint: () => string;
  /** What it left undelivered, by the side that sent it; once it has ended. */
  letters: readonly [Letters, Letters] | undefined;
  /** Its run is over. */
  over = false;

  constructor(setting: Setting) {
    this.dice = setting.dice;
    this.plan = setting.plan;
    this.plant = setting.plant;
    this.totals = setting.totals;
    this.halves = setting.halves ?? plainHalves;
    this.source = setting.source;
    this.surroundings = setting.source?.surroundings ?? new Surroundings();
    const { clock, mint, worlds } = this.surroundings;
    this.clock = clock;
    this.mint = mint;
    this.surroundings.calm = false;
    const isSwapped = this.source !== undefined && this.dice.chance(0.3);
    this.names = isSwapped ? ["analyst", "planner"] : ["planner", "analyst"];
    this.note = (what, about) => setting.note(`${this.clock.now} ${what}`, about);
    this.session_id = this.mint();
    this.oracle = new Oracle(this);
    this.network = new Network(this);
    this.host = new Host(this);
    this.agents = new Agents(this);
    const paperOf = (side: 0 | 1) => (this.plan.journal[side] ? Paper.blank(this, this.names[side]) : undefined);
    this.papers = [paperOf(0), paperOf(1)];
    this.ends = [
      new End(this, 0, this.#askedBefore(0), this.papers[0]),
      new End(this, 1, this.#askedBefore(1), this.papers[1]),
    ];
    worlds.set(this.session_id, this);
  }

  get calm(): boolean {
    return this.surroundings.calm;
  }

  /** What the agent of a side asked for in the earlier session: it may ask again, by the same ids. */
  #askedBefore(side: 0 | 1): Asked[] {
    const before = this.source?.ends.find(({ name }) => name === this.names[side]);
    return before?.app.asked.map((task) => ({ ...task, open: false })) ?? [];
  }

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
    if (this.source !== undefined) new Redriver(this, this.source).start();
    for (let i = 0; i < steps && !this.#isOver; i++) this.step();
    this.#heal();
    this.over = true;
    if (this.host.store.record?.state === "expired" && !this.oracle.wasRolledBack) this.letters = this.oracle.letters();
  }

  /** An agent that died comes back: another program under the same name, with what its application keeps of its own. */
  revive(side: 0 | 1): void {
    const { asked } = this.ends[side].app;
    this.note(`${this.ends[side].name} comes back`);
    this.totals.returns++;
    const paper = this.papers[side]?.reopened();
    this.papers[side] = paper;
    this.oracle.begins(side);
    const end = new End(this, side, asked, paper);
    this.ends[side] = end;
    end.start();
    end.app.start();
  }

  get #isOver(): boolean {
    return this.host.isOver && this.ends.every((end) => end.isDone);
  }

  /** Whether another session may take what it left. */
  get isSource(): boolean {
    return this.host.store.record !== undefined && (this.letters?.some(({ left }) => left.length > 0) ?? false);
  }

  /** What is wrong with the dead letters of a side if all of them should have gone. */
  unsettled(side: 0 | 1): string | undefined {
    const { record } = this.host.store;
    const letters = this.letters?.[side];
    if (record === undefined || letters === undefined) return undefined;
    const noted = redriveOf(record, side)?.through ?? 0;
    const [due] = letters.left;
    if (due !== undefined) return `${due.type} ${due.id} of ${this.names[side]}'s did not go`;
    return letters.went && noted < letters.through
      ? `everything through ${letters.through} went, ${noted} is noted`
      : undefined;
  }

  /** The next thing happens. False when nothing is planned. */
  step(): boolean {
    this.totals.steps++;
    const happened = this.clock.step();
    this.oracle.look();
    return happened;
  }

  #heal(): void {
    this.note("heal");
    this.surroundings.calm = true;
    const started = this.clock.now;
    const bothLive = this.ends.every(({ life }) => life !== "gone");
    // Longer than anything that the protocol waits for: a stalled attachment, a dead heartbeat, an unanswered cancel.
    const quiet = limits.heartbeatTimeoutMs + limits.ackStallMs * 2 + limits.deliveryStallMs * 2;
    const phases: [number, () => void][] = [
      [quiet / 4, () => this.#register()],
      [quiet, () => this.#close()],
      [quiet * 1.5, () => this.#leave()],
      [quiet * 2, () => this.#askOnceMore()],
    ];
    // Some sessions nobody closes: they expire.
    if (this.dice.chance(0.1)) phases.splice(1, 1);
    const isClosed = phases.length === 4;
    for (let i = 0; !this.#isOver || !this.host.isTold; i++) {
      const passed = this.clock.now - started;
      const late = bothLive && isClosed && !this.oracle.wasRolledBack && passed > healMsMax;
      if (i === healStepsMax || late) this.oracle.stuck(`after ${i} steps and ${passed} ms`);
      if (i % 50 === 0) for (const end of this.ends) end.app.finish();
      if (passed > (phases[0]?.[0] ?? Number.POSITIVE_INFINITY)) phases.shift()?.[1]();
      this.totals.healSteps++;
      if (!this.step()) this.oracle.stuck("nothing is planned any more");
    }
    this.oracle.ended();
  }

  /** Who came back while its session was not yet on its list hears of it at its next registration. */
  #register(): void {
    for (const { side, connections } of this.ends) if (this.agents.isForgotten(side)) connections.cut();
  }

  /** Who is left alone does not often wait for the day on which the session expires. */
  #leave(): void {
    if (this.ends.every(({ life }) => life !== "gone") || this.dice.chance(0.1)) return;
    for (const end of this.ends) if (!end.ended) end.die(false);
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
