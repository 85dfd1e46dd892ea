// Frames on their way from the session's object to an agent: by a socket of its own, or through the agent's object, which may lose
// them, says so, and knows when the connection is gone.
import type { Side } from "../../protocol/session/tasks.ts";
import type { World } from "./world.ts";

export class Delivery {
  readonly #world: World;
  readonly #session: { detached(side: Side, attach: string): void };
  readonly #later: (run: () => void) => void;

  /** @param later runs what another object answers */
  constructor(world: World, session: { detached(side: Side, attach: string): void }, later: (run: () => void) => void) {
    this.#world = world;
    this.#session = session;
    this.#later = later;
  }

  send(to: Side, attach: string, frames: string[]): void {
    const { network, plan, totals, dice } = this.#world;
    const gone = () => this.#session.detached(to, attach);
    const found = network.connections.get(attach);
    const connection = found && network.isSilent(found) ? undefined : found;
    if (connection?.kind === "direct") return network.deliver(connection, frames);
    if (attach.startsWith("d")) return gone();
    if (connection === undefined) return this.#later(gone);
    if (!this.#world.strikes(plan.mishaps.loseDelivery)) return network.deliver(connection, frames);
    totals.framesLost++;
    const isClosed = dice.chance(0.25);
    if (isClosed) network.close(connection);
    // First the session knows, then the client: it attaches again after that.
    this.#later(() => {
      gone();
      if (!isClosed) network.relayLost(connection);
    });
  }
}
