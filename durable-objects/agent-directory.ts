// What an agent tells the registry of itself, and what it asks of the others: announcing and querying. Not on the message path.
import { drizzle } from "drizzle-orm/d1";
import type { Capability, FromClient, ListedAgent } from "../protocol/wire/envelope.ts";
import { listAgents, replaceCapabilities } from "../schema/registry.ts";
import type { AgentStore } from "./agent-store.ts";
import type { ObjectEnv } from "./env.ts";

interface Self {
  account: string;
  agent: string;
}

export class Directory {
  readonly #env: ObjectEnv;
  readonly #store: AgentStore;

  constructor(env: ObjectEnv, store: AgentStore) {
    this.#env = env;
    this.#store = store;
  }

  /** To the registry first: what was acknowledged can be found there. */
  async publish({ account, agent }: Self, capabilities: Capability[]): Promise<void> {
    this.#store.saveCapabilities(capabilities, false);
    await replaceCapabilities(drizzle(this.#env.DB), account, agent, capabilities);
    this.#store.saveCapabilities(capabilities, true);
  }

  /** One page of the account's agents, and who of them is connected. */
  async query(
    { account, agent: self }: Self,
    data: FromClient<"AGENT_QUERY">["data"],
  ): Promise<{ agents: ListedAgent[]; next?: string }> {
    const page = await listAgents(drizzle(this.#env.DB), account, { ...data, schemas: false });
    const agents = await Promise.all(
      page.agents.map(async ({ agent, capabilities, last_connected_at: at }) => ({
        agent,
        capabilities,
        connected: agent === self || (at !== null && (await this.#isConnected(account, agent))),
      })),
    );
    return { ...page, agents };
  }

  async #isConnected(account: string, agent: string): Promise<boolean> {
    return (await this.#env.AGENTS.getByName(`${account}/${agent}`).presence()).connected;
  }
}
