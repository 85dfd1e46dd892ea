// The two agents' objects, as far as this session goes: the offer that waits for an answer, whose list has the session, and what
// REGISTER is answered with. What they are told arrives or not, each by itself, as in `tellState`.
import type { Offer, SessionRecord } from "../../protocol/session/effects.ts";
import { isLive } from "../../protocol/session/states.ts";
import { announcedLimits, limits } from "../../protocol/wire/limits.ts";
import type { Connection } from "./network.ts";
import type { World } from "./world.ts";

export class Agents {
  readonly #world: World;
  #offer: Offer | undefined;
  /** Whose list has the session. */
  readonly #lists: [boolean, boolean] = [false, false];

  constructor(world: World) {
    this.#world = world;
  }

  /** Takes an offer. False when nobody is there and it may not wait. */
  keep(offer: Offer): boolean {
    const { relay } = this.#world.ends[1].connections;
    const isHere = relay?.known === true && !this.#world.network.isSilent(relay);
    if (!isHere && !offer.waits) return false;
    this.#offer = offer;
    if (isHere) this.#handOver(relay);
    return true;
  }

  /** An agent has a new connection: it hears of the session that lives, and gets the offer that waits for it. */
  registers(connection: Connection): void {
    const { clock, network, mint, ends, session_id } = this.#world;
    clock.after(network.latency() + connection.lag, () => {
      if (!connection.known || connection.swallows !== undefined) return;
      const { side } = connection;
      const sessions = this.#lists[side] ? [{ session_id, peer: ends[side === 0 ? 1 : 0].name }] : [];
      const heartbeat_ms = limits.heartbeatIntervalMs;
      const data = { agent: ends[side].name, account: "local", limits: announcedLimits, heartbeat_ms, sessions };
      const welcome = { type: "REGISTER_ACK", id: mint(), in_reply_to: mint(), data };
      network.deliver(connection, [JSON.stringify(welcome)]);
      if (side === 1) this.#handOver(connection);
    });
  }

  /** The agent is to connect anew, here and in its session (C8). */
  drain(side: 0 | 1): void {
    const { network, ends, mint, host, clock } = this.#world;
    for (const connection of network.connections.values()) {
      if (connection.side !== side || connection.kind !== "relay") continue;
      network.deliver(connection, [JSON.stringify({ type: "GOAWAY", id: mint(), data: { reason: "draining" } })]);
      network.close(connection);
    }
    clock.after(network.latency(), () => host.expel(side, ends[side].name));
  }

  #handOver(relay: Connection): void {
    const { network, clock } = this.#world;
    if (this.#offer !== undefined && clock.now < this.#offer.until) network.deliver(relay, [this.#offer.line]);
  }

  /** One of them is told how the session stands. */
  told(side: 0 | 1, state: SessionRecord["state"]): void {
    this.#lists[side] = isLive(state);
    if (side === 1) this.#offer = undefined;
  }

  /** Whether an agent was told of a session that its present life knows nothing of: it hears of it when it registers next. */
  isForgotten(side: 0 | 1): boolean {
    const { session, life } = this.#world.ends[side];
    return life === "alive" && this.#lists[side] && session === undefined;
  }
}
