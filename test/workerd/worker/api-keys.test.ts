// API keys: made, shown once, used, refused; and what the audit log and the console have of it.
import { env, exports } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ApiKeyPage, AuditPage, CreatedApiKey } from "../../../schema/http-api-keys.ts";
import { type Scope, scopes } from "../../../schema/permissions.ts";
import { accounts, apiKeys, auditLog } from "../../../schema/tables.ts";
import { administer, ask, db, newAgent, origin, tlsOf } from "./fixtures.ts";
import { expectProblem } from "./problem.ts";

const created = async (body: object, query = "", token?: string) => {
  const response = await administer("POST", `/v1/api-keys${query}`, body, token);
  expect(response.status).toBe(201);
  return CreatedApiKey.strict().parse(await response.json());
};
const keyOf = (own: readonly Scope[], account = "local") =>
  created({ name: "test", scopes: own }, `?account=${account}`);
const get = (path: string, key: string) => administer("GET", path, undefined, key);
const hour = 3_600_000;

await newAgent("planner");
await newAgent("planner", "other");
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("POST /v1/api-keys", () => {
  it("shows the key once; the registry has its hash only", async () => {
    const { key, ...shown } = await created({ name: " CI ", scopes: ["agents:read", "agents:read"] });
    expect(key).toMatch(/^aw_[a-z2-7]{16}_[A-Za-z0-9_-]{43}$/);
    expect(shown).toMatchObject({ name: "CI", scopes: ["agents:read"], status: "active", created_by: "operator" });
    expect(key.startsWith(shown.prefix)).toBe(true);
    const rows = await env.DB.prepare("SELECT * FROM api_keys").all();
    expect(JSON.stringify(rows.results)).not.toContain(key.slice(shown.prefix.length));
    const page = ApiKeyPage.strict().parse(await (await administer("GET", "/v1/api-keys")).json());
    expect(page.api_keys).toEqual([shown]);
  });

  it("gives nothing that its maker does not have", async () => {
    const { key } = await keyOf(["keys:write", "agents:read"]);
    await created({ name: "less", scopes: ["agents:read"] }, "", key);
    const more = await administer("POST", "/v1/api-keys", { name: "more", scopes: ["agents:read", "audit:read"] }, key);
    expect(await expectProblem(more, "permission_denied")).toMatchObject({ permission: "audit:read" });
  });

  it.each([
    ["no name", { scopes: ["agents:read"] }],
    ["a blank name", { name: "  ", scopes: ["agents:read"] }],
    ["no scope", { name: "x", scopes: [] }],
    ["an unknown scope", { name: "x", scopes: ["everything"] }],
    ["the operator's permission", { name: "x", scopes: ["accounts:write"] }],
    ["an end that is past", { name: "x", scopes: ["agents:read"], expires_at: "2020-01-01T00:00:00Z" }],
    ["a member that it does not know", { name: "x", scopes: ["agents:read"], account: "other" }],
  ])("refuses %s", async (_, body) => {
    await expectProblem(await administer("POST", "/v1/api-keys", body), "invalid_request");
  });

  it("makes none in an account that is not there", async () => {
    const response = await administer("POST", "/v1/api-keys?account=nowhere", { name: "x", scopes: ["agents:read"] });
    await expectProblem(response, "account_not_found");
    expect(await db.select().from(auditLog).where(eq(auditLog.accountId, "nowhere"))).toEqual([]);
  });
});

