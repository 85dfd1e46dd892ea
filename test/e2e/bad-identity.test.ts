// Who is refused before the upgrade, over real TLS through the real edge and Worker: 403 problem+json with its reason, on both
// routes alike; and who is thrown out. (The same of plain requests is in edge-broker.test.ts.)

import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openAuthority } from "../../scripts/certificates/authority.ts";
import { Dialing, refusal, uuid } from "./dialing.ts";
import { ask, type Identity } from "./edge-fixtures.ts";

const dayMs = 24 * 60 * 60 * 1000;
let dialing: Dialing;
let broker: Dialing["broker"];

beforeAll(async () => {
  dialing = await Dialing.start();
  broker = dialing.broker;
});
afterAll(() => dialing.close());

const reasonOf = async (identity?: Identity, headers: Record<string, string> = {}, base = broker.agentsUrl) => {
  const reasons = new Set<unknown>();
  for (const path of ["/v1/connect", `/v1/sessions/${uuid()}`]) {
    const { status, type, problem } = await refusal(dialing.upgrade(`${base}${path}`, identity, headers));
    expect([status, type]).toEqual([403, "application/problem+json"]);
    expect(problem).toMatchObject({ status: 403, detail: expect.any(String), retryable: false });
    reasons.add(problem.reason);
  }
  expect(reasons.size).toBe(1);
  return [...reasons][0];
};
test("[C3] no certificate, another CA's, one out of its time, one that nobody registered", async () => {
  const now = Date.now();
  const stranger = await openAuthority(dialing.dir);
  expect(await reasonOf()).toBe("certificate_required");
  expect(await reasonOf(await stranger.issueAgent("planner"))).toBe("certificate_untrusted");
  const past = { notBefore: new Date(now - 2 * dayMs), notAfter: new Date(now - dayMs) };
  expect(await reasonOf(await broker.authority.issueAgent("planner", past))).toBe("certificate_expired");
  const future = { notBefore: new Date(now + dayMs), notAfter: new Date(now + 2 * dayMs) };
  expect(await reasonOf(await broker.authority.issueAgent("planner", future))).toBe("certificate_not_yet_valid");
  expect(await reasonOf(await broker.authority.issueAgent("planner"))).toBe("certificate_unknown");
});

test("[C3, C6] revoked, and live sockets closed 4403", async () => {
  const agent = await dialing.certified("revoked");
  const socket = await dialing.registered(agent);
  const revoked = await dialing.administer("DELETE", `/v1/certificates/${agent.fingerprint}`);
  expect(await revoked.json()).toMatchObject({ status: "revoked", closed: 1 });
  expect((await socket.closed()).code).toBe(4403);
  expect(await reasonOf(agent)).toBe("certificate_revoked");
});

test("[C3, C6] suspended, live sockets closed 4403, and let in again when active", async () => {
  const agent = await dialing.certified("suspended");
  const socket = await dialing.registered(agent);
  await dialing.administer("PATCH", "/v1/agents/suspended", { status: "suspended" });
  expect((await socket.closed()).code).toBe(4403);
  expect(await reasonOf(agent)).toBe("agent_suspended");
  await dialing.administer("PATCH", "/v1/agents/suspended", { status: "active" });
  (await dialing.registered(agent)).close();
});

test("[C1] the certificate is the identity: forged headers are ignored by the edge on both ports, refused at the inner one", async () => {
  const victim = await dialing.certified("victim");
  const time = (ms: number) =>
    new Date(ms).toUTCString().replace(/^\w+, (\d+) (\w+) (\d+) (\S+) GMT$/, "$2 $1 $4 $3 GMT");
  const tlsClientAuth = {
    certPresented: "1",
    certVerified: "SUCCESS",
    certRevoked: "0",
    certFingerprintSHA256: victim.fingerprint,
    certNotBefore: time(Date.now() - dayMs),
    certNotAfter: time(Date.now() + dayMs),
  };
  const identity = {
    account: "local",
    agent: "victim",
    fingerprint: victim.fingerprint,
    expiresAt: Date.now() + dayMs,
  };
  const forged = {
    "MF-CF-Blob": JSON.stringify({ tlsClientAuth }),
    "X-Agentworks-Identity": JSON.stringify(identity),
  };
  expect(await reasonOf(undefined, forged)).toBe("certificate_required");
  expect(await reasonOf(undefined, forged, broker.apiUrl.replace("http", "ws"))).toBe("certificate_required");
  const inner = String(broker.innerUrl()).replace("http", "ws");
  expect(await reasonOf(undefined, forged, inner)).toBe("edge_required");
  expect(await reasonOf(undefined, { ...forged, "X-Agentworks-Edge": "guess" }, inner)).toBe("edge_required");
  // The very same blob with the secret is what the edge says: so the refusals above are for the secret's sake.
  const proven = dialing.upgrade(`${inner}/v1/connect`, undefined, {
    ...forged,
    "X-Agentworks-Edge": broker.edgeSecret,
  });
  await once(proven, "open");
  proven.terminate();
});

test("[C2, C3] the wrong subprotocol, and a session that is not there", async () => {
  const agent = await dialing.certified("caller");
  const other = await refusal(dialing.upgrade(`${broker.agentsUrl}/v1/connect`, agent, {}, "agentworks.v9"));
  expect(other).toMatchObject({
    status: 426,
    problem: { reason: "subprotocol_required", supported: ["agentworks.v1"] },
  });
  const missing = await refusal(dialing.upgrade(`${broker.agentsUrl}/v1/sessions/${uuid()}`, agent));
  expect(missing).toMatchObject({ status: 404, problem: { reason: "session_unknown" } });
  const plain = await ask(broker.agentsUrl, "/v1/connect", { ca: broker.authority.certificate, identity: agent });
  expect([plain.status, JSON.parse(plain.body).reason]).toEqual([426, "subprotocol_required"]);
});
