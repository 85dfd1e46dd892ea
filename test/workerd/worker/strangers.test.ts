// Whoever proves nobody, counted by address; and that nobody else is harmed by it. Time is the test's (`Date` only).
import { evictAllDurableObjects } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bounds } from "../../../schema/bounds.ts";
import { networkOf } from "../../../worker/strangers.ts";
import { administer, ask, freshFingerprint, newAgent, tlsOf, upgradeHeaders } from "./fixtures.ts";
import { expectProblem } from "./problem.ts";

let now: number;
let address: string;
let places = 0;
beforeEach(() => {
  now = Date.now();
  vi.useFakeTimers({ toFake: ["Date"], now });
  address = `192.0.2.${++places}`;
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const from = (place = address) => ({ "CF-Connecting-IP": place });
const guess = () => `aw_${"a".repeat(16)}_${crypto.randomUUID().replaceAll("-", "").padEnd(43, "A")}`;
const guessKey = (place = address) => administer("GET", "/v1/agents", undefined, guess(), from(place));
const guessToken = () =>
  administer("POST", "/v1/enrolments", { csr: "" }, `awe_${"a".repeat(16)}_${"A".repeat(43)}`, from());
const unregistered = () => ask("/v1/connect", tlsOf(freshFingerprint()), { headers: { ...upgradeHeaders, ...from() } });

/** Strangers take all that the address has. */
async function flood(place = address): Promise<void> {
  let last = await guessKey(place);
  while (Number(last.headers.get("RateLimit-Remaining")) > 0) last = await guessKey(place);
  expect(last.status).toBe(401);
}

/** How many queries an act gives to D1. */
async function queriesOf(act: () => Promise<unknown>): Promise<number> {
  const prepare = vi.spyOn(Object.getPrototypeOf(env.DB), "prepare");
  await act();
  const count = prepare.mock.calls.length;
  prepare.mockRestore();
  return count;
}

describe("strangers", () => {
  it("are told how many requests are left, whatever they guess at, and all of them are counted together", async () => {
    const answers = [
      await guessKey(),
      await guessToken(),
      await unregistered(),
      await ask("/v1/agents", tlsOf(freshFingerprint()), { headers: from() }),
      await ask("/v1/agents", undefined, { headers: from() }),
      await administer("GET", "/v1/agents", undefined, "not-the-operator", from()),
    ];
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 403, 403, 401, 401]);
    const left = answers.map(({ headers }) => Number(headers.get("RateLimit-Remaining")));
    expect(left).toEqual(answers.map((_, i) => bounds.strangersBurst - 1 - i));
    expect(answers[0]?.headers.get("RateLimit-Limit")).toBe(String(bounds.strangersBurst));
    for (const { body } of answers) await body?.cancel();
  });

  it("are refused 429 when there are too many, without a query, and let in again with time", async () => {
    await flood();
    const first = await guessKey();
    const { status, headers } = first;
    expect([status, headers.get("Retry-After"), headers.get("RateLimit-Remaining")]).toEqual([429, "1", "0"]);
    await expectProblem(first, "too_many_requests");
    for (const again of [guessKey, guessToken, unregistered]) {
      const queries = await queriesOf(async () => expectProblem(await again(), "too_many_requests"));
      expect(queries).toBe(0);
    }
    vi.setSystemTime(now + 2000);
    const later = await guessKey();
    expect([later.status, later.headers.get("RateLimit-Remaining")]).toEqual([
      401,
      String(2 * bounds.strangersPerSecond - 1),
    ]);
  });

  it("elsewhere, and whoever asks for what is open, are not concerned", async () => {
    await flood();
    await expectProblem(await guessKey(), "too_many_requests");
    expect((await guessKey(`198.51.100.${places}`)).status).toBe(401);
    expect((await ask("/health", undefined, { headers: from() })).status).toBe(200);
  });

  it("are refused where nobody can count, and nobody else is", async () => {
    const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
    const key = await newKey();
    expect((await look(key)).status).toBe(200);
    vi.spyOn(Object.getPrototypeOf(env.ADDRESSES), "getByName").mockImplementation(() => ({
      admit: () => Promise.reject(new Error("away")),
    }));
    await expectProblem(await guessKey(), "too_many_requests");
    expect(warned.mock.calls.join()).toContain("strangers_uncounted");
    vi.restoreAllMocks();
    expect((await look(key)).status).toBe(200);
  });
});

async function newKey(scopes = ["agents:read"]): Promise<string> {
  await newAgent("somebody");
  const answer = await administer("POST", "/v1/api-keys", { name: "one", scopes });
  return ((await answer.json()) as { key: string }).key;
}
const look = (key: string) => administer("GET", "/v1/agents", undefined, key, from());

describe("behind an address that had too many strangers", () => {
  it("a key, an agent and the operator that were seen before go on, each by its own limit", async () => {
    const key = await newKey();
    const { fingerprint } = await newAgent("neighbour");
    const tls = tlsOf(fingerprint);
    const connect = () => ask("/v1/connect", tls, { headers: { ...upgradeHeaders, ...from() } });
    const before = [await look(key), await connect()];
    expect(before.map(({ status }) => status)).toEqual([200, 101]);
    await flood();
    await expectProblem(await guessKey(), "too_many_requests");
    const [mine, connected] = [await look(key), await connect()];
    expect([mine.status, connected.status]).toEqual([200, 101]);
    expect(mine.headers.get("RateLimit-Limit")).toBe(String(bounds.requestsBurst));
    expect((await administer("GET", "/v1/agents", undefined, env.ADMIN_TOKEN, from())).status).toBe(200);
    for (const { webSocket } of [...before, connected]) {
      webSocket?.accept();
      webSocket?.close(1000);
    }
  });

  it("a key that was not seen waits a moment", async () => {
    const key = await newKey();
    await flood();
    await expectProblem(await guessKey(), "too_many_requests");
    await expectProblem(await look(key), "too_many_requests");
    vi.setSystemTime(now + bounds.refusedAddressMs);
    expect((await look(key)).status).toBe(200);
  });

  it("a credential that was good and is revoked is a stranger's from then on", async () => {
    const key = await newKey();
    expect((await look(key)).status).toBe(200);
    await administer("DELETE", `/v1/api-keys/${key.split("_")[1]}`);
    await flood();
    await expectProblem(await guessKey(), "too_many_requests");
    // Once it is looked up, for it was good; then it is not any more.
    await expectProblem(await look(key), "too_many_requests");
    expect(await queriesOf(async () => expectProblem(await look(key), "too_many_requests"))).toBe(0);
  });
});

it("a flood of strangers takes nothing from an account's callers", async () => {
  const key = await newKey();
  const left = Number((await look(key)).headers.get("RateLimit-Remaining"));
  await flood();
  expect(Number((await look(key)).headers.get("RateLimit-Remaining"))).toBe(left - 1);
});

it("an object that lost its memory counts anew, and the Worker still refuses for its moment", async () => {
  await flood();
  await expectProblem(await guessKey(), "too_many_requests");
  await evictAllDurableObjects();
  await expectProblem(await guessKey(), "too_many_requests");
  vi.setSystemTime(now + bounds.refusedAddressMs);
  expect((await guessKey()).status).toBe(401);
});

it.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:0:1:aaaa:bbbb:cccc:dddd", "2001:db8:0:1::/64"],
  ["2001:DB8::1:0:0:0:1", "2001:db8:0:1::/64"],
  ["2001:0db8::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["", ""],
])("%s counts as %s", (given, network) => expect(networkOf(given)).toBe(network));
