// What keeps callers from each other's way, and a repeated request from a second effect: rate limits and Idempotency-Key.
import { env, exports } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { bounds } from "../../../schema/bounds.ts";
import { scopes } from "../../../schema/permissions.ts";
import { apiKeys, idempotencyKeys } from "../../../schema/tables.ts";
import { administer, ask, db, newAgent, origin, tlsOf } from "./fixtures.ts";
import { expectProblem } from "./problem.ts";

const newKey = async (account = "local") => {
  const response = await administer("POST", `/v1/api-keys?account=${account}`, { name: "test", scopes });
  return (await response.json<{ key: string }>()).key;
};
let key: string;
beforeAll(async () => {
  for (const account of ["local", "other"]) await administer("POST", "/v1/accounts", { account });
  key = await newKey();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("Idempotency-Key", () => {
  const post = (path: string, body: unknown, idempotencyKey: string, token = key) =>
    administer("POST", path, body, token, { "Idempotency-Key": idempotencyKey });
  const named = async (name: string) => db.select().from(apiKeys).where(eq(apiKeys.name, name));

  it("the same again is answered as the first time, secret and all, and changes nothing", async () => {
    const body = { name: "once", scopes: ["agents:read"] };
    const first = await post("/v1/api-keys", body, "a-1");
    const second = await post("/v1/api-keys", body, "a-1");
    expect([first.status, second.status]).toEqual([201, 201]);
    expect([first.headers.get("Idempotency-Replayed"), second.headers.get("Idempotency-Replayed")]).toEqual([
      null,
      "true",
    ]);
    const text = await first.text();
    expect(await second.text()).toBe(text);
    expect(second.headers.get("Content-Type")).toBe(first.headers.get("Content-Type"));
    expect(await named("once")).toHaveLength(1);
    // What is stored says nothing to whoever has the database alone.
    const stored = JSON.stringify(await db.select().from(idempotencyKeys));
    const made = JSON.parse(text) as { key: string };
    expect(stored).not.toContain(made.key.slice(-43));
    expect(stored).not.toContain("once");
  });

  it("a refusal is repeated too; with its ETag an answer", async () => {
    const refused = await post("/v1/agents", { agent_id: "NO" }, "refused");
    const again = await post("/v1/agents", { agent_id: "NO" }, "refused");
    expect(await again.text()).toBe(await refused.text());
    await expectProblem(await post("/v1/agents", { agent_id: "NO" }, "refused"), "invalid_request");
    const made = await post("/v1/agents", { agent_id: "made" }, "made");
    const same = await post("/v1/agents", { agent_id: "made" }, "made");
    expect([same.status, same.headers.get("ETag")]).toEqual([201, made.headers.get("ETag")]);
  });

  it("another request with that key is refused: another body, path or query", async () => {
    expect((await post("/v1/agents", { agent_id: "b" }, "b-1")).status).toBe(201);
    await expectProblem(await post("/v1/agents", { agent_id: "c" }, "b-1"), "idempotency_conflict");
    await expectProblem(await post("/v1/api-keys", { agent_id: "b" }, "b-1"), "idempotency_conflict");
    await expectProblem(await post("/v1/agents?account=local", { agent_id: "b" }, "b-1"), "idempotency_conflict");
  });

  it("is a caller's own: neither another key nor another account meets it", async () => {
    expect((await post("/v1/agents", { agent_id: "d" }, "d-1")).status).toBe(201);
    await expectProblem(await post("/v1/agents", { agent_id: "d" }, "d-1", await newKey()), "agent_exists");
    expect((await post("/v1/agents", { agent_id: "d" }, "d-1", await newKey("other"))).status).toBe(201);
    // Somebody with the same name and another credential cannot open what was sealed.
    const operators = (token: string) =>
      exports.default.fetch(
        new Request(`${origin}/v1/agents`, {
          method: "POST",
          headers: { Authorization: token, "Content-Type": "application/json", "Idempotency-Key": "d-2" },
          body: JSON.stringify({ agent_id: "operated" }),
        }),
      );
    expect((await operators(`Bearer ${env.ADMIN_TOKEN}`)).status).toBe(201);
    await expectProblem(await operators(`bearer ${env.ADMIN_TOKEN}`), "idempotency_conflict");
  });

  it("of two at once one is at work, and its effect is there once", async () => {
    const body = { name: "twice", scopes: ["agents:read"] };
    const answers = await Promise.all(Array.from({ length: 5 }, () => post("/v1/api-keys", body, "e-1")));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201).length).toBeGreaterThanOrEqual(1);
    expect(statuses.every((status) => status === 201 || status === 409)).toBe(true);
    expect(await named("twice")).toHaveLength(1);
  });

  it("a failure keeps no key; one that never answered is let go after a minute; an old one after a day", async () => {
    const body = { name: "failing", scopes: ["agents:read"] };
    vi.spyOn(console, "error").mockImplementation(() => {});
    const random = vi.spyOn(crypto, "getRandomValues").mockImplementationOnce(() => {
      throw new Error("no dice");
    });
    expect((await post("/v1/api-keys", body, "f-1")).status).toBe(500);
    random.mockRestore();
    expect((await post("/v1/api-keys", body, "f-1")).status).toBe(201);

    const actor = `key:${key.split("_")[1]}`;
    const claim = { accountId: "local", actor, key: "f-2", request: "0", createdAt: Date.now() };
    await db.insert(idempotencyKeys).values(claim);
    await expectProblem(await post("/v1/agents", { agent_id: "f2" }, "f-2"), "idempotency_conflict");
    const now = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: now + bounds.idempotencyPendingMs + 1 });
    expect((await post("/v1/agents", { agent_id: "f2" }, "f-2")).status).toBe(201);
    vi.setSystemTime(now + bounds.idempotencyKeepMs + bounds.idempotencyPendingMs + 10);
    await expectProblem(await post("/v1/agents", { agent_id: "f2" }, "f-2"), "agent_exists");
  });

  it.each(["a b", "x".repeat(129)])("refuses the key %j", async (bad) => {
    const response = await post("/v1/agents", { agent_id: "g" }, bad);
    const { issues } = await expectProblem(response, "invalid_request");
    expect(issues).toMatchObject([{ path: "Idempotency-Key" }]);
  });
});

