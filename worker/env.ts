// What the platform gives the Worker: bindings, and the two secrets that may be configured. Types only.
import type { ObjectEnv } from "../durable-objects/env.ts";
import type { Identity } from "./identity/identity.ts";
import type { Principal } from "./identity/principal.ts";

export interface Env extends ObjectEnv {
  /** When set, every request must prove that it came through the edge (`X-Agentworks-Edge`). */
  EDGE_SECRET?: string;
  /** The operator's credential. When not set, there is no operator. */
  ADMIN_TOKEN?: string;
}

/** Hono's context in this app. `identity` is there behind `identified` only, `principal` behind `guarded`. */
export interface App {
  Bindings: Env;
  Variables: { identity: Identity; principal: Principal };
}
