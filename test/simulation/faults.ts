// What goes wrong as such, at times of its own: connections, objects, clients, applications. What goes wrong with a single frame
// or event is decided where it happens (`Mishaps`).

import type { End } from "./end.ts";
import { type FaultKind, faultKinds } from "./plan.ts";
import type { World } from "./world.ts";

/** Plans the faults of a world; each plans its next. */
export function planFaults(world: World): void {
  for (const kind of faultKinds) planNext(world, kind);
}

function planNext(world: World, kind: FaultKind): void {
  const mean = world.plan.faults[kind];
  if (mean === 0) return;
  world.clock.after(mean * 2 * world.dice.unit(), () => {
    if (world.calm || world.over) return;
    world.note(kind);
    strike(world, kind);
    planNext(world, kind);
  });
}

function strike(world: World, kind: FaultKind): void {
  const { dice, host, clock, network, agents, totals } = world;
  const end = dice.pick(world.ends);
  const { relay, direct } = end.connections;
  const connection = direct !== undefined && dice.chance(0.7) ? direct : relay;
  switch (kind) {
    case "cut":
      if (connection === undefined) return;
      totals.cuts++;
      return network.cut(connection);
    case "swallow":
      if (connection === undefined) return;
      return network.silence(connection, "all");
    case "mute":
      if (connection === undefined) return;
      return network.silence(connection, "inbound");
    case "drain":
      totals.drains++;
      return agents.drain(end.side);
    case "ask":
      return end.askAnew();
    case "stall": {
      if (connection === undefined) return;
      connection.lag = dice.between(100, 5_000);
      return clock.after(dice.between(100, 10_000), () => {
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
      // What went twice because an older storage came back is nobody's fault.
      if (world.source !== undefined) return;
      return dice.chance(0.5) ? host.keepCopy() : host.rollBack();
    case "die":
      return kill(world, end);
    case "sleep":
      return end.app.sleep(dice.between(100, 20_000));
    case "pause":
      end.pausing.want(true);
      return clock.after(dice.between(10, 5_000), () => {
        end.pausing.want(false);
        end.flush();
      });
  }
}

/**
 * An agent dies: it comes back, with what its journal remembers if it keeps one, or never. One of the two does not stay away, and
 * who was killed in a write comes back.
 */
export function kill(world: World, end: End): void {
  const { dice, plan, ends, clock, totals, calm } = world;
  if (end.life !== "alive") return;
  const returns = dice.chance(plan.returns) || calm || ends.some(({ life }) => life === "gone");
  totals.deaths++;
  end.die(returns);
  if (returns) clock.after(dice.magnitude(1, plan.awayMsMax), () => world.revive(end.side));
}
