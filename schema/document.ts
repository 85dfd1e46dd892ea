// openapi.json as programs of ours read it: the page for people, and the generator of the client's types. No behaviour here.
import { z } from "zod";

/** JSON Schema, as far as the document uses it. */
export interface Schema {
  type?: string | string[] | undefined;
  $ref?: string | undefined;
  enum?: unknown[] | undefined;
  const?: unknown;
  anyOf?: Schema[] | undefined;
  oneOf?: Schema[] | undefined;
  properties?: Record<string, Schema> | undefined;
  required?: string[] | undefined;
  additionalProperties?: boolean | Schema | undefined;
  items?: Schema | undefined;
  description?: string | undefined;
  default?: unknown;
}

export const Schema: z.ZodType<Schema> = z.lazy(() =>
  z.object({
    type: z.union([z.string(), z.array(z.string())]).optional(),
    $ref: z.string().optional(),
    enum: z.array(z.unknown()).optional(),
    const: z.unknown().optional(),
    anyOf: z.array(Schema).optional(),
    oneOf: z.array(Schema).optional(),
    properties: z.record(z.string(), Schema).optional(),
    required: z.array(z.string()).optional(),
    additionalProperties: z.union([z.boolean(), Schema]).optional(),
    items: Schema.optional(),
    description: z.string().optional(),
    default: z.unknown().optional(),
  }),
);

export const Parameter = z.object({
  name: z.string(),
  in: z.string(),
  required: z.boolean().default(false),
  description: z.string().optional(),
  schema: Schema,
});
export type Parameter = z.infer<typeof Parameter>;

/** What is sent or answered, by its media type. */
export const Body = z.object({ content: z.record(z.string(), z.object({ schema: Schema })).optional() });

/** A parameter, or where it is. */
export const ParameterOrReference = z.union([z.object({ $ref: z.string() }), Parameter]);

/** The last part of a reference: the name of what it leads to. */
export const nameOf = (ref: string): string => ref.split("/").at(-1) ?? "";
