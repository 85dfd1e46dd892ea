// One life of one agent: its connections, its client half driven as the SDK drives it (reconnects with jitter, attaches again after L15,
// keeps receipts back, holds after a lost relay), and its application.
import type { ClientSession } from "../../protocol/session/client.ts";
import type { ClientEvent } from "../../protocol/session/client-events.ts";
import { decodeBrokerFrame, encode, packFrames } from "../../protocol/wire/codec.ts";
import type { BrokerEnvelope, WorkType } from "../../protocol/wire/envelope.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { backoffMs } from "../../sdk/typescript/src/backoff.ts";
import { Pausing, Stall } from "../../sdk/typescript/src/pulse.ts";
import { App, type Asked } from "./app.ts";
import { Connections } from "./connections.ts";
import { kill } from "./faults.ts";
import { Keeper } from "./keeper.ts";
import type { Paper } from "./paper.ts";
import type { World } from "./world.ts";

export class End {
  readonly #world: World;
  readonly side: 0 | 1;
  readonly name: string;
  readonly app: App;
  /** Where it keeps a journal. */
  readonly keeper: Keeper | undefined;
  session: ClientSession | undefined;
  readonly connections: Connections;
  /** away: it will be another life of this agent that comes back. */
  life: "alive" | "away" | "gone" = "alive";
  /** Work through this `seq` may have been heard in an earlier life. */
  #sentBefore = 0;
  readonly pausing = new Pausing();
  readonly #answers = new Stall();
  readonly #deliveries = new Stall();
  #held = false;
  #heldFor = 0;
  #owes = false;

  /**
   * @param asked what its application asked for in earlier lives
   * @param paper its journal, where it keeps one
   */
  constructor(world: World, side: 0 | 1, asked: readonly Asked[], paper: Paper | undefined) {
    this.#world = world;
    this.side = side;
    this.name = world.names[side];
    this.connections = new Connections(world, this);
    this.app = new App(world, this, asked);
    this.keeper = paper && new Keeper(world, this, paper);
    if (paper !== undefined) paper.onKill = () => kill(world, this);
  }

  /** Nothing is done by it any more. */
  get ended(): boolean {
    return this.life !== "alive" || this.session?.state === "ended";
  }

  /** It waits for nothing, and nothing of it is waited for (while the session is over). */
  get isDone(): boolean {
    if (this.life !== "alive") return this.life === "gone";
    return this.session === undefined || this.session.state === "ended";
  }

  start(): void {
    this.connections.dial("relay");
    this.#watch();
  }

  offer(): void {
    const { session_id, ends, mint, halves } = this.#world;
    this.session = halves.offer(session_id, ends[1].name, mint);
    this.flush();
  }

  #watch(): void {
    const { clock, calm } = this.#world;
    const { state, oldestInFlight, awaited } = this.session ?? {};
    const isIdle = calm && state === "ready" && oldestInFlight === undefined && awaited === undefined;
    clock.after(isIdle ? limits.deliveryStallMs : limits.ackStallMs / 4, () => {
      if (this.ended || this.#world.over) return;
      this.#watch();
      if (this.session === undefined) return;
      const { state, oldestInFlight, awaited } = this.session;
      const isOwed = state !== "ready" || oldestInFlight !== undefined;
      const asked = isOwed ? `${state} ${oldestInFlight}` : undefined;
      const isUnanswered = this.#answers.isStalled(asked, clock.now, limits.ackStallMs);
      const isForgotten = this.#deliveries.isStalled(awaited, clock.now, limits.deliveryStallMs);
      if (!isUnanswered && !isForgotten) return;
      this.#world.note(`${this.name} stalled`);
      this.attachAnew();
    });
  }

  /** What comes next is INIT, ACCEPT or RESUME. */
  attachAnew(): void {
    this.#held = false;
    this.session?.connected();
    this.flush();
  }

  /** Attaches again for no reason. */
  reattach(): void {
    const { dice, calm, totals } = this.#world;
    if (this.ended || this.session === undefined) return;
    totals.reattached++;
    if (calm || dice.chance(0.5)) this.session.reattach();
    else this.connections.double();
    this.flush();
  }

  /** As a client that has lost its memory, though it has not. */
  askAnew(): void {
    const { session } = this;
    const { route } = this.connections;
    if (session?.state !== "ready" || route === undefined) return;
    const { mint, network, totals } = this.#world;
    totals.asked++;
    const question = {
      type: "SESSION_RESUME",
      id: mint(),
      session_id: session.session_id,
      data: { received: null },
    } as const;
    network.inbound(route, encode(question));
  }

  die(returns: boolean): void {
    this.life = returns ? "away" : "gone";
    this.#world.papers[this.side]?.close();
    this.connections.cut();
  }

