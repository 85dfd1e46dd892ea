// What a program imports as `agentworks/http`: the HTTP API, typed from its openapi.json. Nothing else of this folder is public.

export { AgentworksError } from "../error.ts";
export {
  type Answer,
  type AnswerOf,
  type EntryOf,
  HttpApi,
  type HttpApiOptions,
  type ListOperation,
  type Operation,
  type RequestOptions,
  type Taking,
} from "./http-api.ts";
export type * from "./operations.ts";
