// The queries over D1, on the real thing and its real migrations.
import { env } from "cloudflare:workers";
import { and, eq } from "drizzle-orm";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { limits } from "../../../protocol/wire/limits.ts";
import { bounds } from "../../../schema/bounds.ts";
import {
  agentExists,
  findIdentity,
  listAgents,
  registerCertificate,
  replaceCapabilities,
  revokeCertificate,
  saveSession,
  setAgentStatus,
  touchConnected,
} from "../../../schema/registry.ts";
import { accounts, agents, capabilities, sessions } from "../../../schema/tables.ts";
import { author, db, freshFingerprint, newAgent } from "./fixtures.ts";

const account = "local";
afterEach(() => vi.restoreAllMocks());

describe("identities", () => {
  it("finds whose a certificate is, with the standing of all three, in one query", async () => {
    const { fingerprint } = await newAgent("known");
    const prepare = vi.spyOn(env.DB, "prepare");
    const standing = { certificateStatus: "active", agentStatus: "active", accountStatus: "active" };
    expect(await findIdentity(db, fingerprint)).toEqual({ account, agent: "known", ...standing });
    expect(prepare).toHaveBeenCalledTimes(1);
    await setAgentStatus(db, account, "known", "suspended", author());
    await revokeCertificate(db, account, fingerprint, author(1));
    const fallen = { ...standing, certificateStatus: "revoked", agentStatus: "suspended" };
    expect(await findIdentity(db, fingerprint)).toEqual({ account, agent: "known", ...fallen });
    expect(await findIdentity(db, freshFingerprint())).toBeUndefined();
  });

  it("tells agents that exist, whatever their standing, from those that do not", async () => {
    expect(await agentExists(db, account, "known")).toBe(true);
    expect(await agentExists(db, account, "unknown")).toBe(false);
    expect(await agentExists(db, "other", "known")).toBe(false);
    expect(await setAgentStatus(db, "other", "known", "active", author())).toBe(false);
  });

  it("notes a connection, unless the agent or its certificate may not connect any more", async () => {
    const { fingerprint } = await newAgent("touched");
    const at = async () => (await db.select().from(agents).where(eq(agents.id, "touched")))[0]?.lastConnectedAt;
    expect(await touchConnected(db, account, "touched", 10)).toBe(true);
    expect(await touchConnected(db, account, "touched", 20, fingerprint)).toBe(true);
    expect(await at()).toBe(20);
    const { fingerprint: other } = await newAgent("touched-other");
    expect(await touchConnected(db, account, "touched", 30, other)).toBe(false);
    await revokeCertificate(db, account, fingerprint, author(1));
    expect(await touchConnected(db, account, "touched", 30, fingerprint)).toBe(false);
    await setAgentStatus(db, account, "touched", "suspended", author());
    expect(await touchConnected(db, account, "touched", 30)).toBe(false);
    expect(await touchConnected(db, account, "unknown", 30)).toBe(false);
    expect(await at()).toBe(20);
  });
});

describe("certificates", () => {
  const record = { agent: "holder", serial: "01", subject: "CN=holder", notBefore: 1, notAfter: 2 };

  it("registers once, says `unchanged` then, `taken` to others, and never revives", async () => {
    const own = { ...record, account, fingerprint: freshFingerprint(), createAccount: true };
    expect(await registerCertificate(db, own, author(3))).toBe("registered");
    expect(await registerCertificate(db, own, author(3))).toBe("unchanged");
    expect(await registerCertificate(db, { ...own, agent: "other" }, author())).toBe("taken");
    expect(await registerCertificate(db, { ...own, account: "elsewhere" }, author())).toBe("taken");
    expect(await agentExists(db, account, "other")).toBe(false);
    expect(await revokeCertificate(db, "elsewhere", own.fingerprint, author(5))).toBeUndefined();
    expect(await revokeCertificate(db, account, own.fingerprint, author(5))).toMatchObject({ agent: "holder" });
    expect(await registerCertificate(db, own, author(3))).toBe("revoked");
    expect(await revokeCertificate(db, account, freshFingerprint(), author(5))).toBeUndefined();
  });

  it("makes an account only when told to, and leaves a suspended agent suspended", async () => {
    const first = { ...record, account: "made", fingerprint: freshFingerprint() };
    expect(await registerCertificate(db, first, author())).toBe("account_unknown");
    expect(await db.select().from(accounts).where(eq(accounts.id, "made"))).toEqual([]);
    expect(await registerCertificate(db, { ...first, createAccount: true }, author())).toBe("registered");
    await setAgentStatus(db, "made", "holder", "suspended", author());
    expect(await registerCertificate(db, { ...first, fingerprint: freshFingerprint() }, author())).toBe("registered");
    expect(await findIdentity(db, first.fingerprint)).toMatchObject({ agentStatus: "suspended" });
  });

  it("gives a certificate to one of two who register it at the same time", async () => {
    const fingerprint = freshFingerprint();
    const contenders = ["left", "right"].map((agent) => ({ ...record, account, agent, fingerprint }));
    const outcomes = await Promise.all(contenders.map((contender) => registerCertificate(db, contender, author())));
    expect(outcomes.sort()).toEqual(["registered", "taken"]);
  });
});

