// Certificates by Cloudflare's client-certificate API, through the whole broker: what is asked of it and what comes of its answers.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
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
    const { certificates } = await operatorOf(broker).ask<{ certificates: object[] }>(
      "GET",
      "/v1/agents/planner/certificates",
    );
    expect(certificates).toEqual([expect.objectContaining({ issuer: "cloudflare", status: "active" })]);
  });

  test("is told of a revocation, and the agent is out whether or not it hears of it", async () => {
    const { agent, fingerprint } = await connected("leaver");
    const statuses = agent.status();
    const revoke = () => operatorOf(broker).ask("DELETE", `/v1/certificates/${fingerprint}`);
    cloudflare.mishap = "down";
    await revoke();
    expect((await statuses.next()).value).toMatchObject({ type: "disconnected", code: 4403 });
    const kept = () => [...cloudflare.kept.values()].at(-1)?.status;
    expect(kept()).toBe("active");
    cloudflare.mishap = undefined;
    // Revoking again tells it again.
    await revoke();
    expect(kept()).toBe("pending_revocation");
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
    await api.ask("POST", "/v1/agents", { agent_id: agentId });
    const { csr } = await makeKeyAndRequest(agentId);
    cloudflare.mishap = mishap;
    try {
      expect(await reasonOf(api.ask("POST", `/v1/agents/${agentId}/certificates`, { csr }))).toBe(reason);
    } finally {
      cloudflare.mishap = undefined;
    }
    expect(await api.ask("GET", `/v1/agents/${agentId}/certificates`)).toEqual({ certificates: [] });
  });

  test("nobody is told its token, nor what it says of the configuration", async () => {
    const api = operatorOf(broker);
    const { csr } = await makeKeyAndRequest("curious");
    await api.ask("POST", "/v1/agents", { agent_id: "curious" });
    cloudflare.mishap = "not allowed";
    const said = await api
      .ask("POST", "/v1/agents/curious/certificates", { csr })
      .catch((error: unknown) => String(error));
    cloudflare.mishap = undefined;
    expect(said).toContain("issuer_unavailable");
    expect(said).not.toMatch(new RegExp(`${cloudflare.token}|${cloudflare.zone}|Authentication error`));
  });
});
