// Accounts, and agents as the control plane has them: made, changed by revision, deleted; live sockets closed with what they lose.
import { beforeAll, describe, expect, it } from "vitest";
import { Account, Agent, AgentPage, CapabilityPage, DeletedAgent } from "../../../schema/http-accounts.ts";
import { AuditPage } from "../../../schema/http-api-keys.ts";
import { replaceCapabilities } from "../../../schema/registry.ts";
import { administer, ask, db, newAgent, tlsOf, upgradeHeaders } from "./fixtures.ts";
import { expectProblem } from "./problem.ts";

const make = (account: string, more = {}) => administer("POST", "/v1/accounts", { account, ...more });
const logOf = async (account: string) => {
  const { entries } = AuditPage.parse(await (await administer("GET", `/v1/audit-log?account=${account}`)).json());
  return entries.map(({ action, target }) => `${action} ${target}`);
};
const keyOf = async (account: string, scopes: string[]) => {
  const response = await administer("POST", `/v1/api-keys?account=${account}`, { name: "test", scopes });
  return (await response.json<{ key: string }>()).key;
};
const withMatch = (path: string, body: object, etag: string) =>
  administer("PATCH", path, body, undefined, { "If-Match": etag });

async function connected(tls: unknown) {
  const socket = (await ask("/v1/connect", tls, { headers: upgradeHeaders })).webSocket;
  if (socket === null) throw new Error("no socket");
  const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve));
  socket.accept();
  return { closed };
}

describe("accounts", () => {
  it("are made once, and looked at by their keys", async () => {
    const first = await make("acme", { name: "Acme Inc." });
    expect(first.status).toBe(201);
    const account = Account.strict().parse(await first.json());
    expect(account).toMatchObject({ account: "acme", name: "Acme Inc.", status: "active" });
    await expectProblem(await make("acme"), "account_exists");
    const shown = await administer("GET", "/v1/account", undefined, await keyOf("acme", ["account:read"]));
    expect(await shown.json()).toEqual(account);
    expect(await logOf("acme")).toEqual([expect.stringMatching(/^api_key\.create /), "account.create acme"]);
  });

  it("are changed in the revision that was seen, and in no other", async () => {
    await make("changing");
    const path = "/v1/account?account=changing";
    const seen = (await administer("GET", path)).headers.get("ETag") ?? "";
    const changed = await withMatch(path, { name: "One" }, seen);
    expect(await changed.json()).toMatchObject({ name: "One" });
    await expectProblem(await withMatch(path, { name: "Two" }, seen), "precondition_failed");
    await expectProblem(await withMatch(path, { name: "Two" }, "W/nonsense"), "precondition_failed");
    expect((await withMatch(path, { name: "Two" }, changed.headers.get("ETag") ?? "")).status).toBe(200);
    expect((await withMatch(path, { name: "Three" }, "*")).status).toBe(200);
    expect((await administer("PATCH", path, { name: "Four" })).status).toBe(200);
    await expectProblem(await withMatch("/v1/account?account=nowhere", { name: "x" }, seen), "account_not_found");
    for (const body of [{}, { name: "" }, { status: "gone" }, { account: "other" }]) {
      await expectProblem(await administer("PATCH", path, body), "invalid_request");
    }
  });

  it("are suspended by the operator alone: every live socket is closed, and nobody of it gets in", async () => {
    await make("closing");
    const agents = await Promise.all(["a", "b", "c"].map((name) => newAgent(name, "closing")));
    const sockets = await Promise.all(agents.map(({ fingerprint }) => connected(tlsOf(fingerprint))));
    const key = await keyOf("closing", ["account:read", "account:write"]);
    const denied = await administer("PATCH", "/v1/account", { status: "suspended" }, key);
    expect(await expectProblem(denied, "permission_denied")).toMatchObject({ permission: "accounts:write" });
    expect((await administer("PATCH", "/v1/account?account=closing", { status: "suspended" })).status).toBe(200);
    for (const { closed } of sockets) expect((await closed).code).toBe(4403);
    for (const { fingerprint } of agents) {
      await expectProblem(await ask("/v1/connect", tlsOf(fingerprint), { headers: upgradeHeaders }), "agent_suspended");
    }
    await expectProblem(await administer("GET", "/v1/account", undefined, key), "account_suspended");
    expect((await administer("PATCH", "/v1/account?account=closing", { status: "active" })).status).toBe(200);
    expect((await administer("GET", "/v1/account", undefined, key)).status).toBe(200);
    expect((await logOf("closing")).slice(0, 2)).toEqual(["account.activate closing", "account.suspend closing"]);
  });
});