describe("rate limits", () => {
  it("say in every answer what is left, refuse beyond the burst, and come back with time", async () => {
    const own = await newKey();
    const now = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now });
    const get = () => administer("GET", "/v1/account", undefined, own);
    const first = await get();
    const numbers = ({ headers }: Response) =>
      ["Limit", "Remaining", "Reset"].map((n) => headers.get(`RateLimit-${n}`));
    expect(numbers(first)).toEqual([String(bounds.requestsBurst), String(bounds.requestsBurst - 1), "1"]);
    const others = await Promise.all(Array.from({ length: bounds.requestsBurst - 1 }, get));
    expect(new Set(others.map(({ status }) => status))).toEqual(new Set([200]));
    expect(Math.min(...others.map(({ headers }) => Number(headers.get("RateLimit-Remaining"))))).toBe(0);
    const refused = await get();
    expect(numbers(refused)).toEqual(["300", "0", "30"]);
    expect(refused.headers.get("Retry-After")).toBe("1");
    await expectProblem(refused, "too_many_requests");
    // Neighbours are none the worse.
    expect((await administer("GET", "/v1/account", undefined, key)).status).toBe(200);
    vi.setSystemTime(now + 1000);
    const later = await get();
    expect([later.status, later.headers.get("RateLimit-Remaining")]).toEqual([
      200,
      String(bounds.requestsPerSecond - 1),
    ]);
  });

  it("are an agent's too, and not the operator's", async () => {
    const { fingerprint } = await newAgent("counted");
    expect((await ask("/v1/agents", tlsOf(fingerprint))).headers.get("RateLimit-Remaining")).toBe("299");
    expect((await administer("GET", "/v1/agents")).headers.has("RateLimit-Limit")).toBe(false);
  });

  it("refuse nobody where nobody can count", async () => {
    const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
    vi.spyOn(Object.getPrototypeOf(env.ACCOUNTS), "getByName").mockImplementation(() => ({
      admit: () => Promise.reject(new Error("away")),
    }));
    expect((await administer("GET", "/v1/account", undefined, key)).status).toBe(200);
    expect(warned.mock.calls.join()).toContain("rate_limit_failed");
  });
});
