// The WebSocket routes: what is asked before the object is, and what exactly the object gets. The objects are the real ones;
// a spy without an implementation only looks on.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, type MockInstance, vi } from "vitest";
import { AgentObject } from "../../../durable-objects/agent-object.ts";
import { SessionObject } from "../../../durable-objects/session-object.ts";
import { plain } from "../objects/agents.ts";
import { Duo } from "../objects/duo.ts";
import { ask, breakAgentObject, newAgent, tlsOf, upgradeHeaders } from "./fixtures.ts";
import { expectProblem } from "./problem.ts";

const session = "0190b3c4-1234-7abc-8def-0123456789ab";
const routes = ["/v1/connect", `/v1/sessions/${session}`];
let fingerprint: string;
beforeAll(async () => {
  fingerprint = (await newAgent("upgrader")).fingerprint;
});
afterEach(() => vi.restoreAllMocks());

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

  /** Connects as the agent with forged headers and a forged query; the one request that its object got. */
  async function handedOn(
    fetch: MockInstance<(request: Request) => unknown>,
    path: string,
    tls: ReturnType<typeof tlsOf>,
  ): Promise<Request | undefined> {
    const response = await ask(`${path}?agent=somebody`, tls, { headers: forged });
    expect(response.status).toBe(101);
    // Only the object says this: the Worker hands on what it answers.
    expect(response.headers.get("Sec-WebSocket-Protocol")).toBe("agentworks.v1");
    response.webSocket?.accept();
    response.webSocket?.close(1000);
    expect(fetch).toHaveBeenCalledOnce();
    return fetch.mock.calls[0]?.[0];
  }

  function expectOwn(request: Request | undefined, path: string, agent: string, tls: ReturnType<typeof tlsOf>): void {
    const { "x-agentworks-identity": identity = "", ...headers } = Object.fromEntries(request?.headers ?? []);
    expect(headers).toEqual({ upgrade: "websocket", "sec-websocket-protocol": "agentworks.v1" });
    const { certFingerprintSHA256, certNotAfter } = tls;
    expect(JSON.parse(identity)).toEqual({
      account: "local",
      agent,
      fingerprint: certFingerprintSHA256,
      expiresAt: Date.parse(certNotAfter),
    });
    const url = new URL(request?.url ?? "");
    expect(`${url.pathname}${url.search}`).toBe(path);
  }

  it("/v1/connect", async () => {
    const fetch = vi.spyOn(AgentObject.prototype, "fetch");
    const tls = tlsOf(fingerprint);
    const request = await handedOn(fetch, "/v1/connect", tls);
    expectOwn(request, "/v1/connect", "upgrader", tls);
    const asked = fetch.mock.contexts[0];
    await runInDurableObject(env.AGENTS.getByName("local/upgrader"), (object) => expect(object).toBe(asked));
  });

  it("/v1/sessions/{session_id}", async () => {
    const duo = await Duo.open(plain);
    const fetch = vi.spyOn(SessionObject.prototype, "fetch");
    const path = `/v1/sessions/${duo.session_id}`;
    const request = await handedOn(fetch, path, duo.a.tls);
    expectOwn(request, path, duo.a.name, duo.a.tls);
    const asked = fetch.mock.contexts[0];
    await runInDurableObject(duo.object, (object) => expect(object).toBe(asked));
    // The same agent's name and the same id in another account are another object.
    const stranger = await newAgent(duo.a.name, "other-account");
    await expectProblem(await ask(path, tlsOf(stranger.fingerprint), { headers: upgradeHeaders }), "session_unknown");
  });
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
  const broken = await newAgent("broken");
  const words = await breakAgentObject("broken");
  const response = await ask("/v1/connect", tlsOf(broken.fingerprint), { headers: upgradeHeaders });
  const text = await response.clone().text();
  expect(text).not.toContain(words);
  const problem = await expectProblem(response, "internal");
  expect(problem.instance).toMatch(/^urn:uuid:/);
  // The operator finds the cause in the log, by the id that the user was given.
  const [line] = log.mock.calls.map(([text]) => JSON.parse(String(text)));
  expect(line).toMatchObject({ event: "internal", instance: problem.instance, path: "/v1/connect" });
  expect(line.cause).toContain(words);
});
