// The limit of strangers through the real edge: it goes by the address that the edge sees, whatever a client says of itself.
import { afterAll, beforeAll, expect, test } from "vitest";
import { bounds } from "../../schema/bounds.ts";
import { Dialing, refusal } from "./dialing.ts";

let dialing: Dialing;
beforeAll(async () => {
  dialing = await Dialing.start();
});
afterAll(() => dialing.close());

test("[C3] another address in every header is one address; who was known before goes on, on both ports", async () => {
  const agent = await dialing.certified("resident");
  (await dialing.registered(agent)).close();
  expect((await dialing.administer("GET", "/v1/agents")).status).toBe(200);
  const forged = (n: number) => {
    const address = `10.1.${n >> 8}.${n & 255}`;
    return { "CF-Connecting-IP": address, "X-Forwarded-For": address, "True-Client-IP": address, Forwarded: address };
  };
  const guess = async (n: number) => {
    const authorization = `Bearer aw_${"a".repeat(16)}_${String(n).padEnd(43, "A")}`;
    const answer = await fetch(`${dialing.broker.apiUrl}/v1/agents`, { headers: { ...forged(n), authorization } });
    await answer.body?.cancel();
    return answer.status;
  };
  const statuses: number[] = [];
  // Some come back while they are counted; twice as many cannot.
  while (!statuses.includes(429) && statuses.length < 2 * bounds.strangersBurst) {
    const first = statuses.length;
    statuses.push(...(await Promise.all(Array.from({ length: 20 }, (_, i) => guess(first + i)))));
  }
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
  expect(statuses.filter((status) => status === 401).length).toBeGreaterThanOrEqual(bounds.strangersBurst);

  // The agents' port is another door to the same house.
  const stranger = await dialing.broker.authority.issueAgent("stranger");
  const upgrade = () => refusal(dialing.upgrade(`${dialing.broker.agentsUrl}/v1/connect`, stranger, forged(1)));
  let refused = await upgrade();
  while (refused.status === 403) refused = await upgrade();
  expect(refused).toMatchObject({ status: 429, problem: { reason: "too_many_requests", retryable: true } });
  expect((await dialing.administer("GET", "/v1/agents")).status).toBe(200);
  (await dialing.registered(agent)).close();
});
