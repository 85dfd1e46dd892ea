// The queries over D1, by one name for the Worker and the Durable Objects: `import { findIdentity } from "../schema/registry.ts"`.
// Each is a function of `(db, …)` and issues a fixed number of D1 queries, which its docstring gives. None is on the message path.
export type { Database } from "./database.ts";
export * from "./queries/accounts.ts";
export * from "./queries/agent-changes.ts";
export * from "./queries/agents.ts";
export * from "./queries/api-keys.ts";
export * from "./queries/attempts.ts";
export * from "./queries/audit.ts";
export * from "./queries/capabilities.ts";
export * from "./queries/certificates.ts";
export * from "./queries/idempotency.ts";
export * from "./queries/invitations.ts";
export * from "./queries/issued.ts";
export * from "./queries/issuer-revocations.ts";
export * from "./queries/members.ts";
export * from "./queries/people.ts";
export * from "./queries/policies.ts";
export * from "./queries/sessions.ts";
export type { CertificateStatus, Issuer, Standing } from "./tables.ts";
