// GET and PATCH /v1/agents.
import { listDurableObjectIds } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { AgentPage } from "../../../schema/http-accounts.ts";
import { replaceCapabilities, touchConnected } from "../../../schema/registry.ts";
import { administer, ask, breakAgentObject, db, newAgent, tlsOf, upgradeHeaders } from "./fixtures.ts";
import { expectProblem } from "./problem.ts";

const account = "listing";
let fingerprint: string;
beforeAll(async () => {
  fingerprint = (await newAgent("a-online", account)).fingerprint;
  for (const name of ["b-never", "c-offline"]) await newAgent(name, account);
  await newAgent("a-stranger", "another-account");
  await replaceCapabilities(db, account, "b-never", [
    { name: "summarize", version: "1.2.0", input_schema: { type: "string" }, max_concurrency: 4 },
    { name: "analyze" },
  ]);
  await replaceCapabilities(db, "another-account", "a-stranger", [{ name: "analyze" }]);
});

async function list(query = "") {
  const response = await ask(`/v1/agents${query}`, tlsOf(fingerprint));
  expect(response.status).toBe(200);
  return AgentPage.parse(await response.json());
}

describe("GET /v1/agents", () => {
  it("lists the agents of the certificate's account only, with what they can do", async () => {
    const page = await list();
    expect(page.next).toBeUndefined();
    expect(page.agents.map(({ agent }) => agent)).toEqual(["a-online", "b-never", "c-offline"]);
    expect(page.agents[1]).toEqual({
      agent: "b-never",
      status: "active",
      tags: [],
      connected: false,
      created_at: expect.stringMatching(/^\d{4}-/),
      last_connected_at: null,
      capabilities: [
        { name: "analyze" },
        { name: "summarize", version: "1.2.0", input_schema: { type: "string" }, max_concurrency: 4 },
      ],
    });
  });

  it("finds by capability", async () => {
    expect((await list("?capability=analyze")).agents.map(({ agent }) => agent)).toEqual(["b-never"]);
    expect((await list("?capability=juggle")).agents).toEqual([]);
  });

  it("goes on from page to page", async () => {
    const first = await list("?limit=2");
    expect(first.agents.map(({ agent }) => agent)).toEqual(["a-online", "b-never"]);
    expect(first.next).toBe("b-never");
    const second = await list(`?limit=2&cursor=${first.next}`);
    expect(second.agents.map(({ agent }) => agent)).toEqual(["c-offline"]);
    expect(second.next).toBeUndefined();
  });

  it("asks the object for presence, and only of agents that ever connected", async () => {
    const upgraded = await ask("/v1/connect", tlsOf(fingerprint), { headers: upgradeHeaders });
    const { webSocket: socket } = upgraded;
    socket?.accept();
    socket?.send(JSON.stringify({ type: "REGISTER", id: crypto.randomUUID(), data: {} }));
    await vi.waitFor(async () => expect((await list()).agents[0]?.connected).toBe(true));
    const at = Date.UTC(2023, 10, 14, 22, 13, 20);
    await touchConnected(db, account, "a-online", at);
    await touchConnected(db, account, "c-offline", at);
    await breakAgentObject("c-offline", account);

    const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
    const page = await list();
    expect(page.agents.map(({ agent, connected }) => [agent, connected])).toEqual([
      ["a-online", true],
      ["b-never", false],
      ["c-offline", false],
    ]);
    expect(page.agents[0]?.last_connected_at).toBe("2023-11-14T22:13:20.000Z");
    const [line] = warned.mock.calls.map(([text]) => JSON.parse(String(text)));
    expect(line).toMatchObject({ event: "presence_failed", account, agent: "c-offline" });
    expect(warned).toHaveBeenCalledOnce();
    warned.mockRestore();
    // Asking would have made it.
    const made = (await listDurableObjectIds(env.AGENTS)).map(String);
    const idOf = (agent: string) => String(env.AGENTS.idFromName(`${account}/${agent}`));
    expect(made).toContain(idOf("a-online"));
    expect(made).not.toContain(idOf("b-never"));
    socket?.close(1000);
  });

  it.each(["limit=0", "limit=51", "limit=many", "limit=1.5", "cursor=", "cursor=../x", "capability=NO"])(
    "refuses ?%s and says where",
    async (query) => {
      const problem = await expectProblem(await ask(`/v1/agents?${query}`, tlsOf(fingerprint)), "invalid_request");
      expect(problem.issues?.map(({ path }) => path)).toEqual([query.split("=")[0]]);
    },
  );
});

describe("PATCH /v1/agents/{agent_id}", () => {
  const patch = (agent: string, body: unknown, query = "", token?: string) =>
    administer("PATCH", `/v1/agents/${agent}${query}`, body, token);

  it("suspends: the live socket is closed (4403) and the next one refused; and makes active again", async () => {
    const one = await newAgent("suspendable");
    const connect = () => ask("/v1/connect", tlsOf(one.fingerprint), { headers: upgradeHeaders });
    const socket = (await connect()).webSocket;
    const closed = new Promise<CloseEvent>((resolve) => socket?.addEventListener("close", resolve));
    socket?.accept();

    const suspended = await patch("suspendable", { status: "suspended" });
    expect(suspended.status).toBe(200);
    const expected = { account: "local", agent_id: "suspendable", status: "suspended", tags: [], closed: 1 };
    expect(await suspended.json()).toEqual(expected);
    expect((await closed).code).toBe(4403);
    await expectProblem(await connect(), "agent_suspended");

    const active = await patch("suspendable", { status: "active" });
    expect(await active.json()).toEqual({ ...expected, status: "active", closed: 0 });
    const again = await connect();
    expect(again.status).toBe(101);
    again.webSocket?.accept();
    again.webSocket?.close(1000);
  });

  it("changes the agent of the account that is named, and no other", async () => {
    const elsewhere = await newAgent("twin", "patched-account");
    const here = await newAgent("twin");
    expect((await patch("twin", { status: "suspended" }, "?account=patched-account")).status).toBe(200);
    await expectProblem(await ask("/v1/agents", tlsOf(elsewhere.fingerprint)), "agent_suspended");
    expect((await ask("/v1/agents", tlsOf(here.fingerprint))).status).toBe(200);
  });

  it("does not know an agent that is not there", async () => {
    await expectProblem(await patch("nobody", { status: "active" }), "agent_not_found");
    await expectProblem(await patch("twin", { status: "active" }, "?account=no-account"), "agent_not_found");
  });

  it("refuses what does not fit", async () => {
    for (const body of [
      { status: "gone" },
      { tags: ["NO"] },
      { tags: "x" },
      {},
      [],
      "text",
      { status: "active", more: 1 },
    ]) {
      await expectProblem(await patch("twin", body), "invalid_request");
    }
    await expectProblem(await patch("NOT%20A%20NAME", { status: "active" }), "invalid_request");
  });

  it("is the administrator's", async () => {
    for (const token of ["", "wrong", `${env.ADMIN_TOKEN}x`]) {
      await expectProblem(await patch("twin", { status: "active" }, "", token), "credentials_invalid");
    }
  });
});
