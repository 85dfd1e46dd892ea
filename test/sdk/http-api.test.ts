// The client of the HTTP API, with a real broker: what it asks, what it repeats and what not, and what it says of refusals.
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientError, wireError } from "../../sdk/typescript/src/error.ts";
import { HttpApi } from "../../sdk/typescript/src/http/index.ts";
import { delayMs } from "../../sdk/typescript/src/http/repeating.ts";
import { Dialing } from "../e2e/dialing.ts";
import { lossy } from "./lossy.ts";

let dialing: Dialing;
let api: HttpApi;
beforeAll(async () => {
  dialing = await Dialing.start();
  api = new HttpApi({ url: dialing.broker.apiUrl, credential: dialing.broker.adminToken });
  for (const agent_id of ["one", "two", "three"]) await api.request("POST /v1/agents", { body: { agent_id } });
});
afterAll(() => dialing.close());

/** A server that is no broker. */
async function strange(answer: RequestListener): Promise<AsyncDisposable & { url: string; asked(): number }> {
  let asked = 0;
  const server = createServer((incoming, outgoing) => {
    asked++;
    answer(incoming, outgoing);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

describe("asking", () => {
  test("path, query and body go where they belong; the answer is typed", async () => {
    const made = await api.request("POST /v1/agents", { body: { agent_id: "asked", tags: ["b", "a"] } });
    const tags: string[] = made.tags;
    expect(tags).toEqual(["a", "b"]);
    const agent = await api.request("GET /v1/agents/{agent_id}", {
      path: { agent_id: "asked" },
      query: { account: "local" },
    });
    expect(agent).toEqual(made);
    expect(await api.request("GET /health")).toMatchObject({ status: "ok" });
  });

  test("a value cannot lead to another path", async () => {
    const show = (agent_id: string) => api.request("GET /v1/agents/{agent_id}", { path: { agent_id } });
    for (const agent_id of ["", ".", ".."])
      await expect(show(agent_id)).rejects.toMatchObject({ reason: "invalid_argument" });
    await expect(show("../policy")).rejects.toMatchObject({ reason: "invalid_request" });
    await expect(show("one?account=two")).rejects.toMatchObject({ reason: "invalid_request" });
  });

  test("what no header can hold is one clear sentence, which does not repeat it", async () => {
    const { url } = api;
    for (const credential of ["aw_…", "aw_secret\naw_another"]) {
      const made = () => new HttpApi({ url, credential });
      expect(made).toThrow(expect.objectContaining({ reason: "invalid_argument" }));
      expect(made).not.toThrow(credential.slice(0, 6));
    }
    const change = (taking: { ifMatch?: string }) =>
      api.request("PATCH /v1/agents/{agent_id}", { path: { agent_id: "one" }, body: { tags: [] }, ...taking });
    await expect(change({ ifMatch: "“1”" })).rejects.toMatchObject({ reason: "invalid_argument" });
    const make = api.request("POST /v1/agents", { body: { agent_id: "four" }, idempotencyKey: "a\nb" });
    await expect(make).rejects.toMatchObject({ reason: "invalid_argument" });
  });

  test("lists come page after page, and no page that nobody wants is asked for", async () => {
    await using network = await lossy(dialing.broker.apiUrl, []);
    const counted = new HttpApi({ url: network.url, credential: dialing.broker.adminToken });
    const names: string[] = [];
    for await (const { agent } of counted.list("GET /v1/agents", { query: { limit: 1 } })) names.push(agent);
    expect(names).toEqual(expect.arrayContaining(["one", "three", "two"]));
    expect(network.asked).toHaveLength(names.length);
    for await (const _ of counted.list("GET /v1/audit-log", { query: { limit: 2 } })) break;
    expect(network.asked).toHaveLength(names.length + 1);
  });

  test("a change is for the revision that was seen", async () => {
    const path = { agent_id: "two" };
    const { etag } = await api.send("GET /v1/agents/{agent_id}", { path });
    const change = (tag: string) =>
      api.send("PATCH /v1/agents/{agent_id}", { path, body: { tags: [tag] }, ifMatch: etag });
    expect((await change("first")).etag).not.toBe(etag);
    await expect(change("second")).rejects.toMatchObject({ reason: "precondition_failed", retryable: false });
  });

  test("a refusal is an AgentworksError that says what is missing, and where a request is wrong", async () => {
    const { key } = await api.request("POST /v1/api-keys", { body: { name: "reader", scopes: ["agents:read"] } });
    const reader = new HttpApi({ url: dialing.broker.apiUrl, credential: key });
    await expect(reader.request("POST /v1/agents", { body: { agent_id: "no" } })).rejects.toMatchObject({
      name: "AgentworksError",
      reason: "permission_denied",
      detail: expect.stringContaining("it lacks agents:write"),
    });
    await expect(api.request("POST /v1/agents", { body: { agent_id: "No Name" } })).rejects.toMatchObject({
      reason: "invalid_request",
      detail: expect.stringContaining("agent_id: 1–64 of"),
    });
  });
});

describe("repeating", () => {
  const throughLoss = async (losses: Parameters<typeof lossy>[1]) => {
    const network = await lossy(dialing.broker.apiUrl, losses);
    return { network, api: new HttpApi({ url: network.url, credential: dialing.broker.adminToken }) };
  };

  test("a POST whose answers were lost took effect once, and its answer is that of the first", async () => {
    const { network, api: unlucky } = await throughLoss(["all", "rest"]);
    await using _ = network;
    const { data, replayed } = await unlucky.send("POST /v1/api-keys", {
      body: { name: "lost", scopes: ["audit:read"] },
    });
    expect([data.key, replayed]).toEqual([expect.stringMatching(/^aw_/), true]);
    expect(new Set(network.asked.map(({ headers }) => headers["idempotency-key"]))).toHaveProperty("size", 1);
    expect(network.asked).toHaveLength(3);
    const named: string[] = [];
    for await (const { name, id } of api.list("GET /v1/api-keys")) if (name === "lost") named.push(id);
    expect(named).toEqual([data.id]);
  });

  test("a key of one's own holds over lives; another request with it is refused", async () => {
    const idempotencyKey = "deploy-17";
    const make = (agent_id: string) => api.send("POST /v1/agents", { body: { agent_id }, idempotencyKey });
    expect(await make("repeated")).toMatchObject({ replayed: false, status: 201 });
    expect(await make("repeated")).toMatchObject({ replayed: true, status: 201 });
    await expect(make("another")).rejects.toMatchObject({ reason: "idempotency_conflict" });
  });

  test("what may have been done, and would be refused the second time, is not repeated", async () => {
    const { network, api: unlucky } = await throughLoss(["all", "all"]);
    await using _ = network;
    const path = { agent_id: "three" };
    const { etag } = await api.send("GET /v1/agents/{agent_id}", { path });
    const changing = unlucky.request("PATCH /v1/agents/{agent_id}", { path, body: { tags: ["x"] }, ifMatch: etag });
    await expect(changing).rejects.toMatchObject({ reason: "connection_failed" });
    const deleting = unlucky.request("DELETE /v1/agents/{agent_id}", { path });
    await expect(deleting).rejects.toMatchObject({ reason: "connection_failed" });
    expect(network.asked).toHaveLength(2);
  });

  test("one request too many waits as long as the broker says", async () => {
    const { key } = await api.request("POST /v1/api-keys", { body: { name: "hasty", scopes: ["account:read"] } });
    const at = { url: dialing.broker.apiUrl, credential: key };
    const hasty = new HttpApi({ ...at, repeats: 0 });
    let refused: unknown;
    while (refused === undefined) {
      const many = Array.from({ length: 50 }, () => hasty.request("GET /v1/account"));
      refused = (await Promise.allSettled(many)).find(({ status }) => status === "rejected");
    }
    expect(refused).toMatchObject({ reason: { reason: "too_many_requests", retryable: true } });
    expect(await new HttpApi(at).request("GET /v1/account")).toMatchObject({ account: "local" });
  });

  test("[pure] which failures are repeated, and when", () => {
    const get = { method: "GET", conditional: false, repeats: 0, random: 0.5 };
    const of = (reason: string, status: number, more: object = {}) => ({
      error: wireError(reason),
      status,
      unprocessed: false,
      ...more,
    });
    const silent = { error: clientError("connection_failed"), status: undefined, unprocessed: false };
    const untrusted = { ...silent, error: clientError("broker_untrusted") };
    expect(delayMs(get, silent)).toBe(100);
    expect(delayMs({ ...get, repeats: 2 }, silent)).toBe(400);
    expect(delayMs(get, untrusted)).toBeUndefined();
    expect(delayMs(get, of("too_many_requests", 429, { retryAfterMs: 7000 }))).toBe(7000);
    expect(delayMs(get, of("too_many_certificates", 429))).toBeUndefined();
    expect(delayMs(get, of("internal", 500))).toBe(100);
    expect(delayMs(get, of("idempotency_in_progress", 409))).toBe(100);
    expect(delayMs(get, of("session_not_ended", 409))).toBeUndefined();
    for (const unsafe of [
      { ...get, method: "DELETE" },
      { ...get, method: "PATCH", conditional: true },
    ]) {
      expect(delayMs(unsafe, silent)).toBeUndefined();
      expect(delayMs(unsafe, of("issuer_unavailable", 503, { unprocessed: true }))).toBe(100);
    }
  });
});

describe("who is no broker", () => {
  const ask = (url: string, more: object = {}) =>
    new HttpApi({ url, credential: "aw_secret", ...more }).request("GET /v1/account");

  test("nobody is there: it says why, and that it may be repeated", async () => {
    const { url, ...left } = await strange(() => undefined);
    await left[Symbol.asyncDispose]();
    await expect(ask(url)).rejects.toMatchObject({
      reason: "connection_failed",
      retryable: true,
      detail: `The API at ${url} does not answer (ECONNREFUSED).`,
    });
  });

  test("somebody else answers, or sends elsewhere: nothing is repeated, and no credential follows", async () => {
    await using page = await strange((_, outgoing) => outgoing.writeHead(404).end("<html>"));
    await expect(ask(page.url)).rejects.toMatchObject({
      reason: "unreadable",
      detail: expect.stringContaining("HTTP 404"),
    });
    await using text = await strange((_, outgoing) => outgoing.end("<html>"));
    await expect(ask(text.url)).rejects.toMatchObject({ reason: "unreadable" });
    const { port } = new URL(page.url);
    await using away = await strange((_, outgoing) =>
      outgoing.writeHead(302, { Location: `http://127.0.0.1:${port}/` }).end(),
    );
    await expect(ask(away.url)).rejects.toMatchObject({
      reason: "unreadable",
      detail: expect.stringContaining("redirects"),
    });
    expect([page.asked(), text.asked(), away.asked()]).toEqual([1, 1, 1]);
  });

  test("a certificate that nobody vouches for is refused at once", async () => {
    await expect(ask(dialing.broker.agentsUrl.replace("wss:", "https:"))).rejects.toMatchObject({
      reason: "broker_untrusted",
    });
  });

  test("who asks may stop asking, and nobody waits for ever", async () => {
    await using silent = await strange(() => undefined);
    await expect(ask(silent.url, { timeoutMs: 50 })).rejects.toMatchObject({ reason: "connection_failed" });
    const abort = new AbortController();
    const asking = ask(silent.url, { signal: abort.signal });
    abort.abort();
    await expect(asking).rejects.toMatchObject({ reason: "aborted" });
  });

  test("a credential is shown to nobody on the way", () => {
    expect(() => new HttpApi({ url: "http://api.example.com", credential: "aw_x" })).toThrow("by https");
  });
});
