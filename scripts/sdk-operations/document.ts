// openapi.json as the generator reads it: operations with what they take and give, schemas as they stand.
import { z } from "zod";
import { Body, nameOf, Parameter, ParameterOrReference, Schema } from "../../schema/document.ts";

const Operation = z.object({
  description: z.string().default(""),
  "x-permission": z.string().optional(),
  parameters: z.array(ParameterOrReference).default([]),
  requestBody: Body.optional(),
  responses: z.record(z.string(), Body),
});

const Document = z.object({
  paths: z.record(z.string(), z.record(z.string(), Operation)),
  components: z.object({ schemas: z.record(z.string(), Schema), parameters: z.record(z.string(), Parameter) }),
});

/** One operation that is answered with JSON. */
export interface Operation {
  /** `GET /v1/agents`. */
  name: string;
  description: string;
  permission: string | undefined;
  parameters: Parameter[];
  body: Schema | undefined;
  /** Of each status of success. */
  answers: Schema[];
}

/** Reads the document; upgrades, which are answered by a WebSocket alone, are left out. */
export function readDocument(json: unknown): { schemas: Record<string, Schema>; operations: Operation[] } {
  const { paths, components } = Document.parse(json);
  const parameterOf = (name: string): Parameter => {
    const found = components.parameters[name];
    if (found === undefined) throw new Error(`The document has no parameter ${name}.`);
    return found;
  };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { description, parameters, requestBody, responses, ...more }]) => {
      const answers = Object.entries(responses).flatMap(([status, { content }]) =>
        Number(status) < 300 ? (content?.["application/json"]?.schema ?? []) : [],
      );
      if (answers.length === 0) return [];
      return {
        name: `${method.toUpperCase()} ${path}`,
        description,
        permission: more["x-permission"],
        parameters: parameters.map((one) => ("$ref" in one ? parameterOf(nameOf(one.$ref)) : one)),
        body: requestBody?.content?.["application/json"]?.schema,
        answers,
      };
    }),
  );
  return { schemas: components.schemas, operations };
}
