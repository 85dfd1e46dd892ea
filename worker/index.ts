// The Worker's entry: the application, and the object classes that wrangler.toml binds. Nothing else may be exported here.
import { createApp } from "./app.ts";
import { tellIssuer } from "./certificates/revocations.ts";
import type { Env } from "./env.ts";

export { AccountObject } from "../durable-objects/account-object.ts";
export { AddressObject } from "../durable-objects/address-object.ts";
export { AgentObject } from "../durable-objects/agent-object.ts";
export { SessionObject } from "../durable-objects/session-object.ts";

const app = createApp();

export default {
  fetch: app.fetch,
  // The one thing that goes by the clock: what an issuer could not be told when it was to be.
  scheduled: (_, env, ctx) => ctx.waitUntil(tellIssuer(env)),
} satisfies ExportedHandler<Env>;
