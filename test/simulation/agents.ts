// The responder's agent, as far as offers go: it hands one to its connection, and keeps it for the next where it may wait.
import type { Offer } from "../../protocol/session/effects.ts";
import type { World } from "./world.ts";

export class Offers {
  readonly #world: World;
  #offer: Offer | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  /** Takes an offer. False when nobody is there and it may not wait. */
  keep(offer: Offer): boolean {
    if (!this.#world.ends[1].relay?.known && !offer.waits) return false;
    this.#offer = offer;
    this.registered();
    return true;
  }

  /** The agent has a connection: it gets the offer that waits for it, until it answers. */
  registered(): void {
    const { ends, network, clock } = this.#world;
    const { relay, session } = ends[1];
    if (this.#offer === undefined || relay === undefined || session !== undefined) return;
    if (clock.now < this.#offer.until) network.deliver(relay, [this.#offer.line]);
  }
}
