// What a program imports. Nothing else of this folder is public.

export type { Capability, ListedAgent, TaskError } from "../../../protocol/wire/envelope.ts";
export type {
  Agent,
  ByCapability,
  ConnectOptions,
  HandleOptions,
  Handler,
  Message,
  Offer,
  OpenOptions,
  Receipt,
  RequestOptions,
  Session,
  SessionEnd,
  Status,
  Task,
  TaskContext,
} from "./api.ts";
export type { Backoff } from "./backoff.ts";
export { connect } from "./connect.ts";
export type { CredentialOptions, Pem } from "./credentials.ts";
export { fromEnvironment } from "./environment.ts";
export { AgentworksError, TaskCancelled, TaskExpired, TaskFailed } from "./error.ts";
