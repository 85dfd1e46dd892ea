// The session's object: storage that lasts, memory that does not, and effects carried out as `SessionObject` does.
// What a crash leaves is what Cloudflare's output gate makes of it. The rows of one event (those before its first frame) become
// durable together, and no frame leaves before they are. So a crash loses the event's rows and frames, or keeps the rows and
// loses frames: any tail of them, the answer to the sender or not. Never part of the rows, never a frame without its rows.
import { decodeDirect, decodeRelayed } from "../../durable-objects/reading.ts";
import { BrokerSession } from "../../protocol/session/broker.ts";
import type { Effect, Output } from "../../protocol/session/effects.ts";
import { isEnded } from "../../protocol/session/states.ts";
import { otherSide, type Side } from "../../protocol/session/tasks.ts";
import { nextDeadline } from "../../protocol/session/timers.ts";
import { packFrames } from "../../protocol/wire/codec.ts";
import { closeCodes } from "../../protocol/wire/errors.ts";
import { isRowEffect, type RowEffect, Store } from "../protocol/store.ts";
import { Delivery } from "./delivery.ts";
import type { Connection } from "./network.ts";
import { Notices } from "./notices.ts";
import type { World } from "./world.ts";

interface Copy {
  store: Store;
  oracle: ReturnType<World["oracle"]["copy"]>;
}

export class Host {
  readonly #world: World;
  #store = new Store();
  #memory: BrokerSession | undefined;
  readonly #notices: Notices;
  readonly #delivery: Delivery;
  /** Counts crashes: what was asked for in an earlier life is never heard. */
  life = 0;
  #alarm: number | undefined;
  #copy: Copy | undefined;
  /** The latest crash took rows with it. */
  #lostRows = false;
  /** Calls that wait for answers: while there are any, memory stays. */
  pending = 0;
  /** Events within events: a socket that turns out to be gone is told to the core while its effects are carried out. */
  #depth = 0;

  constructor(world: World) {
    this.#world = world;
    this.#notices = new Notices(world, this);
    this.#delivery = new Delivery(world, this, (run) => this.#notices.later(run));
  }

  /** It has ended, or never was. */
  get isOver(): boolean {
    return this.#store.record === undefined || isEnded(this.#store.record.state);
  }
  /** It is over, and everybody was told. */
  get isTold(): boolean {
    return this.isOver && this.#store.record?.timers.index === undefined;
  }
  get store(): Store {
    return this.#store;
  }

  #awake(): BrokerSession {
    const { plant, mint } = this.#world;
    if (this.#memory === undefined) {
      const saved = this.#store.saved();
      const restored = saved && (plant?.restored?.(saved) ?? saved);
      const tasks = plant?.tasks?.(this.#store) ?? this.#store;
      this.#memory = new BrokerSession(tasks, { id: mint, epoch: mint }, restored);
    }
    return this.#memory;
  }

  // --- what happens to it

