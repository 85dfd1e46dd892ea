// The tables of D1: what is looked up (never what is on the message path). Times are epoch milliseconds.
// After a change here run `npm run schema:generate`; migrations are generated, and never edited once applied anywhere.
import { foreignKey, index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { Scope } from "./permissions.ts";
import type { Rule } from "./policy.ts";

/** A JSON Schema document; the broker stores it without judging it. */
type JsonSchema = Record<string, unknown>;

export const standings = ["active", "suspended"] as const;
/** Whether an account or an agent may connect. */
export type Standing = (typeof standings)[number];

export const certificateStatuses = ["active", "revoked"] as const;
export type CertificateStatus = (typeof certificateStatuses)[number];

/** Who may have signed a certificate at our request. */
export const issuers = ["development", "cloudflare"] as const;
export type Issuer = (typeof issuers)[number];

export const accounts = sqliteTable("accounts", {
  id: text("id").primaryKey(),
  name: text("name").notNull(),
  status: text("status", { enum: standings }).notNull().default("active"),
  createdAt: integer("created_at").notNull(),
  /** Counts the changes: the ETag. */
  revision: integer("revision").notNull().default(1),
});

export const agents = sqliteTable(
  "agents",
  {
    accountId: text("account_id")
      .notNull()
      .references(() => accounts.id),
    id: text("id").notNull(),
    status: text("status", { enum: standings }).notNull().default("active"),
    createdAt: integer("created_at").notNull(),
    /** Null until the agent has connected once: such an agent has no object to ask for its presence. */
    lastConnectedAt: integer("last_connected_at"),
    tags: text("tags", { mode: "json" }).$type<string[]>().notNull().default([]),
    /** Counts the changes of status and tags: the ETag. */
    revision: integer("revision").notNull().default(1),
    /** The row stays: a certificate is one agent's for ever, and a revoked one stays revoked. */
    deletedAt: integer("deleted_at"),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.id] })],
);

export const certificates = sqliteTable(
  "certificates",
  {
    /** SHA-256 of the DER: 64 lower-case hex digits, as `request.cf.tlsClientAuth.certFingerprintSHA256` has it. */
    fingerprint: text("fingerprint").primaryKey(),
    accountId: text("account_id").notNull(),
    agentId: text("agent_id").notNull(),
    serial: text("serial").notNull(),
    subject: text("subject").notNull(),
    notBefore: integer("not_before").notNull(),
    notAfter: integer("not_after").notNull(),
    status: text("status", { enum: certificateStatuses }).notNull().default("active"),
    createdAt: integer("created_at").notNull(),
    revokedAt: integer("revoked_at"),
    /** Who issued it for us; null for one that was registered. */
    issuer: text("issuer", { enum: issuers }),
    /** What the issuer calls it, where it keeps a book. */
    issuerReference: text("issuer_reference"),
    /** The certificate by which the agent itself asked for this one: what is revoked takes its renewals with it. */
    renewedFrom: text("renewed_from"),
  },
  (t) => [
    index("certificates_by_agent").on(t.accountId, t.agentId),
    index("certificates_by_origin").on(t.renewedFrom),
    foreignKey({ columns: [t.accountId, t.agentId], foreignColumns: [agents.accountId, agents.id] }),
  ],
);

export const capabilities = sqliteTable(
  "capabilities",
  {
    accountId: text("account_id").notNull(),
    agentId: text("agent_id").notNull(),
    name: text("name").notNull(),
    version: text("version"),
    description: text("description"),
    inputSchema: text("input_schema", { mode: "json" }).$type<JsonSchema>(),
    outputSchema: text("output_schema", { mode: "json" }).$type<JsonSchema>(),
    maxConcurrency: integer("max_concurrency"),
  },
  (t) => [
    primaryKey({ columns: [t.accountId, t.agentId, t.name] }),
    // With the agent in it, "who in this account can do X" is answered in order from the index alone.
    index("capabilities_by_name").on(t.accountId, t.name, t.agentId),
    foreignKey({ columns: [t.accountId, t.agentId], foreignColumns: [agents.accountId, agents.id] }),
  ],
);

/** The index of sessions, for people and lists. The truth about a session is in its SessionObject. */
export const sessions = sqliteTable(
  "sessions",
  {
    accountId: text("account_id").notNull(),
    id: text("id").notNull(),
    initiator: text("initiator").notNull(),
    responder: text("responder").notNull(),
    state: text("state").notNull(),
    reason: text("reason"),
    // What it has carried, by its latest report: totals, so that a report that comes twice changes nothing.
    report: integer("report").notNull().default(0),
    messages: integer("messages").notNull().default(0),
    bytes: integer("bytes").notNull().default(0),
    tasks: integer("tasks").notNull().default(0),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.accountId, t.id] }),
    // One for each part in a session and one for the account, newest first without sorting. Their columns never change: a new state costs one row.
    index("sessions_by_initiator").on(t.accountId, t.initiator, t.createdAt, t.id),
    index("sessions_by_responder").on(t.accountId, t.responder, t.createdAt, t.id),
    index("sessions_by_account").on(t.accountId, t.createdAt, t.id),
  ],
);