describe("capabilities", () => {
  const full = {
    name: "analyze",
    version: "1.0",
    description: "it's “quoted”; -- and ' more",
    input_schema: { type: "object", properties: { n: { type: "number", maximum: 1e21 }, "a.b": {} } },
    output_schema: {},
    max_concurrency: 3,
  };
  const own = (name: string) => and(eq(capabilities.accountId, account), eq(capabilities.agentId, name));
  const of = async (agent: string) => (await listAgents(db, account, { limit: 1, cursor: before(agent) })).agents[0];
  const before = (name: string) => `${name.slice(0, -1)}${String.fromCharCode(name.charCodeAt(name.length - 1) - 1)}`;

  beforeAll(async () => {
    await newAgent("able");
    await newAgent("able2");
  });

  it("come back as they were announced", async () => {
    await replaceCapabilities(db, account, "able", [{ name: "summarize" }, full]);
    expect(await of("able")).toMatchObject({ agent: "able", capabilities: [full, { name: "summarize" }] });
    expect((await of("able"))?.capabilities[1]).toEqual({ name: "summarize" });
  });

  it("are replaced as a whole, for this agent alone", async () => {
    await replaceCapabilities(db, account, "able2", [full]);
    await replaceCapabilities(db, account, "able", [{ name: "analyze", version: "2.0" }, { name: "translate" }]);
    expect((await of("able"))?.capabilities).toEqual([{ name: "analyze", version: "2.0" }, { name: "translate" }]);
    await replaceCapabilities(db, account, "able", []);
    expect(await db.select().from(capabilities).where(own("able"))).toEqual([]);
    expect(await db.select().from(capabilities).where(own("able2"))).toHaveLength(1);
  });

  it("take as many as the protocol lets an agent announce, and the last of equal names", async () => {
    const many = Array.from({ length: limits.capabilitiesMax }, (_, i) => ({ ...full, name: `c${i}` }));
    await replaceCapabilities(db, account, "able", [...many, { name: "c0", version: "last" }]);
    expect(await db.select().from(capabilities).where(own("able"))).toHaveLength(limits.capabilitiesMax);
    expect((await of("able"))?.capabilities[0]).toEqual({ name: "c0", version: "last" });
  });

  it("write no row when nothing changed: an agent announces the same at every connect", async () => {
    const written = async (list: (typeof full)[]) => {
      const batch = vi.spyOn(env.DB, "batch");
      await replaceCapabilities(db, account, "able2", list);
      const results = (await batch.mock.results[0]?.value) as D1Result[];
      batch.mockRestore();
      return results.reduce((sum, { meta }) => sum + meta.rows_written, 0);
    };
    expect(await written([{ ...full, version: "new" }])).toBeGreaterThan(0);
    expect(await written([{ ...full, version: "new" }])).toBe(0);
  });

  it("are all or nothing", async () => {
    await expect(replaceCapabilities(db, account, "nobody", [full])).rejects.toThrow();
    const broken = [{ name: "kept-out" }, JSON.parse('{"name":null}')];
    await replaceCapabilities(db, account, "able2", [full]);
    await expect(replaceCapabilities(db, account, "able2", broken)).rejects.toThrow();
    expect((await of("able2"))?.capabilities).toEqual([full]);
  });
});

describe("lists of agents", () => {
  it("hold at most a page, in two queries, however many agents and capabilities there are", async () => {
    const names = Array.from({ length: bounds.agentsPageMax + 3 }, (_, i) => `n${String(i).padStart(3, "0")}`);
    for (const name of names) await newAgent(name, "crowd");
    for (const name of names) await replaceCapabilities(db, "crowd", name, [{ name: "x", input_schema: { a: 1 } }]);
    const prepare = vi.spyOn(env.DB, "prepare");
    const page = await listAgents(db, "crowd", { capability: "x", limit: 1000 });
    expect(prepare).toHaveBeenCalledTimes(2);
    expect(page.agents.map(({ agent }) => agent)).toEqual(names.slice(0, bounds.agentsPageMax));
    const rest = await listAgents(db, "crowd", { capability: "x", limit: 50, cursor: page.next, schemas: false });
    expect(rest.agents.map(({ agent }) => agent)).toEqual(names.slice(bounds.agentsPageMax));
    expect(rest.agents[0]?.capabilities).toEqual([{ name: "x" }]);
    expect(rest).not.toHaveProperty("next");
    expect(await listAgents(db, "nowhere", { limit: 0 })).toEqual({ agents: [] });
  });
});

describe("the index of sessions", () => {
  const record = { account, id: "s-1", initiator: "a", responder: "b", createdAt: 50 };
  const row = async () => (await db.select().from(sessions).where(eq(sessions.id, "s-1")))[0];

  it("keeps the newest state, whatever the order of the writes", async () => {
    await saveSession(db, { ...record, state: "pending", at: 100 });
    await saveSession(db, { ...record, state: "closed", reason: "done", at: 300 });
    await saveSession(db, { ...record, state: "active", at: 200 });
    expect(await row()).toMatchObject({ state: "closed", reason: "done", createdAt: 50, updatedAt: 300 });
    await saveSession(db, { ...record, state: "expired", at: 300 });
    expect(await row()).toMatchObject({ state: "expired", reason: null, createdAt: 50, updatedAt: 300 });
  });

  it("separates accounts", async () => {
    await saveSession(db, { ...record, account: "other", state: "active", at: 900 });
    const all = await db.select().from(sessions).where(eq(sessions.id, "s-1"));
    expect(all.map(({ accountId, state }) => [accountId, state]).sort()).toEqual([
      ["local", "expired"],
      ["other", "active"],
    ]);
  });
});