  // --- out

  say(type: WorkType, data: string, in_reply_to?: string): string {
    const { mint, oracle } = this.#world;
    const id = mint();
    if (this.session === undefined) throw new Error("no session to send in");
    if (this.ended) return id;
    const seq = this.session.sendText(type, id, data, in_reply_to === undefined ? {} : { in_reply_to });
    this.keeper?.queued(this.session);
    oracle.sent(this.side, { seq, id, type, data });
    this.flush();
    return id;
  }

  took(seq: number): void {
    this.#world.oracle.took(this.side, seq);
    this.session?.take(seq);
  }

  /** Sends what there is. */
  flush(receipts?: "now"): void {
    const { session } = this;
    const { route } = this.connections;
    const { plan, clock, network } = this.#world;
    if (this.ended || this.keeper?.commit() === false) return;
    if (session === undefined || route === undefined || this.#held) return;
    const thrifty = plan.thrifty[this.side];
    const lines = session.lines(receipts ?? (thrifty ? "later" : "now"));
    const flow = session.state === "ready" ? this.pausing.take() : undefined;
    if (flow !== undefined) lines.push(encode({ type: flow, session_id: session.session_id }));
    if (session.owesReceipt && !this.#owes) {
      this.#owes = true;
      clock.after(limits.receiptDelayMs, () => {
        this.#owes = false;
        this.flush("now");
      });
    }
    for (const frame of packFrames(lines)) {
      if (this.keeper !== undefined && this.#world.strikes(plan.mishaps.killInside)) return kill(this.#world, this);
      network.inbound(route, frame);
    }
    // What fills a frame of its own waits for nothing.
    if (session.hasFullFrame) this.flush(receipts);
  }

  // --- in

  hear(text: string): void {
    if (this.ended) return;
    this.connections.proven();
    for (const decoded of decodeBrokerFrame(text)) {
      if (!decoded.ok) this.#world.oracle.fails("the broker's frames can be read", `${decoded.fault.reason}: ${text}`);
      else if (!this.ended) this.#hear(decoded.envelope);
    }
    this.flush();
  }

  // What still comes on an older connection is read like everything else, as the SDK does.
  #hear(envelope: BrokerEnvelope): void {
    const { halves, mint, oracle } = this.#world;
    if (envelope.type === "SESSION_INIT") {
      this.session ??= halves.accept(envelope, mint);
      return;
    }
    if (envelope.type === "GOAWAY") return this.connections.renew();
    if (envelope.type === "REGISTER_ACK") {
      // A session that this life knows nothing of was an earlier one's.
      this.session ??= this.keeper?.recall();
      for (const { session_id, peer } of envelope.data.sessions)
        this.session ??= halves.recover(session_id, peer, mint);
      return;
    }
    for (const event of this.session?.receive(envelope) ?? []) {
      if (event.kind === "recovered" && envelope.type === "SESSION_RESUMED") oracle.recovered(this.side, envelope.data);
      this.#happened(event);
    }
  }

  #happened(event: ClientEvent): void {
    const { oracle, plan, totals, note } = this.#world;
    note(`${this.name} hears`, event);
    oracle.heard(this.side, event, event.kind === "work" && event.envelope.seq <= this.#sentBefore);
    if (event.kind === "accepted") {
      totals.sessions += this.side;
      if (this.session !== undefined) this.keeper?.opened(this.session);
      if (plan.direct[this.side]) this.connections.dial("direct");
    } else if (event.kind === "recovered") {
      if (this.session !== undefined) this.keeper?.opened(this.session, event.sent, event.requested);
      totals.recoveries++;
      this.#heldFor = 0;
      this.#sentBefore = event.sent;
      if (plan.direct[this.side]) this.connections.dial("direct");
    } else if (event.kind === "resumed") {
      totals.resumes++;
      this.#heldFor = 0;
      this.pausing.attached();
      this.keeper?.resumed();
    } else if (event.kind === "receipts") this.keeper?.stored(event.stored);
    else if (event.kind === "ended") this.keeper?.ended();
    else if (event.kind === "unheard") {
      for (const data of event.requests) this.say("TASK_REQUEST", data);
    } else if (event.kind === "fault" && event.fault.data.reason === "relay_lost") this.#hold();
    this.app.hear(event);
  }

  #hold(): void {
    if (this.#held) return;
    this.#held = true;
    const { clock, dice } = this.#world;
    const bounds = { baseMs: limits.reconnectBaseMs, maxMs: limits.reconnectMaxMs };
    clock.after(backoffMs(bounds, this.#heldFor++, dice.unit()), () => {
      this.#held = false;
      this.flush();
    });
  }
}