/** Keys that programs ask the HTTP API with. The secret itself is nowhere: only its hash. */
export const apiKeys = sqliteTable(
  "api_keys",
  {
    id: text("id").primaryKey(),
    accountId: text("account_id")
      .notNull()
      .references(() => accounts.id),
    name: text("name").notNull(),
    /** SHA-256 of the secret, 64 lower-case hex digits. */
    secretHash: text("secret_hash").notNull(),
    scopes: text("scopes", { mode: "json" }).$type<Scope[]>().notNull(),
    createdBy: text("created_by").notNull(),
    createdAt: integer("created_at").notNull(),
    expiresAt: integer("expires_at"),
    /** Up to an hour late: a use writes at most once an hour. */
    lastUsedAt: integer("last_used_at"),
    revokedAt: integer("revoked_at"),
  },
  (t) => [index("api_keys_by_account").on(t.accountId, t.createdAt, t.id)],
);

/** Secrets by which a machine without an API key gets one certificate, once. Only the hash is kept. */
export const enrolmentTokens = sqliteTable("enrolment_tokens", {
  id: text("id").primaryKey(),
  accountId: text("account_id")
    .notNull()
    .references(() => accounts.id),
  agentId: text("agent_id").notNull(),
  /** SHA-256 of the secret, 64 lower-case hex digits. */
  secretHash: text("secret_hash").notNull(),
  createdBy: text("created_by").notNull(),
  createdAt: integer("created_at").notNull(),
  expiresAt: integer("expires_at").notNull(),
  usedAt: integer("used_at"),
  /** What it was traded for, PEM: given again to whoever has the key, for an answer may be lost. Neither is a secret. */
  certificate: text("certificate"),
  chain: text("chain"),
});

/** What issuers that keep a book have still to be told: a row is made in the batch that revokes, and goes when they know. */
export const issuerRevocations = sqliteTable("issuer_revocations", {
  /** What the issuer calls the certificate. */
  reference: text("reference").primaryKey(),
  issuer: text("issuer", { enum: issuers }).notNull(),
  /** Null for one that could not be read, and never was registered. */
  fingerprint: text("fingerprint"),
  /** From then on there is nothing to be told. */
  notAfter: integer("not_after").notNull(),
  createdAt: integer("created_at").notNull(),
  attempts: integer("attempts").notNull().default(0),
  triedAt: integer("tried_at"),
});

/** Every change of the control plane. Rows are only added: triggers refuse anything else (migration 0004). */
export const auditLog = sqliteTable(
  "audit_log",
  {
    /** UUIDv7: in the order of time. */
    id: text("id").notNull(),
    accountId: text("account_id").notNull(),
    at: integer("at").notNull(),
    /** `operator`, `key:<id>`, `person:<person_id>`, `agent:<agent_id>`. */
    actor: text("actor").notNull(),
    /** `<noun>.<verb>`: `api_key.create`. */
    action: text("action").notNull(),
    /** What was changed: the id of the noun. */
    target: text("target").notNull(),
    /** From where, as the edge knows it. */
    address: text("address"),
    userAgent: text("user_agent"),
    /** What it was changed to; never a secret. */
    detail: text("detail", { mode: "json" }).$type<Record<string, unknown>>(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.id] })],
);

/** The rules of an account, in their order; no row: there are none. Replaced as a whole. */
export const policies = sqliteTable("policies", {
  accountId: text("account_id")
    .primaryKey()
    .references(() => accounts.id),
  rules: text("rules", { mode: "json" }).$type<Rule[]>().notNull(),
  revision: integer("revision").notNull().default(1),
  updatedAt: integer("updated_at").notNull(),
});

/** Answers to requests that came with an `Idempotency-Key`, for a day. */
export const idempotencyKeys = sqliteTable(
  "idempotency_keys",
  {
    accountId: text("account_id").notNull(),
    actor: text("actor").notNull(),
    key: text("key").notNull(),
    /** SHA-256 of what was asked: method, path, query, body. */
    request: text("request").notNull(),
    /** Null while the first request is at work. */
    status: integer("status"),
    /** The answer, sealed with the credential that asked: it may hold a secret. */
    answer: text("answer"),
    createdAt: integer("created_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.actor, t.key] }), index("idempotency_keys_by_time").on(t.createdAt)],
);