describe("a key", () => {
  it("opens its account, and no other", async () => {
    const { key } = await keyOf(["agents:read"], "other");
    const listed = await get("/v1/agents", key);
    expect(await listed.json()).toMatchObject({ agents: [{ agent: "planner" }] });
    expect((await get("/v1/agents?account=other", key)).status).toBe(200);
    for (const account of ["local", "nowhere"]) {
      await expectProblem(await get(`/v1/agents?account=${account}`, key), "account_not_found");
    }
  });

  it("notes its use, at most once an hour", async () => {
    const { key, id } = await keyOf(["keys:read"]);
    const used = async () => (await db.select().from(apiKeys).where(eq(apiKeys.id, id)))[0]?.lastUsedAt;
    expect(await used()).toBeNull();
    const now = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now });
    await get("/v1/api-keys", key);
    vi.setSystemTime(now + hour - 1);
    await get("/v1/api-keys", key);
    expect(await used()).toBe(now);
    vi.setSystemTime(now + hour);
    await get("/v1/api-keys", key);
    expect(await used()).toBe(now + hour);
  });

  it("is refused when it has expired, was revoked, or its account is suspended: whoever holds it learns which", async () => {
    const now = Date.now();
    const ending = await created({
      name: "ending",
      scopes: ["keys:read"],
      expires_at: new Date(now + hour).toISOString(),
    });
    expect((await get("/v1/api-keys", ending.key)).status).toBe(200);
    vi.useFakeTimers({ toFake: ["Date"], now: now + hour });
    await expectProblem(await get("/v1/api-keys", ending.key), "api_key_expired");
    vi.useRealTimers();

    const revoked = await keyOf(["keys:read"]);
    for (const _ of [1, 2]) {
      const answer = await administer("DELETE", `/v1/api-keys/${revoked.id}`);
      expect(await answer.json()).toMatchObject({ id: revoked.id, status: "revoked" });
    }
    await expectProblem(await get("/v1/api-keys", revoked.key), "api_key_revoked");
    const guessed = `${revoked.prefix}${"A".repeat(43)}`;
    await expectProblem(await get("/v1/api-keys", guessed), "credentials_invalid");

    await newAgent("worker", "closed");
    const suspended = await keyOf(["agents:read"], "closed");
    await db.update(accounts).set({ status: "suspended" }).where(eq(accounts.id, "closed"));
    await expectProblem(await get("/v1/agents", suspended.key), "account_suspended");
  });

  it("is no key in any other form, and asks D1 nothing then", async () => {
    const { key, prefix } = await keyOf(["agents:read"]);
    const prepare = vi.spyOn(env.DB, "prepare");
    for (const wrong of [`${key}x`, key.slice(1), key.slice(0, -1), prefix, `${key} ${key}`, key.toUpperCase()]) {
      const response = await get("/v1/agents", wrong);
      await expectProblem(response, "credentials_invalid");
      expect(response.headers.get("WWW-Authenticate")).toMatch(/^Bearer/);
    }
    expect(prepare).not.toHaveBeenCalled();
  });

  it("costs one query more than its answer", async () => {
    const { key } = await keyOf(["audit:read"]);
    await get("/v1/audit-log", key);
    const prepare = vi.spyOn(env.DB, "prepare");
    await get("/v1/audit-log", key);
    expect(prepare).toHaveBeenCalledTimes(2);
  });

  it("that is wrong is not made good by a certificate", async () => {
    const { fingerprint } = await newAgent("certified");
    const headers = { Authorization: `Bearer aw_${"a".repeat(16)}_${"A".repeat(43)}` };
    await expectProblem(await ask("/v1/agents", tlsOf(fingerprint), { headers }), "credentials_invalid");
  });

  it("of another account is not found, and stays", async () => {
    const theirs = await keyOf(["agents:read"], "other");
    const mine = await keyOf(["keys:write"]);
    const foreign = await administer("DELETE", `/v1/api-keys/${theirs.id}`, undefined, mine.key);
    const unknown = await administer("DELETE", `/v1/api-keys/${"a".repeat(16)}`, undefined, mine.key);
    expect(await expectProblem(foreign, "api_key_not_found")).toEqual(
      await expectProblem(unknown, "api_key_not_found"),
    );
    expect((await get("/v1/agents", theirs.key)).status).toBe(200);
  });
});

