// openapi.json as tests read it: its operations, each with schemas that stand alone, and what an answer must look like.
import { z } from "zod";
import { createApp } from "../../../worker/app.ts";

/** JSON Schema, as far as the document uses it. */
export interface Schema {
  type?: string | string[];
  $ref?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  pattern?: string;
  format?: string;
  default?: unknown;
}

interface Content {
  content?: Record<string, { schema: Schema }>;
}

interface Reference {
  $ref: string;
}

interface DescribedParameter {
  name: string;
  in: string;
  required?: boolean;
  schema: Schema;
}

interface DescribedResponse extends Content {
  headers?: Record<string, Reference | { schema: Schema }>;
  "x-reasons"?: string[];
}

interface Described {
  security?: Record<string, string[]>[];
  parameters?: (Reference | DescribedParameter)[];
  requestBody?: Content;
  responses: Record<string, DescribedResponse>;
}

export interface Parameter {
  name: string;
  required: boolean;
  schema: Schema;
}

export interface Operation {
  name: string;
  method: string;
  path: string;
  /** How it is proven who asks: any of them. */
  schemes: string[];
  inPath: Parameter[];
  inQuery: Parameter[];
  inHeader: Parameter[];
  body: Schema | undefined;
  responses: Record<string, DescribedResponse>;
}

const document = z
  .object({
    paths: z.record(z.string(), z.record(z.string(), z.custom<Described>())),
    components: z.object({
      schemas: z.record(z.string(), z.custom<Schema>()),
      parameters: z.record(z.string(), z.custom<DescribedParameter>()),
      headers: z.record(z.string(), z.custom<{ schema: Schema }>()),
    }),
  })
  .parse(
    JSON.parse(
      JSON.stringify(createApp().getOpenAPI31Document({ openapi: "3.1.0", info: { title: "test", version: "0" } })),
    ),
  );

function named<Component>(components: Record<string, Component>, { $ref }: Reference): Component {
  const found = components[$ref.split("/").at(-1) ?? ""];
  if (found === undefined) throw new Error(`${$ref} leads nowhere`);
  return found;
}

/** The schema with what it refers to in its place. The document has no circles. */
function whole(schema: Schema): Schema {
  if (schema.$ref !== undefined) return whole(named(document.components.schemas, { $ref: schema.$ref }));
  const { properties, items, anyOf, oneOf, additionalProperties, ...rest } = schema;
  return {
    ...rest,
    ...(properties && { properties: mapValues(properties, whole) }),
    ...(items && { items: whole(items) }),
    ...(anyOf && { anyOf: anyOf.map(whole) }),
    ...(oneOf && { oneOf: oneOf.map(whole) }),
    ...(additionalProperties !== undefined && {
      additionalProperties:
        typeof additionalProperties === "boolean" ? additionalProperties : whole(additionalProperties),
    }),
  };
}

const mapValues = <A, B>(object: Record<string, A>, map: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));

/** Answers may have nothing that the document does not name. */
function closed(schema: Schema): Schema {
  const { properties, items, anyOf, oneOf } = schema;
  return {
    ...schema,
    ...(properties && {
      properties: mapValues(properties, closed),
      additionalProperties: schema.additionalProperties ?? false,
    }),
    ...(items && { items: closed(items) }),
    ...(anyOf && { anyOf: anyOf.map(closed) }),
    ...(oneOf && { oneOf: oneOf.map(closed) }),
  };
}

export const operations: Operation[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { parameters = [], requestBody, responses, security = [] }]) => {
    const those = (place: string) =>
      parameters
        .map((parameter) => ("$ref" in parameter ? named(document.components.parameters, parameter) : parameter))
        .filter((parameter) => parameter.in === place)
        .map(({ name, required = false, schema }) => ({ name, required, schema: whole(schema) }));
    const body = requestBody?.content?.["application/json"]?.schema;
    return {
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      schemes: security.flatMap((one) => Object.keys(one)),
      inPath: those("path"),
      inQuery: those("query"),
      inHeader: those("header"),
      body: body && whole(body),
      responses,
    };
  }),
);

const checks = new Map<string, z.ZodType>();

/** What an answer of that status must be, by the document; undefined: it says nothing of such an answer. */
export function checkOf({ name, responses }: Operation, status: number, type: string): z.ZodType | undefined {
  const schema = responses[status]?.content?.[type]?.schema;
  if (schema === undefined) return undefined;
  const key = `${name} ${status} ${type}`;
  const known = checks.get(key) ?? z.fromJSONSchema(JSON.parse(JSON.stringify(closed(whole(schema)))));
  checks.set(key, known);
  return known;
}

/** What the headers of an answer must be, by the document, under their names in lower case. */
export function headersOf({ responses }: Operation, status: number): Record<string, Schema> {
  const entries = Object.entries(responses[status]?.headers ?? {});
  return Object.fromEntries(
    entries.map(([name, header]) => {
      const { schema } = "$ref" in header ? named(document.components.headers, header) : header;
      return [name.toLowerCase(), whole(schema)];
    }),
  );
}
