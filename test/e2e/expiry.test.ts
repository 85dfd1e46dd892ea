// Certificates that end while their sockets say nothing, in real time: only the broker's own alarm can close those.
import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Certified, Dialing, uuid } from "./dialing.ts";

let dialing: Dialing;
beforeAll(async () => {
  dialing = await Dialing.start();
});
afterAll(() => dialing.close());

/** An agent whose certificate, registered, ends so soon. */
async function shortLived(name: string, lifeMs: number): Promise<Certified & { endsAt: number }> {
  const now = Date.now();
  const validity = { notBefore: new Date(now - 1000), notAfter: new Date(now + lifeMs) };
  const issued = await dialing.broker.authority.issueAgent(name, validity);
  const registered = await dialing.administer("POST", "/v1/certificates", {
    agent_id: name,
    certificate: issued.certificate,
  });
  expect(registered.status).toBe(201);
  const { validTo, fingerprint256 } = new X509Certificate(issued.certificate);
  const fingerprint = fingerprint256.replaceAll(":", "").toLowerCase();
  return { ...issued, name, fingerprint, endsAt: Date.parse(validTo) };
}

test("[C6] a connection and a direct socket that say nothing are closed 4401 when their certificate ends, not before", async () => {
  const peer = await dialing.certified("peer");
  const there = await dialing.registered(peer);
  const agent = await shortLived("brief", 4_000);
  const here = await dialing.registered(agent);
  const session_id = uuid();
  here.say({ type: "SESSION_INIT", id: uuid(), session_id, to: "peer" });
  await there.next("SESSION_INIT");
  there.say({ type: "SESSION_ACCEPT", id: uuid(), session_id });
  const { data } = await here.next("SESSION_ACCEPT");
  const direct = await dialing.dial(agent, `/v1/sessions/${session_id}`);
  direct.say({
    type: "SESSION_RESUME",
    id: uuid(),
    session_id,
    data: { epoch: data.epoch, received: 0, first: 1, next: 1 },
  });
  await direct.next("SESSION_RESUMED");
  for (const socket of [here, direct]) {
    expect((await socket.closed()).code).toBe(4401);
    const late = Date.now() - agent.endsAt;
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(5_000);
  }
  expect(there.end).toBeUndefined();
  there.say({ type: "MESSAGE", id: uuid(), session_id, seq: 1, data: { content: "for whoever comes back" } });
  expect(await there.next("MESSAGE_ACK")).toMatchObject({ ack: 1 });
  there.close();
});
