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
      expect([path, method, Object.keys(responses)]).toEqual([path, method, expect.arrayContaining(["default"])]);
    }
  }
  expect(Object.keys(document.components.securitySchemes)).toEqual(["clientCertificate", "apiKey"]);
  expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(["Problem", "Agent", "AgentPage"]));
});
