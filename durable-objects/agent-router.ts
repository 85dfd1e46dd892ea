// Finds an agent for a session that wants a capability: of those that announced it and are connected the one with the most room,
// of equals the one with the fewest sessions, of these the next in turn. Asks; decides nothing about the session.
import { drizzle } from "drizzle-orm/d1";
import type { ErrorReason } from "../protocol/wire/errors.ts";
import { limits } from "../protocol/wire/limits.ts";
import { judgePolicy } from "../schema/policy.ts";
import { findCapable, findParties } from "../schema/registry.ts";
import type { AgentStore } from "./agent-store.ts";
import type { ObjectEnv } from "./env.ts";
import type { Room } from "./rpc.ts";

interface Search {
  account: string;
  /** Who seeks: it is not found itself. */
  agent: string;
  session_id: string;
  capability: string;
}

const byRoom = (a: Room, b: Room): number => (a.free === b.free ? a.sessions - b.sessions : a.free > b.free ? -1 : 1);

export class Router {
  readonly #env: ObjectEnv;
  readonly #store: AgentStore;

  constructor(env: ObjectEnv, store: AgentStore) {
    this.#env = env;
    this.#store = store;
  }

  /**
   * An agent that keeps a place for the session, or why there is none. At most three queries.
   * @throws when D1 cannot be asked
   */
  async find(search: Search): Promise<{ to: string } | { refused: ErrorReason }> {
    const { account, agent, capability } = search;
    const after = this.#store.turn(capability);
    const options = { after, except: agent, limit: limits.candidatesMax };
    const capable = await findCapable(drizzle(this.#env.DB), account, capability, options);
    const candidates = capable.length === 0 ? [] : await this.#allowed(search, capable);
    for (let first = 0; first < candidates.length; first += limits.candidatesAtOnce) {
      const to = await this.#choose(candidates.slice(first, first + limits.candidatesAtOnce), search);
      if (to === undefined) continue;
      this.#store.saveTurn(capability, to);
      return { to };
    }
    // Where there are more than can be asked, the next search begins with the others.
    const last = capable.at(-1);
    if (capable.length === limits.candidatesMax && last !== undefined) this.#store.saveTurn(capability, last);
    return { refused: candidates.length === 0 ? "capability_unknown" : "capability_busy" };
  }

  /** Those of them that the account's policy lets offer the capability, and the seeker open a session with. */
  async #allowed({ account, agent, capability }: Search, candidates: string[]): Promise<string[]> {
    const { rules, parties } = await findParties(drizzle(this.#env.DB), account, [agent, ...candidates]);
    const [from, ...others] = parties;
    if (rules.length === 0 || from === undefined) return candidates;
    const may = others.filter(
      (to) =>
        judgePolicy(rules, { action: "open", from, to }) &&
        judgePolicy(rules, { action: "offer", agent: to, capability }),
    );
    return may.map((one) => one.agent);
  }

  /** Asks all at once, then the best ones for a place, one after the other: another search may have been faster. */
  async #choose(candidates: string[], { account, session_id, capability }: Search): Promise<string | undefined> {
    const rooms = await Promise.all(
      candidates.map(async (name) => ({ name, room: await this.#ask(account, name, (one) => one.room(capability)) })),
    );
    const free = rooms.flatMap(({ name, room }) => (room && room.free > 0 ? [{ name, room }] : []));
    // The candidates come in turn, and the sort is stable.
    for (const { name } of free.sort((a, b) => byRoom(a.room, b.room))) {
      if (await this.#ask(account, name, (one) => one.keepPlace(session_id, capability))) return name;
    }
    return undefined;
  }

  /** An object that cannot be asked has no room. */
  async #ask<T>(
    account: string,
    name: string,
    question: (agent: ReturnType<ObjectEnv["AGENTS"]["getByName"]>) => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await question(this.#env.AGENTS.getByName(`${account}/${name}`));
    } catch (cause) {
      console.warn(JSON.stringify({ event: "room_failed", account, agent: name, cause: String(cause) }));
      return undefined;
    }
  }
}
