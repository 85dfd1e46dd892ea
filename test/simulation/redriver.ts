// Dead letters of an earlier session of the same two agents on their way into this one (D2). Calls come at times of their own, one
// after another or several at once; each is the core's own `redriving`, its questions go by RPC between two objects, either of
// which may crash between any two effects, and any question or answer may be lost.
import type { Letter, Redriven } from "../../protocol/session/redrive.ts";
import {
  type RedriveAnswer,
  type RedriveQuestion,
  type RedriveReply,
  redriving,
  sideOf,
  standingFor,
} from "../../protocol/session/redriving.ts";
import type { Side } from "../../protocol/session/tasks.ts";
import type { World } from "./world.ts";

export class Redriver {
  readonly #world: World;
  readonly #source: World;

  constructor(world: World, source: World) {
    this.#world = world;
    this.#source = source;
  }

  /** Calls again and again. In calm, each side until nothing is left. */
  start(): void {
    for (const side of [0, 1] as const) this.#plan(side);
  }

  #plan(side: Side): void {
    const { clock, dice } = this.#world;
    const wait = this.#world.calm ? 1_000 : dice.magnitude(10, 5_000);
    clock.after(wait, () => {
      const { over, calm, ends, host } = this.#world;
      const isOwed = this.#source.unsettled(side) !== undefined;
      if (over || (calm && (!isOwed || ends.some(({ life }) => life === "gone")))) return;
      this.#plan(side);
      if (!calm || host.store.record?.state === "active") this.#call(side);
    });
  }

  #call(side: Side): void {
    const { host } = this.#source;
    const { life } = host;
    const agent = this.#source.names[side];
    const { clock, dice, surroundings, session_id, mint } = this.#world;
    // Now and then somebody names a session that cannot take them.
    const others = [mint(), ...surroundings.worlds.keys()];
    const target = this.#world.strikes(0.1) ? (others[dice.below(others.length)] ?? session_id) : session_id;
    this.#world.totals.redrives++;
    const note = (...about: [Side, string, number, number]) =>
      host.perform((session) => session.redriving(...about, clock.now));
    const call = redriving({ session: host.session, store: host.store, note }, agent, target);
    host.pending++;
    const go = (reply: RedriveReply) => {
      if (host.life !== life) return;
      const step = call.next(reply);
      // It may have crashed while it noted something; then nobody hears the answer.
      if (host.life !== life) return;
      if (!step.done) return this.#ask(step.value, agent, go, () => this.#end(life));
      this.#end(life);
      this.#answered(agent, step.value);
    };
    go({});
  }

  #end(life: number): void {
    const { host } = this.#source;
    if (host.life === life) host.pending--;
  }

  /** @param fails the question or its answer was lost, or whoever was asked crashed: the call fails */
  #ask(question: RedriveQuestion, agent: string, go: (reply: RedriveReply) => void, fails: () => void): void {
    const { clock, network, plan } = this.#world;
    const lost = () => this.#world.strikes(plan.mishaps.loseCall);
    clock.after(network.latency(), () => {
      const reply = lost() ? undefined : this.#reply(question, agent);
      clock.after(network.latency(), () => (reply === undefined || lost() ? fails() : go(reply)));
    });
  }

  /** What the other object answers; undefined: nothing, for it crashed before it could. */
  #reply(question: RedriveQuestion, agent: string): RedriveReply | undefined {
    const { session_id } = this.#source;
    const asked = this.#world.surroundings.worlds.get(question.of);
    if (asked === undefined) return {};
    const { session, store } = asked.host;
    if (question.ask === "standing") return { standing: standingFor(session.record, store, agent, session_id) };
    const side = sideOf(session.record, agent);
    return side === undefined ? {} : takeLetters(asked, side, session_id, question.letters);
  }

  #answered(agent: string, answer: RedriveAnswer): void {
    this.#world.note("redrive", { agent, answer });
    if ("refused" in answer) this.#world.oracle.refuses(answer.refused);
    else this.#world.totals.redriven += answer.redriven;
  }
}

/** As `SessionObject.takeLetters`. */
function takeLetters(
  { host, oracle, clock }: World,
  side: Side,
  source: string,
  letters: readonly Letter[],
): RedriveReply | undefined {
  const { life, store } = host;
  oracle.redrives(side);
  let taken: Redriven | undefined;
  host.perform((session) => {
    const before = store.redrivenThrough(source, side);
    const { answer, ...output } = session.redrive(side, source, letters, before, clock.now);
    taken = answer;
    return output;
  });
  return life === host.life ? { taken } : undefined;
}
