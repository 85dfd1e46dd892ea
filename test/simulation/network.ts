// The wires between clients and the session's object: they delay, stall, swallow, break, and lose what was under way.
// A frame between them crosses a relay (the agent's object, by RPC) or a socket of the session's own. Answers and deliveries of a
// relay are two queues that may overtake each other (F8); a direct socket is one queue.
import type { Side } from "../../protocol/session/tasks.ts";
import { errorLine } from "../../protocol/wire/codec.ts";
import { limits } from "../../protocol/wire/limits.ts";
import type { World } from "./world.ts";

export interface Connection {
  /** The attachment's name. */
  key: string;
  side: Side;
  kind: "relay" | "direct";
  /** The client's end is open. */
  up: boolean;
  /** The broker's end is open: it may be, when the client's is not. */
  known: boolean;
  /** What the client sent before a break never arrives. */
  losesInbound: boolean;
  /** Everything vanishes, or what the client sends does, and neither end notices. */
  swallows: "all" | "inbound" | undefined;
  /** When the broker's end last heard of the client, where it does not hear of it all the time; and the client of the broker. */
  silentSince: number | undefined;
  heardAt: number;
  /** Milliseconds that every frame takes more than usual. */
  lag: number;
  /** When the last frame of each queue arrives. */
  lastInbound: number;
  lastAnswer: number;
  lastDelivery: number;
}

const attaches = (text: string): boolean => /^\{"type":"SESSION_(?:INIT|ACCEPT|RESUME)"/.test(text);

export class Network {
  readonly #world: World;
  #keys = 0;
  /** The relay of a side hands on in the order in which it got. */
  readonly #relayed: [number, number] = [0, 0];
  readonly connections = new Map<string, Connection>();

  constructor(world: World) {
    this.#world = world;
  }

  latency(): number {
    const { dice, plan } = this.#world;
    const [least, most] = plan.latency;
    return dice.between(least, most);
  }

  open(side: Side, kind: Connection["kind"]): Connection {
    const connection: Connection = {
      key: `${kind === "relay" ? "c" : "d"}${++this.#keys}`,
      side,
      kind,
      up: true,
      known: true,
      losesInbound: false,
      swallows: undefined,
      silentSince: undefined,
      heardAt: this.#world.clock.now,
      lag: 0,
      lastInbound: kind === "relay" ? this.#relayed[side] : 0,
      lastAnswer: 0,
      lastDelivery: 0,
    };
    if (kind === "relay") {
      // The newest connection wins: to its agent's object the one before is closed, whatever its client thinks (C4).
      for (const other of this.connections.values()) {
        if (other.side === side && other.kind === "relay") this.forget(other);
      }
    }
    this.connections.set(connection.key, connection);
    return connection;
  }

  /** The client sends a frame. */
  inbound(connection: Connection, text: string): void {
    const { clock, host, plan, totals } = this.#world;
    const at = Math.max(connection.lastInbound, clock.now + this.latency() + connection.lag);
    connection.lastInbound = at;
    if (connection.kind === "relay") this.#relayed[connection.side] = at;
    clock.at(at, () => {
      if (connection.losesInbound || connection.swallows !== undefined) return;
      if (connection.kind === "direct" && !connection.known) return;
      if (attaches(text) && this.#world.strikes(plan.mishaps.repeatAttach)) {
        totals.attachesRepeated++;
        this.inbound(connection, text.split("\n")[0] ?? "");
      }
      host.arrive(connection, text);
    });
  }

  /** An answer to a frame of the connection's. */
  answer(connection: Connection, frames: readonly string[]): void {
    if (connection.kind === "direct") return this.#outbound(connection, frames, "lastDelivery");
    this.#outbound(connection, frames, "lastAnswer");
  }

  /** The relay lost something, and says so (A5). */
  relayLost(connection: Connection): void {
    this.answer(connection, [errorLine({ reason: "relay_lost", session_id: this.#world.session_id })]);
  }

  deliver(connection: Connection, frames: readonly string[]): void {
    this.#outbound(connection, frames, "lastDelivery");
  }

  #outbound(connection: Connection, frames: readonly string[], queue: "lastAnswer" | "lastDelivery"): void {
    const { clock, ends } = this.#world;
    for (const frame of frames) {
      const at = Math.max(connection[queue], clock.now + this.latency() + connection.lag);
      connection[queue] = at;
      clock.at(at, () => {
        if (!connection.up || connection.swallows === "all") return;
        connection.heardAt = clock.now;
        ends[connection.side].hear(frame);
      });
    }
  }

  /** From now on it swallows; whose heartbeat finds out first, gives it up. */
  silence(connection: Connection, swallows: "all" | "inbound"): void {
    connection.swallows = swallows;
    connection.silentSince = this.#world.clock.now;
    this.#listen(connection);
  }

  /** H2: the client gives up what it has heard nothing of for too long. */
  #listen(connection: Connection): void {
    const { clock } = this.#world;
    const at = connection.heardAt + limits.heartbeatTimeoutMs;
    clock.at(at, () => {
      if (!connection.up) return;
      if (clock.now - connection.heardAt >= limits.heartbeatTimeoutMs) this.cut(connection);
      else this.#listen(connection);
    });
  }

  /** H3: the broker's end is asked for the client, and closes a connection of which it has heard nothing for too long. */
  isSilent(connection: Connection): boolean {
    const { silentSince } = connection;
    const { clock, totals } = this.#world;
    if (silentSince === undefined || clock.now - silentSince <= limits.heartbeatTimeoutMs) return false;
    totals.silent++;
    this.close(connection);
    return true;
  }

  /** It breaks: the client knows now, the broker's end a while later. What is under way to the client is lost. */
  cut(connection: Connection): void {
    const { clock, dice, ends } = this.#world;
    if (!connection.up) return;
    connection.up = false;
    connection.losesInbound = dice.chance(0.5);
    const notices = Math.max(connection.lastInbound, clock.now + dice.below(200));
    clock.at(notices, () => this.forget(connection));
    ends[connection.side].connections.lost(connection);
  }

  /**
   * The broker's end closes it: the client learns of it when everything before has arrived.
   * @param tells false: the object itself does not hear of it, for it has just crashed
   */
  close(connection: Connection, tells = true): void {
    const { clock } = this.#world;
    this.forget(connection, tells);
    const at = Math.max(connection.lastDelivery, connection.lastAnswer, clock.now) + this.latency();
    clock.at(at, () => this.cut(connection));
  }

  /** The broker's end is gone. A session notices when its own socket closes; a relayed one when it next delivers. */
  forget(connection: Connection, tells = true): void {
    if (!connection.known) return;
    connection.known = false;
    this.connections.delete(connection.key);
    const { host, clock } = this.#world;
    if (tells && connection.kind === "direct") clock.after(0, () => host.detached(connection.side, connection.key));
  }
}