it("lists keys from page to page, the newest first", async () => {
  await newAgent("any", "paged");
  const made: string[] = [];
  for (let n = 0; n < 5; n++) made.unshift((await keyOf(["agents:read"], "paged")).id);
  const seen: string[] = [];
  let query = "?account=paged&limit=2";
  for (let next: string | undefined = ""; next !== undefined; query = `?account=paged&limit=2&cursor=${next}`) {
    const page = ApiKeyPage.parse(await (await administer("GET", `/v1/api-keys${query}`)).json());
    seen.push(...page.api_keys.map(({ id }) => id));
    next = page.next;
  }
  expect([...seen].sort()).toEqual([...made].sort());
  expect(new Set(seen).size).toBe(5);
});

describe("the audit log", () => {
  it("says who, what, when and from where, once for each change, without any secret", async () => {
    await newAgent("watched", "audited");
    const { key, id } = await keyOf(scopes, "audited");
    const headers = {
      Authorization: `Bearer ${key}`,
      "Content-Type": "application/json",
      "User-Agent": "test/1.0",
      "CF-Connecting-IP": "192.0.2.7",
    };
    const change = (status: string) =>
      exports.default.fetch(
        new Request(`${origin}/v1/agents/watched`, { method: "PATCH", headers, body: JSON.stringify({ status }) }),
      );
    for (const status of ["suspended", "suspended", "active"]) expect((await change(status)).status).toBe(200);
    const { entries } = AuditPage.strict().parse(await (await get("/v1/audit-log", key)).json());
    expect(entries.map(({ actor, action, target }) => [actor, action, target])).toEqual([
      [`key:${id}`, "agent.activate", "watched"],
      [`key:${id}`, "agent.suspend", "watched"],
      ["operator", "api_key.create", id],
      ["operator", "certificate.register", expect.stringMatching(/^[0-9a-f]{64}$/)],
    ]);
    expect(entries[0]).toMatchObject({ address: "192.0.2.7", user_agent: "test/1.0" });
    expect(Math.abs(Date.parse(entries[0]?.at ?? "") - Date.now())).toBeLessThan(60_000);
    expect(JSON.stringify(entries)).not.toContain(key.slice(-43));
  });

  it("pages, the newest first", async () => {
    const { key } = await keyOf(["audit:read"], "audited");
    const all = AuditPage.parse(await (await get("/v1/audit-log", key)).json()).entries;
    const first = AuditPage.parse(await (await get("/v1/audit-log?limit=2", key)).json());
    const second = AuditPage.parse(await (await get(`/v1/audit-log?cursor=${first.next}`, key)).json());
    expect([...first.entries, ...second.entries]).toEqual(all);
    expect(second.next).toBeUndefined();
  });

  it("only grows: SQL itself refuses to change or to remove a row", async () => {
    await expect(env.DB.prepare("UPDATE audit_log SET actor = 'nobody'").run()).rejects.toThrow("append-only");
    await expect(env.DB.prepare("DELETE FROM audit_log").run()).rejects.toThrow("append-only");
  });
});

it("says no secret on the console, whatever is asked", async () => {
  const said: string[] = [];
  for (const level of ["log", "info", "warn", "error", "debug"] as const) {
    vi.spyOn(console, level).mockImplementation((...words) => void said.push(words.map(String).join(" ")));
  }
  const { key, id } = await keyOf(["agents:read"]);
  for (const path of ["/v1/agents", "/v1/api-keys", "/v1/nowhere"]) await get(path, key);
  // A failure of the platform is what is logged most of all.
  vi.spyOn(env.DB, "prepare").mockImplementation(() => {
    throw new Error("D1 is away");
  });
  expect((await get("/v1/agents", key)).status).toBe(500);
  expect(said.length).toBeGreaterThan(0);
  for (const secret of [key, key.slice(-43), env.ADMIN_TOKEN]) expect(said.join("\n")).not.toContain(secret);
  expect(id).toHaveLength(16);
});
