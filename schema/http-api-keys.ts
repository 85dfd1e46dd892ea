// The shapes of API keys and of the audit log over HTTP. No behaviour here.
import { z } from "zod";
import { bounds } from "./bounds.ts";
import { limitOf, Time } from "./http.ts";
import { scopes } from "./permissions.ts";

/** The public half of a key: 16 of a–z and 2–7, 80 bits of dice. */
export const ApiKeyId = z
  .string()
  .regex(/^[a-z2-7]{16}$/, "16 of a–z and 2–7: the part of a key between its underscores");

const Scope = z.enum(scopes).meta({ id: "Scope" });

export const Name = z.string().trim().min(1).max(bounds.nameCharsMax);

export const CreateApiKey = z
  .strictObject({
    name: Name.describe("what it is for"),
    scopes: z
      .array(Scope)
      .min(1)
      .transform((list) => [...new Set(list)])
      .describe("what it may; nothing that its maker may not"),
    expires_at: z.iso.datetime().nullable().default(null).describe("RFC 3339, UTC; null: it does not end by itself"),
  })
  .meta({ id: "CreateApiKey" });

export const ApiKey = z
  .object({
    id: ApiKeyId,
    name: z.string(),
    prefix: z.string().describe("how the key begins"),
    scopes: z.array(Scope),
    status: z.enum(["active", "expired", "revoked"]),
    created_by: z.string(),
    created_at: Time,
    expires_at: Time.nullable(),
    last_used_at: Time.nullable().describe("up to an hour late"),
    revoked_at: Time.nullable(),
  })
  .meta({ id: "ApiKey" });

export const CreatedApiKey = ApiKey.extend({
  key: z.string().describe("the key itself: shown now, and never again"),
}).meta({ id: "CreatedApiKey" });

/** A place in a list that is ordered by time, the newest first. */
export const TimeCursor = z
  .string()
  .regex(/^\d{1,15}\.[a-z0-9-]{1,64}$/, "`next` of the page before, as it is")
  .describe("`next` of the page before");

export const ListApiKeysQuery = z.object({
  limit: limitOf(bounds.apiKeysPageMax, bounds.apiKeysPageDefault),
  cursor: TimeCursor.optional(),
});

export const ApiKeyPage = z
  .object({ api_keys: z.array(ApiKey), next: z.string().optional() })
  .meta({ id: "ApiKeyPage" });

export const ListAuditQuery = z.object({
  limit: limitOf(bounds.auditPageMax, bounds.auditPageDefault),
  cursor: z
    .string()
    .regex(/^[0-9a-f-]{36}$/, "`next` of the page before, as it is")
    .optional()
    .describe("`next` of the page before"),
});

export const AuditEntry = z
  .object({
    id: z.string(),
    at: Time,
    actor: z.string().describe("`operator`, `key:<id>`, `person:<person_id>`, `agent:<agent_id>`"),
    action: z.string().describe("`<noun>.<verb>`, such as `api_key.create`"),
    target: z.string().describe("the id of what was changed"),
    address: z.string().nullable().describe("from where, as the edge knows it"),
    user_agent: z.string().nullable(),
    detail: z.record(z.string(), z.unknown()).nullable().describe("what it was changed to"),
  })
  .meta({ id: "AuditEntry" });

export const AuditPage = z
  .object({ entries: z.array(AuditEntry), next: z.string().optional() })
  .meta({ id: "AuditPage" });
