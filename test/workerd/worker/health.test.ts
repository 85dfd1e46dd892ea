// GET /health and the document of the API: open to everybody, and true.
import { exports } from "cloudflare:workers";
import { expect, it } from "vitest";
import packageJson from "../../../package.json" with { type: "json" };

const get = (path: string) => exports.default.fetch(new Request(`https://broker.example${path}`));

it("says that it runs, and its version, to everybody", async () => {
  const response = await get("/health");
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: "ok", version: packageJson.version });
});

it("describes every route in openapi.json, with its problems", async () => {
  const response = await get("/v1/openapi.json");
  expect(response.status).toBe(200);
  const document = await response.json<{
    paths: Record<string, Record<string, { responses: Record<string, object> }>>;
    components: { schemas: Record<string, object>; securitySchemes: Record<string, object> };
  }>();
  // Which routes there are, and whose, is the matrix' (test/workerd/matrix).
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, { responses }] of Object.entries(methods)) {
      expect([path, method, Object.keys(responses)]).toEqual([path, method, expect.arrayContaining(["403", "500"])]);
    }
  }
  expect(Object.keys(document.components.securitySchemes)).toEqual([
    "clientCertificate",
    "apiKey",
    "enrolmentToken",
    "signIn",
  ]);
  expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(["Problem", "Agent", "AgentPage"]));
});

it("shows the document as a page that loads nothing and runs nothing", async () => {
  const response = await get("/docs");
  expect(response.status).toBe(200);
  expect(response.headers.get("Content-Type")).toMatch(/^text\/html/);
  expect(response.headers.get("Content-Security-Policy")).toMatch(/^default-src 'none'; style-src 'sha256-[^']+';/);
  const html = await response.text();
  const { paths, components } = await (await get("/v1/openapi.json")).json<{
    paths: Record<string, Record<string, object>>;
    components: { schemas: Record<string, object> };
  }>();
  for (const [path, methods] of Object.entries(paths)) {
    for (const method of Object.keys(methods)) {
      expect(html).toContain(`<b>${method.toUpperCase()}</b> <code>${path}</code>`);
    }
  }
  expect(html).toContain("<code>If-Match</code><td>header, optional");
  for (const name of Object.keys(components.schemas)) expect(html).toContain(`id="schema-${name}"`);
  // Every link leads to a place that is there.
  for (const [, target] of html.matchAll(/href="#([^"]+)"/g)) expect(html).toContain(`id="${target}"`);
  expect(html).not.toMatch(/<script|<link|<img|\bsrc=|\bon\w+=|https?:/i);
  // The style is the one that the policy names.
  const style = /<style>([\s\S]*)<\/style>/.exec(html)?.[1] ?? "";
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style)));
  expect(response.headers.get("Content-Security-Policy")).toContain(btoa(String.fromCharCode(...digest)));
});
