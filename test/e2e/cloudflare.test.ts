// Certificates by Cloudflare's client-certificate API, through the whole broker: what is asked of it and what comes of its answers.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Broker, startBroker } from "../../scripts/broker/broker.ts";
import { certifyAgent, operatorOf } from "../../scripts/certificates/certify.ts";
import { makeKeyAndRequest } from "../../sdk/typescript/src/certificates/signing-request.ts";
import { type Agent, AgentworksError, connect } from "../../sdk/typescript/src/index.ts";
import { FakeCloudflare, hasContracts, type Mishap } from "./cloudflare.ts";
import { temporaryFolder } from "./edge-fixtures.ts";

if (!hasContracts) console.log("../shared/contracts is not there: Cloudflare's client-certificate API is not tried.");

describe.skipIf(!hasContracts)("Cloudflare's CA", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let cloudflare: FakeCloudflare;
  let broker: Broker;
  const agents: Agent[] = [];

  beforeAll(async () => {
    folder = await temporaryFolder();
    cloudflare = await FakeCloudflare.start(folder.dir);
    const clientCaFile = join(folder.dir, "cloudflare.pem");
    await writeFile(clientCaFile, cloudflare.ca);
    const { url: CLOUDFLARE_API_URL, zone: CLOUDFLARE_ZONE_ID, token: CLOUDFLARE_API_TOKEN } = cloudflare;
    const bindings = { CLOUDFLARE_API_URL, CLOUDFLARE_ZONE_ID, CLOUDFLARE_API_TOKEN };
    broker = await startBroker({ stateDir: join(folder.dir, "state"), clientCaFile, bindings });
  });
  beforeEach(() => () => {
    // Whatever a test did, it did it by the contracts.
    expect(cloudflare.broken).toEqual([]);
  });
  afterAll(async () => {
    await Promise.all(agents.map((agent) => agent.close()));
    await broker.close();
    await cloudflare[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const reasonOf = (made: Promise<unknown>): Promise<string> =>
    made.then(
      () => "made",
      (error: unknown) => (error instanceof AgentworksError ? error.reason : String(error)),
    );
  async function connected(agentId: string): Promise<{ agent: Agent; fingerprint: string }> {
    const one = await certifyAgent({ stateDir: broker.stateDir, agentId });
    const { agentsUrl: url, caFile, certificateFile: certFile, keyFile, fingerprint } = one;
    const agent = await connect({ url, caFile, certFile, keyFile });
    agents.push(agent);
    return { agent, fingerprint };
  }

  test("issues a certificate by which an agent is who the registry says, whatever names are in it", async () => {
    const { agent } = await connected("planner");
    expect([agent.id, agent.account]).toEqual(["planner", "local"]);
    expect(cloudflare.asked.at(-1)).toEqual({
      method: "POST",
      path: `/client/v4/zones/${cloudflare.zone}/client_certificates`,
      status: 200,
    });
    const { certificates } = await operatorOf(broker).request("GET /v1/agents/{agent_id}/certificates", {
      path: { agent_id: "planner" },
    });
    expect(certificates).toEqual([expect.objectContaining({ issuer: "cloudflare", status: "active" })]);
  });

  const api = () => operatorOf(broker);
  /** What became of the newest certificates in Cloudflare's book, the newest last. */
  const kept = (count: number) => [...cloudflare.kept.values()].slice(-count).map(({ status }) => status);
  const isKept = (...statuses: string[]) =>
    vi.waitFor(() => expect(kept(statuses.length)).toEqual(statuses), { timeout: 10_000 });
  /** What it has still to be told, as the registry has it. */
  const pending = async (): Promise<{ attempts: number }[]> => {
    const database = await broker.miniflare.getD1Database("DB");
    return (await database.prepare("SELECT attempts FROM issuer_revocations").all<{ attempts: number }>()).results;
  };
  const isPending = (attempts: number) =>
    vi.waitFor(async () => expect(await pending()).toEqual([{ attempts }]), { timeout: 10_000 });
  const nothingPending = () => vi.waitFor(async () => expect(await pending()).toEqual([]), { timeout: 10_000 });
  /** The clock of wrangler.toml's `crons`. */
  const clock = async () => (await broker.miniflare.getWorker()).scheduled({ cron: "*/10 * * * *" });
  const listed = async (agentId: string) =>
    (await api().request("GET /v1/agents/{agent_id}/certificates", { path: { agent_id: agentId } })).certificates.map(
      ({ status, issuer_pending }) => [status, issuer_pending],
    );
  /** While Cloudflare fails like this. */
  async function during(mishap: Mishap, act: () => Promise<unknown>): Promise<void> {
    cloudflare.mishap = mishap;
    try {
      await act();
    } finally {
      cloudflare.mishap = undefined;
    }
  }

  test("is told of a revocation, and of all certificates of an agent that is deleted", async () => {
    const { fingerprint } = await connected("leaver");
    await api().request("DELETE /v1/certificates/{fingerprint}", { path: { fingerprint } });
    await isKept("pending_revocation");
    await connected("deleted");
    await connected("deleted");
    await api().request("DELETE /v1/agents/{agent_id}", { path: { agent_id: "deleted" } });
    await isKept("pending_revocation", "pending_revocation");
    await nothingPending();
    expect(await listed("leaver")).toEqual([["revoked", false]]);
  });

  test("when it is away, the agent is out at once all the same, and by the clock it is told until it knows", async () => {
    const { agent, fingerprint } = await connected("unheard");
    const statuses = agent.status();
    await during("down", async () => {
      await api().request("DELETE /v1/certificates/{fingerprint}", { path: { fingerprint } });
      expect((await statuses.next()).value).toMatchObject({ type: "disconnected", code: 4403 });
      await isPending(1);
      expect(kept(1)).toEqual(["active"]);
      expect(await listed("unheard")).toEqual([["revoked", true]]);
      await clock();
      await isPending(2);
    });
    await clock();
    await isKept("pending_revocation");
    await nothingPending();
    expect(await listed("unheard")).toEqual([["revoked", false]]);
    const asked = cloudflare.asked.length;
    await clock();
    // Nothing is left to be told: it is not asked.
    expect(cloudflare.asked).toHaveLength(asked);
  });

  test("when it is away while an agent is deleted, it is told with the next revocation of anybody", async () => {
    const { agent } = await connected("gone");
    const statuses = agent.status();
    await during("not allowed", async () => {
      await api().request("DELETE /v1/agents/{agent_id}", { path: { agent_id: "gone" } });
      expect((await statuses.next()).value).toMatchObject({ type: "disconnected", code: 4403 });
      await isPending(1);
    });
    const other = await connected("other");
    await api().request("DELETE /v1/certificates/{fingerprint}", { path: { fingerprint: other.fingerprint } });
    await isKept("pending_revocation", "pending_revocation");
    await nothingPending();
  });

  test("what it did and nobody heard of, and what others revoked there, is looked at and not asked for for ever", async () => {
    const { fingerprint } = await connected("lost");
    await during("lost", async () => {
      await api().request("DELETE /v1/certificates/{fingerprint}", { path: { fingerprint } });
      await isPending(1);
    });
    expect(kept(1)).toEqual(["pending_revocation"]);
    await clock();
    await nothingPending();
    expect(cloudflare.asked.slice(-2).map(({ method, status }) => [method, status])).toEqual([
      ["DELETE", 400],
      ["GET", 200],
    ]);
  });

  test("a certificate that is no use is not left there, and one that expired meanwhile is forgotten", async () => {
    const { csr } = await makeKeyAndRequest("abandoned");
    await api().request("POST /v1/agents", { body: { agent_id: "abandoned" } });
    await during("other key", async () => {
      const asked = api().request("POST /v1/agents/{agent_id}/certificates", {
        path: { agent_id: "abandoned" },
        body: { csr },
      });
      expect(await reasonOf(asked)).toBe("issuer_unavailable");
      await isKept("pending_revocation");
    });
    await nothingPending();
    const { fingerprint } = await connected("overdue");
    await during("down", async () => {
      await api().request("DELETE /v1/certificates/{fingerprint}", { path: { fingerprint } });
      await isPending(1);
      const database = await broker.miniflare.getD1Database("DB");
      await database.prepare("UPDATE issuer_revocations SET not_after = 1").run();
      const asked = cloudflare.asked.length;
      await clock();
      await nothingPending();
      expect(cloudflare.asked).toHaveLength(asked);
    });
  });

  test.each<[Mishap, string]>([
    ["refused", "signing_request_refused"],
    ["down", "issuer_unavailable"],
    ["nonsense", "issuer_unavailable"],
    ["not allowed", "issuer_unavailable"],
    ["other key", "issuer_unavailable"],
  ])("when its answer is: %s, nothing is registered, and the reason is %s", async (mishap, reason) => {
    const agentId = mishap.replace(" ", "-");
    const api = operatorOf(broker);
    await api.request("POST /v1/agents", { body: { agent_id: agentId } });
    const { csr } = await makeKeyAndRequest(agentId);
    cloudflare.mishap = mishap;
    const asked = () => cloudflare.asked.filter(({ method }) => method === "POST").length;
    const before = asked();
    const path = { agent_id: agentId };
    try {
      const issuing = api.request("POST /v1/agents/{agent_id}/certificates", { path, body: { csr } });
      expect(await reasonOf(issuing)).toBe(reason);
    } finally {
      cloudflare.mishap = undefined;
    }
    // `Retry-After` is longer than a client waits: the CA signs one certificate in vain at most.
    expect(asked()).toBe(before + 1);
    expect(await api.request("GET /v1/agents/{agent_id}/certificates", { path })).toEqual({ certificates: [] });
  });

  test("nobody is told its token, nor what it says of the configuration", async () => {
    const api = operatorOf(broker);
    const { csr } = await makeKeyAndRequest("curious");
    await api.request("POST /v1/agents", { body: { agent_id: "curious" } });
    cloudflare.mishap = "not allowed";
    const said = await api
      .request("POST /v1/agents/{agent_id}/certificates", { path: { agent_id: "curious" }, body: { csr } })
      .catch((error: unknown) => String(error));
    cloudflare.mishap = undefined;
    expect(said).toContain("issuer_unavailable");
    expect(said).not.toMatch(new RegExp(`${cloudflare.token}|${cloudflare.zone}|Authentication error`));
  });
});
