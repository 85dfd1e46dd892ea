// What the objects need of the platform, and nothing of the Worker's own. Types only.
import type { AccountObject } from "./account-object.ts";
import type { AddressObject } from "./address-object.ts";
import type { AgentObject } from "./agent-object.ts";
import type { SessionObject } from "./session-object.ts";

export interface ObjectEnv {
  DB: D1Database;
  ACCOUNTS: DurableObjectNamespace<AccountObject>;
  ADDRESSES: DurableObjectNamespace<AddressObject>;
  AGENTS: DurableObjectNamespace<AgentObject>;
  SESSIONS: DurableObjectNamespace<SessionObject>;
}
