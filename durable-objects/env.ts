// What the objects need of the platform, and nothing of the Worker's own. Types only.
import type { AgentObject } from "./agent-object.ts";
import type { SessionObject } from "./session-object.ts";

export interface ObjectEnv {
  DB: D1Database;
  AGENTS: DurableObjectNamespace<AgentObject>;
  SESSIONS: DurableObjectNamespace<SessionObject>;
}
