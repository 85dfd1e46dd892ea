// What an agent tells the registry of itself, and what it asks of the others: announcing and querying. Not on the message path.
import { drizzle } from "drizzle-orm/d1";
import type { Capability, FromClient, ListedAgent } from "../protocol/wire/envelope.ts";
import { judgePolicy } from "../schema/policy.ts";
import { findParties, listAgents, replaceCapabilities } from "../schema/registry.ts";
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

  /** The names of those capabilities that the account's policy does not let the agent offer. One query. */
  async denied({ account, agent }: Self, announced: Capability[]): Promise<string[]> {
    const capabilities = announced.map(({ name }) => name);
    const { rules, parties } = await findParties(drizzle(this.#env.DB), account, [agent]);
    const party = { agent, tags: parties[0]?.tags ?? [], capabilities };
    return capabilities.filter((capability) => !judgePolicy(rules, { action: "offer", agent: party, capability }));
  }

  /** To the registry first: what was acknowledged can be found there. */
  async publish({ account, agent }: Self, capabilities: Capability[]): Promise<void> {
    this.#store.saveCapabilities(capabilities, false);
    await replaceCapabilities(drizzle(this.#env.DB), account, agent, capabilities);
    this.#store.saveCapabilities(capabilities, true);
  }

  /** Publishes what the policy allows, and names the rest. Asked again for the same, it is judged anew. */
  async publishAllowed(self: Self, announced: Capability[]): Promise<string[]> {
    // At once: sessions that are opened meanwhile carry this list.
    this.#store.saveCapabilities(announced, false);
    const denied = await this.denied(self, announced);
    await this.publish(
      self,
      announced.filter(({ name }) => !denied.includes(name)),
    );
    return denied;
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