  hibernate(): void {
    if (this.pending > 0) return;
    if (this.#memory !== undefined) this.#world.totals.hibernations++;
    this.#memory = undefined;
  }

  /** Memory, sockets of its own, and whatever was being asked are gone; a set alarm stays set. */
  crash(): void {
    const { network, totals, note } = this.#world;
    note("crash");
    totals.crashes++;
    this.#memory = undefined;
    this.pending = 0;
    this.life++;
    for (const connection of network.connections.values())
      if (connection.kind === "direct") network.close(connection, false);
  }

  keepCopy(): void {
    if (this.#store.record === undefined) return;
    this.#copy = { store: this.#store.copy(), oracle: this.#world.oracle.copy() };
  }

  /** Back from the older storage, where there is some. */
  rollBack(): void {
    if (this.#copy === undefined) return;
    const { totals, oracle, note, dice, mint } = this.#world;
    const announced = dice.chance(0.5);
    totals.rollbacks++;
    note("roll back", { announced });
    this.crash();
    this.#store = this.#copy.store.copy();
    const { record } = this.#store;
    // Who restores on purpose gives the storage a new name, and cuts everybody off from it: they must ask, and be told.
    if (announced && record) this.#store.record = { ...record, epoch: mint(), attach: [null, null] };
    oracle.rolledBack(this.#copy.oracle, announced);
    this.#setAlarm(this.#store.record && nextDeadline(this.#store.record.timers));
  }

  // --- events

  /** A frame reached it (through the relay, or by its own socket). */
  arrive(connection: Connection, text: string): void {
    const { side, kind, key } = connection;
    const world = this.#world;
    if (kind === "relay" && world.strikes(world.plan.mishaps.loseInbound)) {
      world.totals.framesLost++;
      return world.network.relayLost(connection);
    }
    const agent = world.ends[side].name;
    const read = kind === "relay" ? decodeRelayed(text, agent) : decodeDirect(text, agent, world.session_id);
    if (read.faults.length > 0) world.oracle.fails("an honest client is understood", read.faults.join(" "));
    world.oracle.arrived(side, read.envelopes);
    const answer: string[] = [];
    const life = this.life;
    this.perform((session) => session.receive({ agent, attach: key, envelopes: read.envelopes }, world.clock.now), {
      connection,
      reply: (lines) => {
        if (kind === "direct") world.network.answer(connection, packFrames(lines));
        else answer.push(...packFrames(lines));
      },
    });
    if (kind === "direct") return;
    // The answer leaves when the rows are durable: before the crash, or not; then nobody knows what arrived.
    if (life !== this.life && (this.#lostRows || world.dice.chance(0.7))) return world.network.relayLost(connection);
    world.network.answer(connection, answer);
  }

  /** The core, as a call about dead letters looks at it. */
  get session(): BrokerSession {
    return this.#awake();
  }

  /** The agent is to connect anew: its sockets here are closed, attached or not. */
  expel(side: Side, agent: string): void {
    const { network, clock } = this.#world;
    this.perform((session) => session.expel(agent, closeCodes.draining, "draining", clock.now));
    for (const connection of network.connections.values())
      if (connection.kind === "direct" && connection.side === side) network.close(connection);
  }

  detached(side: Side, attach: string): void {
    this.perform((session) => session.detached(side, attach, this.#world.clock.now));
  }

  #ring(at: number): void {
    if (this.#alarm !== at) return;
    this.#alarm = undefined;
    const [life, { clock }] = [this.life, this.#world];
    this.perform((session) => session.wake(session.record && this.#store.lastWorkAt(), clock.now));
    // An alarm whose handler failed rings again.
    if (life !== this.life && this.#alarm === undefined) this.#setAlarm(clock.now + 1_000);
  }

  #setAlarm(at: number | undefined): void {
    if (this.#alarm === at) return;
    this.#alarm = at;
    if (at !== undefined) this.#world.clock.at(at, () => this.#ring(at));
  }

  /** Gives it one event, and carries out what it wants. */
  perform(give: (session: BrokerSession) => Output, answering?: Answering): void {
    const world = this.#world;
    if (this.#depth === 0 && world.strikes(world.plan.mishaps.forget)) this.hibernate();
    this.#depth++;
    this.#carryOut(give(this.#awake()), answering);
    this.#depth--;
  }

  #carryOut(output: Output, answering: Answering | undefined): void {
    const world = this.#world;
    const effects = world.plant?.effects?.(output.effects) ?? output.effects;
    world.oracle.decided(effects);
    const crashAt = world.strikes(world.plan.mishaps.crashInside) ? world.dice.below(effects.length + 1) : undefined;
    const life = this.life;
    let rows: RowEffect[] = [];
    const commit = () => {
      for (const row of rows) this.#store.apply(row);
      world.oracle.committed(rows);
      rows = [];
      this.#setAlarm(output.deadline);
    };
    for (const [i, effect] of effects.entries()) {
      const isRow = isRowEffect(effect);
      if (i === crashAt) {
        if (!isRow && world.dice.chance(0.7)) commit();
        this.#lostRows = isRow || rows.length > 0;
        return this.crash();
      }
      if (isRow) rows.push(effect);
      else {
        if (rows.length > 0 || i === 0) commit();
        this.#emit(effect, answering);
        if (life !== this.life) return;
      }
    }
    commit();
    this.#lostRows = false;
    if (crashAt === effects.length) this.crash();
  }

  #emit(effect: Exclude<Effect, RowEffect>, answering: Answering | undefined): void {
    const { oracle, network, note } = this.#world;
    note(effect.do, effect);
    oracle.leaving(effect, answering?.connection.side);
    switch (effect.do) {
      case "reply":
        return answering?.reply(effect.lines);
      case "send":
        return this.#delivery.send(effect.to, effect.attach, effect.frames);
      case "replay":
        return this.#delivery.send(
          effect.to,
          effect.attach,
          this.#store.frames(otherSide(effect.to), effect.first, effect.last),
        );
      case "close": {
        const connection = network.connections.get(effect.attach);
        const isReached = connection?.kind === "direct" || answering?.connection === connection;
        if (connection !== undefined && isReached) network.close(connection);
        return;
      }
      case "offer":
        return this.#notices.offer(effect);
      case "erase":
        return this.#notices.later(() => this.#erase());
      case "index":
        return this.#notices.index(effect);
    }
  }

  /** What fails is asked for again. */
  #erase(): void {
    const { oracle, plan, totals } = this.#world;
    if (this.#store.record === undefined || this.#world.strikes(plan.mishaps.indexDown)) return;
    oracle.forgets(this.#store.record);
    totals.forgotten++;
    this.#store = new Store();
    this.#memory = undefined;
    this.#setAlarm(undefined);
  }
}

type Answering = { connection: Connection; reply(lines: string[]): void };
