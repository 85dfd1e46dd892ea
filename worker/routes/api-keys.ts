// API keys: made (the key is shown that once), listed, revoked. No key gives what its maker does not have.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import {
  ApiKey,
  ApiKeyId,
  ApiKeyPage,
  CreateApiKey,
  CreatedApiKey,
  ListApiKeysQuery,
} from "../../schema/http-api-keys.ts";
import { type ApiKeyListing, createApiKey, listApiKeys, revokeApiKey } from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { apiKeyForm, hashSecret } from "../identity/bearer.ts";
import { authorOf } from "../identity/middleware.ts";
import { problem } from "../problem.ts";
import { body, json } from "./responses.ts";
import { guardedRoute } from "./route.ts";
import { readTimeCursor, time, timeOrNull } from "./times.ts";

const create = guardedRoute({
  method: "post",
  path: "/v1/api-keys",
  description: "Makes an API key. The answer has the key itself, which is shown this once.",
  access: { permission: "keys:write" },
  request: { body: body(CreateApiKey) },
  responses: { 201: json(CreatedApiKey, "the key") },
});

const list = guardedRoute({
  method: "get",
  path: "/v1/api-keys",
  description: "The API keys of the account, the newest first; those that expired or were revoked too.",
  access: { permission: "keys:read" },
  request: { query: ListApiKeysQuery },
  responses: { 200: json(ApiKeyPage, "one page of keys") },
});

const revoke = guardedRoute({
  method: "delete",
  path: "/v1/api-keys/{key_id}",
  description: "Revokes an API key for ever: its next request is refused. Safe to repeat.",
  access: { permission: "keys:write" },
  request: { params: z.object({ key_id: ApiKeyId }) },
  refuses: ["api_key_not_found"],
  responses: { 200: json(ApiKey, "it is revoked") },
});

function shown(key: ApiKeyListing, now: number): z.infer<typeof ApiKey> {
  const { id, name, scopes, expiresAt, revokedAt } = key;
  const expired = expiresAt !== null && expiresAt <= now;
  return {
    id,
    name,
    prefix: apiKeyForm.prefix(id),
    scopes,
    status: revokedAt !== null ? "revoked" : expired ? "expired" : "active",
    created_by: key.createdBy,
    created_at: time(key.createdAt),
    expires_at: timeOrNull(expiresAt),
    last_used_at: timeOrNull(key.lastUsedAt),
    revoked_at: timeOrNull(revokedAt),
  };
}

export function apiKeyRoutes(app: OpenAPIHono<App>): void {
  app.openapi(create, async (c) => {
    const { account, permissions } = c.var.principal;
    const { name, scopes, expires_at } = c.req.valid("json");
    const author = authorOf(c);
    const beyond = scopes.find((scope) => !permissions.has(scope));
    if (beyond !== undefined) return problem(c, "permission_denied", { permission: beyond });
    const expiresAt = expires_at === null ? null : Date.parse(expires_at);
    if (expiresAt !== null && expiresAt <= author.at) {
      return problem(c, "invalid_request", { issues: [{ path: "expires_at", message: "it is past" }] });
    }
    const { id, secret, text: key } = apiKeyForm.mint();
    const made = { id, account, name, scopes, expiresAt };
    const secretHash = await hashSecret(secret);
    if (!(await createApiKey(drizzle(c.env.DB), { ...made, secretHash }, author))) {
      return problem(c, "account_not_found");
    }
    const unused = { createdBy: author.actor, createdAt: author.at, lastUsedAt: null, revokedAt: null };
    return c.json({ ...shown({ ...made, ...unused }, author.at), key }, 201, { "Cache-Control": "no-store" });
  });

  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const at = readTimeCursor(cursor);
    const place = at && { createdAt: at.at, id: at.id };
    const { keys, more } = await listApiKeys(drizzle(c.env.DB), c.var.principal.account, { limit, cursor: place });
    const last = keys.at(-1);
    const now = Date.now();
    const next = more && last !== undefined ? { next: `${last.createdAt}.${last.id}` } : {};
    return c.json({ api_keys: keys.map((key) => shown(key, now)), ...next }, 200);
  });

  app.openapi(revoke, async (c) => {
    const author = authorOf(c);
    const { key_id } = c.req.valid("param");
    const key = await revokeApiKey(drizzle(c.env.DB), c.var.principal.account, key_id, author);
    return key === undefined ? problem(c, "api_key_not_found") : c.json(shown(key, author.at), 200);
  });
}
