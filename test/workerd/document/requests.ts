// Requests out of the document: such as fit it, and such as do not. fast-check's dice.
import fc from "fast-check";
import type { Operation, Parameter, Schema } from "./document.ts";

/** Texts as they may come from outside, in URLs too: nothing that a URL or JSON cannot hold. */
const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    "",
    "null",
    "-1",
    "0",
    "../..",
    "%00",
    "a".repeat(300),
    "'; DROP TABLE agents; --",
    "{}",
    "undefined",
    "🙂",
  ),
);

function texts({ pattern, format, minLength = 0, maxLength }: Schema): fc.Arbitrary<string> {
  if (format === "date-time") {
    const range = { min: new Date("2000-01-01"), max: new Date("2100-01-01"), noInvalidDate: true };
    return fc.date(range).map((date) => date.toISOString());
  }
  // Its pattern looks ahead, which no dice can.
  if (format === "email") return fc.stringMatching(/^[a-z]{1,10}@[a-z]{1,10}\.example$/);
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
  return fc.string({ minLength, maxLength: Math.min(maxLength ?? 60, 200) });
}

/** Values that fit the schema. */
export function fitting(schema: Schema): fc.Arbitrary<unknown> {
  const { enum: choices, anyOf, oneOf } = schema;
  if (choices !== undefined) return fc.constantFrom(...choices);
  const either = anyOf ?? oneOf;
  if (either !== undefined) return fc.oneof(...either.map(fitting));
  if (Array.isArray(schema.type)) return fc.oneof(...schema.type.map((type) => fitting({ ...schema, type })));
  switch (schema.type) {
    case "string":
      return texts(schema);
    case "integer":
    case "number":
      return fc.integer({ min: schema.minimum ?? -1000, max: schema.maximum ?? 1000 });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array": {
      const { minItems: minLength = 0, maxItems = 5 } = schema;
      return fc.array(fitting(schema.items ?? {}), { minLength, maxLength: Math.min(maxItems, 5) });
    }
    case "object": {
      const { properties = {}, required = [] } = schema;
      const members = Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, fitting(value)]));
      return fc.record(members, { requiredKeys: required, noNullPrototype: true });
    }
    default:
      return fc.jsonValue();
  }
}

/** Values that were made to fit, with one member replaced, removed or added; or anything at all. */
function unfit(schema: Schema): fc.Arbitrary<unknown> {
  const spoilt = fc
    .tuple(fitting(schema), fc.string({ maxLength: 10 }), fc.jsonValue(), fc.nat())
    .map(([value, name, other, at]) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return other;
      const keys = Object.keys(value);
      const key = keys.length > 0 && at % 3 > 0 ? (keys[at % keys.length] ?? name) : name;
      return { ...value, [key]: at % 3 === 2 ? undefined : other };
    });
  return fc.oneof(spoilt, fc.jsonValue());
}

export interface Generated {
  path: string;
  headers: Record<string, string>;
  /** The text of the body. */
  body: string | undefined;
  type: string;
}

/** Names of what is there, by the names of parameters: without them nothing but 404 would be seen. */
export type Known = Record<string, readonly string[]>;

function parameters(of: Parameter[], known: Known, wild: boolean): fc.Arbitrary<Record<string, string>> {
  const members = of.map(({ name, schema }) => {
    const fit = fitting(schema).map(String);
    const there = known[name] ?? [];
    const good = there.length > 0 ? fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...there) }, fit) : fit;
    return [name, wild ? fc.oneof(good, anyText) : good] as const;
  });
  const requiredKeys = of.filter(({ required }) => required).map(({ name }) => name);
  return fc.record(Object.fromEntries(members), { requiredKeys, noNullPrototype: true });
}

/** Requests to an operation. `wild` ones need not fit the document. */
export function requests(operation: Operation, known: Known, wild: boolean): fc.Arbitrary<Generated> {
  const { inPath, inQuery, inHeader, body } = operation;
  const value =
    body === undefined ? fc.constant(undefined) : wild ? fc.oneof(fitting(body), unfit(body)) : fitting(body);
  const text = value.map((one) => (one === undefined ? undefined : JSON.stringify(one)));
  const raw = wild && body !== undefined ? fc.oneof({ weight: 4, arbitrary: text }, anyText) : text;
  const types = wild ? fc.constantFrom("application/json", "application/json", "text/plain", "nonsense") : undefined;
  return fc
    .record({
      places: parameters(inPath, known, wild),
      query: parameters(inQuery, known, wild),
      headers: parameters(inHeader, known, wild),
      body: raw,
      type: types ?? fc.constant("application/json"),
    })
    .map(({ places, query, headers, body: sent, type }) => {
      const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(wellFormed(places[name])));
      const search = Object.entries(query).map(([name, one]) => `${name}=${encodeURIComponent(wellFormed(one))}`);
      const kept = Object.entries(headers).map(([name, one]) => [name, one.replaceAll(/[^\x20-\xff]|\x7f/g, "")]);
      return {
        path: search.length > 0 ? `${path}?${search.join("&")}` : path,
        // What no header can hold, no client can send.
        headers: Object.fromEntries(kept),
        body: sent,
        type,
      };
    });
}

/** An empty part of a path would be another route; and half a surrogate pair cannot be in a URL. */
const wellFormed = (text: string | undefined): string =>
  (text === undefined || text === "" ? "-" : text).toWellFormed();
