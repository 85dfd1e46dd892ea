// How one life of an agent reaches the broker: over its agent's relay, or by a socket of the session's own; either comes back, with
// jitter, after it broke.
import { limits } from "../../protocol/wire/limits.ts";
import { backoffMs } from "../../sdk/typescript/src/backoff.ts";
import type { Connection } from "./network.ts";
import type { World } from "./world.ts";

interface Owner {
  readonly side: 0 | 1;
  readonly ended: boolean;
  /** The session's lines go another way from now on. */
  attachAnew(): void;
}

export class Connections {
  readonly #world: World;
  readonly #owner: Owner;
  relay: Connection | undefined;
  direct: Connection | undefined;
  /** It has opened a socket of its own: nothing goes over the relay any more. */
  #goesDirect = false;
  #attempt = 0;

  constructor(world: World, owner: Owner) {
    this.#world = world;
    this.#owner = owner;
  }

  /** Where the session's lines go now. */
  get route(): Connection | undefined {
    return this.#goesDirect ? this.direct : this.relay;
  }

  dial(kind: Connection["kind"]): void {
    const { host, network, agents } = this.#world;
    if (this.#owner.ended || (kind === "direct" && host.store.record === undefined)) return;
    const connection = network.open(this.#owner.side, kind);
    this[kind] = connection;
    if (kind === "direct") this.#goesDirect = true;
    else agents.registers(connection);
    if (this.route === connection) this.#owner.attachAnew();
  }

  /** It broke: a new one comes after a while. */
  lost(connection: Connection): void {
    const { kind } = connection;
    if (this[kind] !== connection) return;
    this[kind] = undefined;
    const { clock, dice } = this.#world;
    const bounds = { baseMs: limits.reconnectBaseMs, maxMs: limits.reconnectMaxMs };
    clock.after(backoffMs(bounds, this.#attempt++, dice.unit()), () => {
      if (this[kind] === undefined) this.dial(kind);
    });
  }

  /** Something came: the next loss starts with the shortest wait again. */
  proven(): void {
    this.#attempt = 0;
  }

  /** The broker asks it to connect anew (C8). */
  renew(): void {
    this.#attempt = 0;
    if (this.relay !== undefined) this.#world.network.cut(this.relay);
  }

  /** A second connection beside the first, which goes on delivering into the void. */
  double(): void {
    const { clock, dice, network } = this.#world;
    const old = this.route;
    if (old === undefined) return;
    this[old.kind] = undefined;
    this.dial(old.kind);
    clock.after(dice.below(2_000), () => network.cut(old));
  }

  cut(): void {
    for (const connection of [this.relay, this.direct])
      if (connection !== undefined) this.#world.network.cut(connection);
  }
}
