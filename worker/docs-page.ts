// GET /docs: openapi.json as a page for people. Made of the document alone, as text; it loads nothing and runs no script.
import { z } from "@hono/zod-openapi";
import { Body, nameOf, Parameter, ParameterOrReference, Schema } from "../schema/document.ts";

const Operation = z.object({
  description: z.string().default(""),
  security: z.array(z.record(z.string(), z.unknown())).default([]),
  "x-permission": z.string().optional(),
  parameters: z.array(ParameterOrReference).default([]),
  requestBody: Body.optional(),
  responses: z.record(z.string(), Body.extend({ description: z.string() })),
});
type Operation = z.infer<typeof Operation>;
type Parameters = Record<string, Parameter>;

/** What the page shows of the document. */
const Document = z.object({
  info: z.object({ title: z.string(), version: z.string() }),
  paths: z.record(z.string(), z.record(z.string(), Operation)),
  components: z.object({ schemas: z.record(z.string(), Schema), parameters: z.record(z.string(), Parameter) }),
});

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escaped = (text: string) => text.replaceAll(/[&<>"']/g, (char) => entities[char] ?? char);
/** Prose of the document: what stands in backticks is code. */
const prose = (text: string) => escaped(text).replaceAll(/`([^`]*)`/g, "<code>$1</code>");

/** A schema in the notation of TypeScript. */
function shape(schema: Schema, indent = ""): string {
  if (schema.$ref !== undefined) {
    const name = escaped(nameOf(schema.$ref));
    return `<a href="#schema-${name}">${name}</a>`;
  }
  if (schema.enum !== undefined) return schema.enum.map((value) => escaped(JSON.stringify(value))).join(" | ");
  const either = schema.anyOf ?? schema.oneOf;
  if (either !== undefined) return either.map((one) => shape(one, indent)).join(" | ");
  if (schema.items !== undefined) return `${shape(schema.items, indent)}[]`;
  if (schema.properties !== undefined) {
    const inner = `${indent}  `;
    const members = Object.entries(schema.properties).map(([name, member]) => {
      const optional = schema.required?.includes(name) ? "" : "?";
      const note = member.description === undefined ? "" : `<i> // ${prose(member.description)}</i>`;
      return `${inner}${escaped(name)}${optional}: ${shape(member, inner)}${note}`;
    });
    return members.length === 0 ? "{}" : `{\n${members.join("\n")}\n${indent}}`;
  }
  const { type = "any" } = schema;
  return escaped(Array.isArray(type) ? type.join(" | ") : type);
}

/** Problems all have one shape, which the page says once. */
const bodies = (content: z.infer<typeof Body>["content"]) =>
  Object.entries(content ?? {})
    .filter(([type]) => type !== "application/problem+json")
    .map(([, { schema }]) => `<pre>${shape(schema)}</pre>`)
    .join("");

const proofs: Record<string, string> = {
  apiKey: "API key",
  clientCertificate: "client certificate",
  enrolmentToken: "enrolment token",
};

function access({ security, "x-permission": permission }: Operation): string {
  const kinds = security.flatMap((one) => Object.keys(one)).map((kind) => proofs[kind] ?? kind);
  if (kinds.length === 0) return "open to everybody";
  const needs = permission === undefined ? "" : ` with <code>${escaped(permission)}</code>`;
  return `${escaped(kinds[0] ?? "")}${needs}${kinds
    .slice(1)
    .map((kind) => `, or ${escaped(kind)}`)
    .join("")}`;
}

const anchor = (method: string, path: string) => `${method}${path}`.replaceAll(/[^a-z0-9]+/gi, "-").toLowerCase();

function section(method: string, path: string, operation: Operation, shared: Parameters): string {
  const { requestBody, responses } = operation;
  const parameters = operation.parameters.flatMap((one) => ("$ref" in one ? (shared[nameOf(one.$ref)] ?? []) : one));
  const rows = parameters.map(({ name, in: place, required, description = "", schema }) => {
    const preset = schema.default === undefined ? "" : ` = ${escaped(JSON.stringify(schema.default))}`;
    const what = `${place}${required ? "" : ", optional"}`;
    return `<tr><td><code>${escaped(name)}</code><td>${escaped(what)}<td><code>${shape(schema)}${preset}</code><td>${prose(schema.description ?? description)}`;
  });
  const table = rows.length > 0 ? `<table>${rows.join("")}</table>` : "";
  const asked = requestBody === undefined ? "" : `<h4>Body</h4>${bodies(requestBody.content)}`;
  const answers = Object.entries(responses).map(
    ([status, { description, content }]) => `<h4>${escaped(status)} — ${prose(description)}</h4>${bodies(content)}`,
  );
  return `<details id="${anchor(method, path)}"><summary><b>${method.toUpperCase()}</b> <code>${escaped(path)}</code></summary>
<p>${prose(operation.description)}<p class="access">${access(operation)}${table}${asked}${answers.join("")}</details>`;
}

const style = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:60rem;margin:0 auto;padding:1rem}
summary{cursor:pointer;padding:.3rem 0}summary b{display:inline-block;width:4.5rem}details{border-top:1px solid #8884}
details[open]{padding-bottom:1rem}pre,code{font:14px/1.4 ui-monospace,monospace}pre{overflow-x:auto;padding:.6rem;background:#8881;border-radius:4px}
pre i,.access{opacity:.7}h2{margin-top:2rem}h4{margin:.8rem 0 .2rem}table{border-collapse:collapse}td{padding:.1rem .8rem .1rem 0;vertical-align:top}`;

/** The page, and the policy that it is to be served under: its own style and nothing else. */
export async function docsPage(openapi: unknown): Promise<{ html: string; policy: string }> {
  const { info, paths, components } = Document.parse(JSON.parse(JSON.stringify(openapi)));
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => section(method, path, operation, components.parameters)),
  );
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<details id="schema-${escaped(name)}"><summary><code>${escaped(name)}</code></summary><pre>${shape(schema)}</pre></details>`,
  );
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(info.title)} ${escaped(info.version)}: the HTTP API</title><style>${style}</style>
<h1>${escaped(info.title)} <small>${escaped(info.version)}</small></h1>
<p>Refusals are <a href="#schema-Problem">problem+json</a> (RFC 9457); <code>reason</code> says which. Send <code>Authorization: Bearer</code> and an API key, or connect with a client certificate.
The same as data: <a href="/v1/openapi.json">/v1/openapi.json</a>.
<h2>Operations</h2>${operations.join("\n")}<h2>Shapes</h2>${schemas.join("\n")}</html>`;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style));
  const hash = btoa(String.fromCharCode(...new Uint8Array(digest)));
  return { html, policy: `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; frame-ancestors 'none'` };
}
