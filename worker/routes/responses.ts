// How routes declare what they take and answer, for openapi.json and for the types of their handlers.
import type { z } from "@hono/zod-openapi";
import { Problem } from "../../schema/http.ts";

/** A JSON answer. */
export const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

/** A JSON body, which must be there. */
export const body = <Schema extends z.ZodType>(schema: Schema) => ({
  required: true as const,
  content: { "application/json": { schema } },
});

/** The content of every refusal. */
export const problemContent = { "application/problem+json": { schema: Problem } } as const;