describe("agents", () => {
  beforeAll(async () => {
    expect((await make("local")).status).toBe(201);
  });

  const create = (agent_id: string, more = {}) => administer("POST", "/v1/agents", { agent_id, ...more });

  it("are made with tags, once, in an account that is there", async () => {
    const response = await create("tagged", { tags: ["prod", "eu", "prod"] });
    expect(response.status).toBe(201);
    const agent = Agent.strict().parse(await response.json());
    expect(agent).toMatchObject({ agent: "tagged", status: "active", tags: ["eu", "prod"], connected: false });
    expect(await (await administer("GET", "/v1/agents/tagged")).json()).toEqual(agent);
    await expectProblem(await create("tagged"), "agent_exists");
    await expectProblem(await administer("POST", "/v1/agents?account=nowhere", { agent_id: "x" }), "account_not_found");
    for (const body of [{}, { agent_id: "NO" }, { agent_id: "x", tags: Array(21).fill("t") }, { agent_id: 1 }]) {
      await expectProblem(await administer("POST", "/v1/agents", body), "invalid_request");
    }
  });

  it("are changed in the revision that was seen; what changes nothing keeps it, and is not logged", async () => {
    await create("revised");
    const seen = (await administer("GET", "/v1/agents/revised")).headers.get("ETag") ?? "";
    const same = await withMatch("/v1/agents/revised", { status: "active", tags: [] }, seen);
    expect(same.headers.get("ETag")).toBe(seen);
    const tagged = await withMatch("/v1/agents/revised", { tags: ["one"] }, seen);
    expect(await tagged.json()).toMatchObject({ status: "active", tags: ["one"], closed: 0 });
    await expectProblem(await withMatch("/v1/agents/revised", { tags: ["two"] }, seen), "precondition_failed");
    await expectProblem(await withMatch("/v1/agents/nobody", { tags: ["two"] }, seen), "agent_not_found");
    const own = (await logOf("local")).filter((line) => line.endsWith(" revised"));
    expect(own).toEqual(["agent.tag revised", "agent.create revised"]);
  });

  it("are deleted: the socket is closed, the certificate revoked, the name free; nothing of the old one opens the new one", async () => {
    const { fingerprint } = await newAgent("mortal");
    await replaceCapabilities(db, "local", "mortal", [{ name: "dying" }]);
    const socket = await connected(tlsOf(fingerprint));
    const response = await administer("DELETE", "/v1/agents/mortal");
    expect(DeletedAgent.strict().parse(await response.json())).toEqual({
      account: "local",
      agent_id: "mortal",
      status: "deleted",
      closed: 1,
    });
    expect((await socket.closed).code).toBe(4403);
    for (const [method, path, body] of [
      ["GET", "/v1/agents/mortal"],
      ["DELETE", "/v1/agents/mortal"],
      ["POST", "/v1/agents/mortal/drain"],
      ["PATCH", "/v1/agents/mortal", { status: "active" }],
    ] as const) {
      await expectProblem(await administer(method, path, body), "agent_not_found");
    }
    const { agents } = AgentPage.parse(await (await administer("GET", "/v1/agents?limit=50")).json());
    expect(agents.map(({ agent }) => agent)).not.toContain("mortal");
    await expectProblem(await ask("/v1/agents", tlsOf(fingerprint)), "certificate_revoked");

    expect((await create("mortal")).status).toBe(201);
    await expectProblem(await ask("/v1/agents", tlsOf(fingerprint)), "certificate_revoked");
    await administer("DELETE", "/v1/agents/mortal");
    // Registering a certificate makes an agent that is not there, whether it ever was or not.
    const again = await newAgent("mortal");
    expect((await ask("/v1/agents", tlsOf(again.fingerprint))).status).toBe(200);
  });
});

it("lists the capabilities of the active agents, from page to page", async () => {
  await make("able");
  for (const name of ["a", "b", "c"]) await newAgent(name, "able");
  await replaceCapabilities(db, "able", "a", [{ name: "sum", version: "2.0" }, { name: "translate" }]);
  await replaceCapabilities(db, "able", "b", [{ name: "sum", version: "1.0" }]);
  await replaceCapabilities(db, "able", "c", [{ name: "sum", version: "3.0" }, { name: "alone" }]);
  await administer("PATCH", "/v1/agents/c?account=able", { status: "suspended" });
  const list = async (query = "") =>
    CapabilityPage.strict().parse(await (await administer("GET", `/v1/capabilities?account=able${query}`)).json());
  const all = [
    { name: "sum", agents: 2, versions: ["1.0", "2.0"] },
    { name: "translate", agents: 1, versions: [] },
  ];
  expect(await list()).toEqual({ capabilities: all });
  expect(await list("&limit=1")).toEqual({ capabilities: all.slice(0, 1), next: "sum" });
  expect(await list("&limit=1&cursor=sum")).toEqual({ capabilities: all.slice(1) });
});
