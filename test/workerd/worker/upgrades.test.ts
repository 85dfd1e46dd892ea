// The WebSocket routes: what is asked before the object is, and what exactly the object gets.
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { createApp } from "../../../worker/app.ts";
import type { Env } from "../../../worker/env.ts";
import { ask, newAgent, requestOf, tlsOf, upgradeHeaders } from "./fixtures.ts";
import { expectProblem } from "./problem.ts";

const session = "0190b3c4-1234-7abc-8def-0123456789ab";
const routes = ["/v1/connect", `/v1/sessions/${session}`];
let fingerprint: string;
beforeAll(async () => {
  fingerprint = (await newAgent("upgrader")).fingerprint;
});

describe("an upgrade is refused (426) and told what is spoken", () => {
  const plain: [string, Record<string, string>][] = [
    ["a plain GET", {}],
    ["the subprotocol without an upgrade", { "Sec-WebSocket-Protocol": "agentworks.v1" }],
  ];
  const cases: [string, Record<string, string>][] = [
    ["no subprotocol", { Upgrade: "websocket" }],
    ["an unknown subprotocol", { ...upgradeHeaders, "Sec-WebSocket-Protocol": "agentworks.v2, mqtt" }],
    ["a subprotocol in other letters", { ...upgradeHeaders, "Sec-WebSocket-Protocol": "AGENTWORKS.V1" }],
    ["another upgrade", { ...upgradeHeaders, Upgrade: "h2c" }],
  ];
  it.each([...cases, ...plain])("%s", async (_, headers) => {
    // Without an upgrade, a session is shown, not connected to.
    for (const path of "Upgrade" in headers ? routes : routes.slice(0, 1)) {
      const response = await ask(path, tlsOf(fingerprint), { headers });
      const problem = await expectProblem(response, "subprotocol_required");
      expect(problem.supported).toEqual(["agentworks.v1"]);
      expect(response.headers.get("Upgrade")).toBe("websocket");
      expect(response.headers.get("Sec-WebSocket-Protocol")).toBe("agentworks.v1");
    }
  });
});

it("takes our subprotocol out of a list, and any spelling of `websocket`", async () => {
  const headers = { Upgrade: "WebSocket", "Sec-WebSocket-Protocol": "mqtt , agentworks.v1,agentworks.v2" };
  const response = await ask("/v1/connect", tlsOf(fingerprint), { headers });
  expect(response.status).toBe(101);
  expect(response.headers.get("Sec-WebSocket-Protocol")).toBe("agentworks.v1");
  response.webSocket?.accept();
  response.webSocket?.close(1000);
});

describe("the object gets a request of our own making", () => {
  const forged = {
    ...upgradeHeaders,
    "X-Agentworks-Identity": JSON.stringify({ account: "local", agent: "somebody", fingerprint: "x", expiresAt: 9e15 }),
    "X-Agentworks-Anything": "yes",
    "X-Forwarded-For": "10.0.0.1",
    Cookie: "session=1",
    Authorization: `Bearer ${env.ADMIN_TOKEN}`,
    "MF-CF-Blob": "{}",
  };

  it.each([
    ["/v1/connect?agent=somebody", "AGENTS", "local/upgrader", "/v1/connect"],
    [`/v1/sessions/${session}?agent=somebody`, "SESSIONS", `local/${session}`, `/v1/sessions/${session}`],
  ] as const)("%s", async (path, binding, name, opened) => {
    const asked: { name: string; request: Request }[] = [];
    const answer = Response.json({ passed: "on" }, { status: 418, headers: { "X-Own": "kept" } });
    const getByName = (object: string) => ({
      fetch: async (request: Request) => {
        asked.push({ name: object, request });
        return answer;
      },
    });
    const bindings = { ...env, [binding]: { getByName } as unknown } as unknown as Env;
    const tls = tlsOf(fingerprint);
    const response = await createApp().fetch(requestOf(path, tls, { headers: forged }), bindings);

    const [call] = asked;
    expect(asked).toHaveLength(1);
    expect(call?.name).toBe(name);
    const { "x-agentworks-identity": identity = "", ...headers } = Object.fromEntries(call?.request.headers ?? []);
    expect(headers).toEqual({ upgrade: "websocket", "sec-websocket-protocol": "agentworks.v1" });
    expect(JSON.parse(identity)).toEqual({
      account: "local",
      agent: "upgrader",
      fingerprint,
      expiresAt: Date.parse(tls.certNotAfter),
    });
    const url = new URL(call?.request.url ?? "");
    expect(`${url.pathname}${url.search}`).toBe(opened);

    expect(response.status).toBe(418);
    expect(response.headers.get("X-Own")).toBe("kept");
    expect(await response.json()).toEqual({ passed: "on" });
  });
});

it("names objects by account, so that one account cannot reach another's", async () => {
  const other = await newAgent("upgrader", "other-account");
  const names: string[] = [];
  const namespace = { getByName: (name: string) => ({ fetch: async () => Response.json({ name: names.push(name) }) }) };
  const bindings = { ...env, AGENTS: namespace, SESSIONS: namespace } as unknown as Env;
  for (const path of routes) {
    await createApp().fetch(requestOf(path, tlsOf(other.fingerprint), { headers: upgradeHeaders }), bindings);
  }
  expect(names).toEqual(["other-account/upgrader", `other-account/${session}`]);
});

it("answers 404 for a malformed session_id as for one that does not exist", async () => {
  const upper = session.toUpperCase();
  for (const id of [session, "not-a-uuid", upper, `${session}%2F..`, `${session}%0A`]) {
    const response = await ask(`/v1/sessions/${id}`, tlsOf(fingerprint), { headers: upgradeHeaders });
    expect([id, response.status]).toEqual([id, 404]);
    expect(response.headers.get("Content-Type")).toContain("application/problem+json");
    expect(await response.json()).toMatchObject({ reason: "session_unknown" });
  }
});

it("answers `internal` when the object fails, without its words", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  const fetch = () => Promise.reject(new Error("secret words of the object"));
  const bindings = { ...env, AGENTS: { getByName: () => ({ fetch }) } } as unknown as Env;
  const request = requestOf("/v1/connect", tlsOf(fingerprint), { headers: upgradeHeaders });
  const response = await createApp().fetch(request, bindings);
  const text = await response.clone().text();
  expect(text).not.toContain("secret words");
  const problem = await expectProblem(response, "internal");
  expect(problem.instance).toMatch(/^urn:uuid:/);
  // The operator finds the cause in the log, by the id that the user was given.
  const [line] = log.mock.calls.map(([text]) => JSON.parse(String(text)));
  expect(line).toMatchObject({ event: "internal", instance: problem.instance, path: "/v1/connect" });
  expect(line.cause).toContain("secret words");
  log.mockRestore();
});
