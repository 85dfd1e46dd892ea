// Every secret is compared by the platform's comparison in constant time, also where there is nothing to compare it with. (That
// nothing in the code compares one otherwise is in test/e2e/secrets.test.ts.)
import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";
import { provesEdge } from "../../../worker/identity/secrets.ts";
import { administer, newAgent } from "./fixtures.ts";

afterEach(() => vi.restoreAllMocks());

/** How often bytes were compared in constant time meanwhile, all of the same length. */
async function comparisons(act: () => Promise<unknown>): Promise<number> {
  const compare = vi.spyOn(crypto.subtle, "timingSafeEqual");
  await act();
  const lengths = compare.mock.calls.map(([a, b]) => [a.byteLength, b.byteLength]);
  compare.mockRestore();
  for (const pair of lengths) expect(pair).toEqual([32, 32]);
  return lengths.length;
}

const guess = "A".repeat(43);

it.each([
  ["an API key", "POST", "/v1/api-keys", { name: "one", scopes: ["agents:read"] }, "aw"],
  ["an enrolment token", "POST", "/v1/agents/compared/enrolment-tokens", {}, "awe"],
])("%s: right, wrong, and of an id that is not there, once each", async (_, method, path, body, kind) => {
  await newAgent("compared");
  const made = (await (await administer(method, path, body)).json()) as { key?: string; token?: string };
  const right = made.key ?? made.token ?? "";
  const wrong = `${right.slice(0, -43)}${guess}`;
  const nowhere = `${kind}_${"a".repeat(16)}_${guess}`;
  const statuses: number[] = [];
  for (const sent of [right, wrong, nowhere]) {
    const ask = async () => statuses.push((await administer("GET", "/v1/agents", undefined, sent)).status);
    expect(await comparisons(ask)).toBe(1);
  }
  expect(statuses.slice(1)).toEqual([401, 401]);
});

it("the operator's token, right and wrong, of whatever length", async () => {
  for (const sent of [env.ADMIN_TOKEN, `${env.ADMIN_TOKEN}x`, env.ADMIN_TOKEN.slice(1), "x"]) {
    expect(await comparisons(() => administer("GET", "/v1/agents", undefined, sent))).toBe(1);
  }
});

it("the edge's proof, right, wrong and missing", async () => {
  for (const proof of ["secret", "guess", "", null]) {
    expect(await comparisons(() => provesEdge("secret", proof))).toBe(1);
  }
});
