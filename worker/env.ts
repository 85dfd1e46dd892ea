// What the platform gives the Worker: bindings, and the two secrets that may be configured. Types only.
import type { AgentObject } from "../durable-objects/agent-object.ts";
import type { SessionObject } from "../durable-objects/session-object.ts";
import type { Identity } from "./identity/identity.ts";

export interface Env {
  DB: D1Database;
  AGENTS: DurableObjectNamespace<AgentObject>;
  SESSIONS: DurableObjectNamespace<SessionObject>;
  /** When set, every request must prove that it came through the edge (`X-Agentworks-Edge`). */
  EDGE_SECRET?: string;
  /** When not set, the administrative routes refuse everybody. */
  ADMIN_TOKEN?: string;
}

/** Hono's context in this app. `identity` is there behind `identified` only. */
export interface App {
  Bindings: Env;
  Variables: { identity: Identity };
}
