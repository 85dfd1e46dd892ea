// What the platform gives the Worker: bindings, and what may be configured. Types only.
import type { ObjectEnv } from "../durable-objects/env.ts";
import type { Identity } from "./identity/identity.ts";
import type { Principal } from "./identity/principal.ts";

export interface Env extends ObjectEnv {
  /** When set, every request must prove that it came through the edge (`X-Agentworks-Edge`). */
  EDGE_SECRET?: string;
  /** The operator's credential. When not set, there is no operator. */
  ADMIN_TOKEN?: string;
  /** Signs the cookies of people, 32 characters at least. When not set, or shorter, nobody can sign in. */
  AUTH_SECRET?: string;
  /** Where people and programs ask, `https://…`: links that are handed out begin with it. */
  API_URL?: string;
  /** Where agents connect, `wss://…`: told to whoever gets a certificate. */
  AGENTS_URL?: string;
  /** The development CA, PEM: with both the Worker issues certificates itself, and agents trust the broker by the same CA. */
  CA_CERTIFICATE?: string;
  CA_KEY?: string;
  /** With both, Cloudflare's managed CA issues them. */
  CLOUDFLARE_ZONE_ID?: string;
  CLOUDFLARE_API_TOKEN?: string;
  /** Another place of that API, as tests have. */
  CLOUDFLARE_API_URL?: string;
}

/** Hono's context in this app. `identity` is there behind `identified` only, `principal` behind `guarded`. */
export interface App {
  Bindings: Env;
  Variables: { identity: Identity; principal: Principal };
}
