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

it("describes every route in openapi.json, with its security and its problems", async () => {
  const response = await get("/v1/openapi.json");
  expect(response.status).toBe(200);
  const document = await response.json<{
    paths: Record<string, Record<string, { security?: object[]; responses: Record<string, object> }>>;
    components: { schemas: Record<string, object>; securitySchemes: Record<string, object> };
  }>();
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security, responses }]) => {
      expect(Object.keys(responses)).toContain("default");
      return `${method.toUpperCase()} ${path} ${security?.flatMap((s) => Object.keys(s)).join() ?? "open"}`;
    }),
  );
  expect(routes.sort()).toEqual([
    "DELETE /v1/api-keys/{key_id} apiKey",
    "DELETE /v1/certificates/{fingerprint} apiKey",
    "GET /health open",
    "GET /v1/agents apiKey,clientCertificate",
    "GET /v1/api-keys apiKey",
    "GET /v1/audit-log apiKey",
    "GET /v1/connect clientCertificate",
    "GET /v1/sessions clientCertificate",
    "GET /v1/sessions/{session_id} clientCertificate",
    "GET /v1/sessions/{session_id}/dead-letters clientCertificate",
    "GET /v1/sessions/{session_id}/timeline clientCertificate",
    "PATCH /v1/agents/{agent_id} apiKey",
    "POST /v1/agents/{agent_id}/drain apiKey",
    "POST /v1/api-keys apiKey",
    "POST /v1/certificates apiKey",
    "POST /v1/sessions/{session_id}/dead-letters/redrive clientCertificate",
  ]);
  expect(Object.keys(document.components.securitySchemes)).toEqual(["clientCertificate", "apiKey"]);
  expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(["Problem", "Agent", "AgentPage"]));
});
