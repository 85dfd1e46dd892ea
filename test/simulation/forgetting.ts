// The end after the end: an ended session is kept for its time, then forgotten, whatever fails meanwhile (D5).
import type { SessionRecord } from "../../protocol/session/effects.ts";
import { isEnded } from "../../protocol/session/states.ts";
import { limits } from "../../protocol/wire/limits.ts";
import type { World } from "./world.ts";

/** Steps of trouble, and then without, within which nothing may be left of the session. */
const troubleSteps = 100;
const stepsMax = 10_000;

/** Goes on until nothing is left of a session whose run is over. */
export function outlive(world: World): void {
  const { host, dice, surroundings, oracle, session_id } = world;
  surroundings.calm = false;
  for (let i = 0; host.store.record !== undefined; i++) {
    if (i === troubleSteps) surroundings.calm = true;
    if (i < troubleSteps && dice.chance(0.1)) host.crash();
    if (i === stepsMax || !world.step()) oracle.fails("an ended session is forgotten", `not after ${i} steps`);
  }
  surroundings.calm = true;
  const id = world.mint();
  const question = { type: "SESSION_RESUME", id, session_id, data: { received: null } } as const;
  const { effects } = host.session.receive(
    { agent: world.names[0], attach: "c0", envelopes: [question] },
    world.clock.now,
  );
  const isUnknown = effects.every((effect) => effect.do === "reply" && effect.lines.join().includes('"unknown"'));
  if (!isUnknown || effects.length === 0) oracle.fails("a forgotten session is unknown", JSON.stringify(effects));
}

/** Why a session must not be forgotten now, if it must not. */
export function tooEarly({ state, ended, timers }: SessionRecord, now: number): string | undefined {
  const keptMs = now - (ended?.at ?? Number.POSITIVE_INFINITY);
  if (!isEnded(state) || keptMs < limits.tombstoneMs) return `${state}, forgotten after ${keptMs} ms`;
  return timers.index === undefined ? undefined : `not everybody was told that it is ${state}`;
}
