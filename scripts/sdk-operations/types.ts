// The TypeScript of openapi.json: its schemas as types under their names, its operations as one table. Text in, text out.
import { nameOf, type Parameter, type Schema } from "../../schema/document.ts";
import { type Operation, readDocument } from "./document.ts";

const head = `// What the HTTP API takes and gives, from its openapi.json. Made by \`npm run sdk:operations\`; do not edit.
`;

const quoted = (text: string) => JSON.stringify(text);
const property = (name: string) => (/^[a-z_]\w*$/i.test(name) ? name : quoted(name));
const comment = (text: string | undefined) =>
  text === undefined || text === "" ? "" : `/** ${text.replaceAll("*/", "*\\/")} */\n`;

interface Style {
  /** What is sent may have members that are undefined: they are left out. */
  sent: boolean;
}

function member(name: string, schema: Schema, required: boolean, style: Style): string {
  const type = typeOf(schema, style);
  const lenient = !required && style.sent ? ` | undefined` : "";
  return `${comment(schema.description)}${property(name)}${required ? "" : "?"}: ${type}${lenient};\n`;
}

function objectOf({ properties = {}, required = [], additionalProperties }: Schema, style: Style): string {
  const members = Object.entries(properties).map(([name, one]) => member(name, one, required.includes(name), style));
  if (members.length > 0) return `{\n${members.join("")}}`;
  if (typeof additionalProperties === "object") return `Record<string, ${typeOf(additionalProperties, style)}>`;
  return additionalProperties === false ? "Record<string, never>" : "Record<string, unknown>";
}

function typeOf(schema: Schema, style: Style): string {
  const { $ref, enum: choices, const: only, anyOf, oneOf, type, items } = schema;
  if ($ref !== undefined) return nameOf($ref);
  if (only !== undefined) return JSON.stringify(only);
  if (choices !== undefined) return choices.map((choice) => JSON.stringify(choice)).join(" | ");
  const either = anyOf ?? oneOf;
  if (either !== undefined) return either.map((one) => typeOf(one, style)).join(" | ");
  if (Array.isArray(type)) return type.map((one) => typeOf({ ...schema, type: one }, style)).join(" | ");
  switch (type) {
    case "integer":
    case "number":
      return "number";
    case "string":
    case "boolean":
    case "null":
      return type;
    case "array":
      return `(${typeOf(items ?? {}, style)})[]`;
    case "object":
      return objectOf(schema, style);
    default:
      return "unknown";
  }
}

/** The names that a schema leads to, itself and what it refers to. */
function namesIn(schema: Schema, schemas: Record<string, Schema>, found: Set<string>): Set<string> {
  const { $ref, anyOf = [], oneOf = [], properties = {}, items } = schema;
  const name = $ref && nameOf($ref);
  if (name !== undefined && !found.has(name)) namesIn(schemas[name] ?? {}, schemas, found.add(name));
  for (const one of [...anyOf, ...oneOf, ...Object.values(properties), ...(items ? [items] : [])]) {
    namesIn(one, schemas, found);
  }
  return found;
}

const parametersOf = (parameters: Parameter[], place: string) => parameters.filter((one) => one.in === place);

function placeOf(member: string, parameters: Parameter[]): string {
  if (parameters.length === 0) return "";
  const properties = Object.fromEntries(
    parameters.map(({ name, description, schema }) => [
      name,
      { ...schema, description: schema.description ?? description },
    ]),
  );
  const required = parameters.filter((one) => one.required).map(({ name }) => name);
  return `${member}${required.length > 0 ? "" : "?"}: ${objectOf({ properties, required }, { sent: true })};\n`;
}

function operationOf({ name, description, permission, parameters, body, answers }: Operation): string {
  const needs = permission === undefined ? "" : ` Needs \`${permission}\`.`;
  const answer = [...new Set(answers.map((one) => typeOf(one, { sent: false })))].join(" | ");
  const takes = [
    placeOf("path", parametersOf(parameters, "path")),
    placeOf("query", parametersOf(parameters, "query")),
    body === undefined ? "" : `body: ${typeOf(body, { sent: true })};\n`,
    parametersOf(parameters, "header").some((one) => one.name === "If-Match")
      ? "/** The `ETag` of what was seen: a change since refuses this one (precondition_failed). */\nifMatch?: string | undefined;\n"
      : "",
  ].join("");
  return `${comment(`${description}${needs}`.trim())}${quoted(name)}: {\ntakes: ${takes === "" ? "Record<never, never>" : `{\n${takes}}`};\nanswer: ${answer};\n};\n`;
}

/** Where a list has its entries, and how the next page is asked for; undefined: it is no list. */
function pageOf({ name, parameters, answers }: Operation, schemas: Record<string, Schema>): string | undefined {
  const cursor = parametersOf(parameters, "query").find((one) => one.name === "cursor" || one.name === "after");
  const [answer] = answers;
  const { properties = {} } = (answer?.$ref !== undefined ? schemas[nameOf(answer.$ref)] : answer) ?? {};
  const entries = Object.keys(properties).find((one) => properties[one]?.type === "array");
  if (cursor === undefined || entries === undefined || properties.next === undefined) return undefined;
  return `${quoted(name)}: { entries: ${quoted(entries)}, cursor: ${quoted(cursor.name)} },\n`;
}

/** The module, not formatted. */
export function operationsModule(json: unknown): string {
  const { schemas, operations } = readDocument(json);
  const sent = new Set<string>();
  for (const { body } of operations) if (body !== undefined) namesIn(body, schemas, sent);
  const used = new Set<string>();
  for (const { body, answers } of operations) {
    for (const one of [...answers, ...(body ? [body] : [])]) namesIn(one, schemas, used);
  }
  const types = [...used].sort().map((name) => {
    const schema = schemas[name] ?? {};
    const style = { sent: sent.has(name) };
    const text = schema.properties
      ? `interface ${name} ${objectOf(schema, style)}`
      : `type ${name} = ${typeOf(schema, style)};`;
    return `${comment(schema.description)}export ${text}\n`;
  });
  return `${head}
${types.join("\n")}
/** Every operation: what it takes, and what it answers. */
export interface Operations {
${operations.map(operationOf).join("")}}

/** Lists: where a page has its entries, and which query asks for the next one. */
export const pages = {
${operations.map((one) => pageOf(one, schemas) ?? "").join("")}} as const;
`;
}
