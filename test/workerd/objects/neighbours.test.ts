// What one connection does to others: too many frames, a drain, and that another account's agents notice nothing of it.
import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";
import { limits } from "../../../protocol/wire/limits.ts";
import { administer } from "../worker/fixtures.ts";
import { Agent, everyWay, multiplexed, plain, plainDirect, uuid } from "./agents.ts";
import { Duo } from "./duo.ts";

afterEach(() => {
  vi.useRealTimers();
});

it.each([plain, plainDirect])(
  "[C7, L23] too many frames are taken with a warning; who goes on is closed 4529 ($name)",
  async (way) => {
    const start = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    const duo = await Duo.open(way);
    const { a, b } = duo;
    const flood = (frames: number) => {
      for (let i = 0; i < frames; i++) a.socket.sayRaw('{"type": "HEARTBEAT"}');
    };
    flood(limits.framesBurst + 1);
    const { data } = await a.socket.next("ERROR");
    expect(data).toMatchObject({ reason: "rate_limited", processed: "yes", scope: "connection" });
    a.socket.say(duo.message(1));
    expect((await a.socket.next("MESSAGE_ACK")).ack).toBe(1);
    expect(a.socket.all("ERROR")).toHaveLength(1);
    for (let warnings = 2; warnings <= limits.rateWarningsMax; warnings++) {
      vi.setSystemTime(start + (warnings - 1) * limits.rateWarningEveryMs);
      flood(limits.framesPerSecond + 1);
      await a.socket.next("ERROR");
    }
    expect(a.socket.end).toBeUndefined();
    vi.setSystemTime(start + limits.rateWarningsMax * limits.rateWarningEveryMs);
    flood(limits.framesPerSecond + 1);
    expect((await a.socket.closed()).code).toBe(4529);
    // What was acknowledged is the peer's.
    expect(await b.socket.contents()).toEqual([1]);
    await duo.comeBack(a, 0, 2);
    await b.say(duo.ack(1));
    await duo.expectAlive(2, 1);
  },
);

it("[C10, L29] too many questions to the registry are refused, sessions go on, and later they are answered", async () => {
  const start = Date.now();
  vi.useFakeTimers({ toFake: ["Date"], now: start });
  const duo = await Duo.open(plain);
  const { a, b } = duo;
  const query = () => ({ type: "AGENT_QUERY", id: uuid(), data: { limit: 1 } });
  const asked = Array.from({ length: limits.lookupsBurst + 10 }, query);
  for (let i = 0; i < asked.length; i += 100) await a.tell(...asked.slice(i, i + 100));
  const last = asked.at(-1);
  expect((await a.errorAbout(last?.id)).reason).toBe("too_many_lookups");
  const init = { type: "SESSION_INIT", id: uuid(), session_id: uuid(), to: b.name, data: {} };
  const announce = { type: "CAPABILITY_ANNOUNCE", id: uuid(), data: { capabilities: [] } };
  await a.tell(init, announce, duo.message(1));
  for (const { id } of [init, announce]) expect((await a.errorAbout(id)).reason).toBe("too_many_lookups");
  expect(await b.socket.contents()).toEqual([1]);
  vi.setSystemTime(start + 1_000);
  const again = query();
  await a.tell(again);
  await a.connection.next("AGENT_LIST", ({ in_reply_to }) => in_reply_to === again.id);
});

everyWay(
  "[C8] draining: GOAWAY, then 4503, on every path; the agent comes back and goes on where it was",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    await a.say(duo.message(1));
    expect(await b.socket.contents()).toEqual([1]);
    await b.forget();
    const answer = await administer("POST", `/v1/agents/${b.name}/drain`);
    expect([answer.status, await answer.json()]).toEqual([200, { account: "local", agent_id: b.name, closed: 1 }]);
    expect((await b.connection.next("GOAWAY")).data.reason).toBe("draining");
    for (const socket of [b.connection, b.socket]) expect((await socket.closed()).code).toBe(4503);
    await a.say(duo.message(2));
    await duo.comeBack(b, 1, 1);
    expect(await b.socket.contents()).toEqual([2]);
    await b.say(duo.ack(2));
    await duo.expectAlive(3, 1);
  },
);

it("draining is the administrator's, for agents that there are", async () => {
  const agent = await Agent.registered(plain, "planner");
  expect((await administer("POST", `/v1/agents/${agent.name}/drain`, undefined, "wrong")).status).toBe(401);
  expect((await administer("POST", `/v1/agents/nobody-${uuid()}/drain`)).status).toBe(404);
  expect((await administer("POST", `/v1/agents/${agent.name}/drain?account=other`)).status).toBe(404);
  await agent.beat();
});

everyWay(
  "[C9] whatever an agent does, another account's agents do not notice, not even those of the same names",
  async (way) => {
    const capability = `sum-${uuid()}`;
    const bystanders = await Duo.met(way, { b: [{ name: capability, max_concurrency: 1 }] });
    await bystanders.begin();
    await bystanders.indexed("active");
    const { a: victim, b: doer } = bystanders;
    // The same names, another account.
    const twins = await Promise.all([victim, doer].map(({ name }) => Agent.named(way, name, "other")));
    const [twin, twinDoer] = twins as [Agent, Agent];
    expect((await twin.register()).data).toMatchObject({ account: "other", agent: victim.name, sessions: [] });
    // It opens, seeks, asks, takes the other's session for its own, floods, and is drained and suspended.
    const id = uuid();
    await twin.tell(
      { type: "AGENT_QUERY", id, data: { capability } },
      { type: "SESSION_INIT", id: uuid(), session_id: uuid(), data: { capability } },
      { type: "SESSION_INIT", id: uuid(), session_id: bystanders.session_id, to: doer.name, data: {} },
      bystanders.message(1, "of the twin"),
      bystanders.close(2),
      { type: "PAUSE" },
    );
    expect((await twin.connection.next("AGENT_LIST")).data.agents).toEqual([]);
    expect((await twin.connection.next("SESSION_REJECT")).data.reason).toBe("capability_unknown");
    await twin.connection.next("ERROR");
    expect((await twinDoer.register()).data.account).toBe("other");
    expect((await twinDoer.connection.next("SESSION_INIT")).from).toBe(victim.name);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    for (let i = 0; i < limits.framesBurst + 10; i++) twin.connection.sayRaw('{"type": "HEARTBEAT"}');
    await twin.connection.next("ERROR", ({ data }) => data.reason === "rate_limited");
    vi.useRealTimers();
    expect((await administer("POST", `/v1/agents/${twinDoer.name}/drain?account=other`)).status).toBe(200);
    await administer("PATCH", `/v1/agents/${twin.name}?account=other`, { status: "suspended" });
    expect((await twin.connection.closed()).code).toBe(4403);

    const heard = doer.connection.heard.map(({ type }) => type);
    expect(heard).toEqual(["REGISTER_ACK", "SESSION_INIT", "SESSION_ACCEPT"]);
    expect([victim.connection.end, doer.connection.end]).toEqual([undefined, undefined]);
    await bystanders.expectAlive(1, 1);
    const rows = await env.DB.prepare("SELECT account_id, state FROM sessions WHERE id = ? ORDER BY account_id")
      .bind(bystanders.session_id)
      .all();
    expect(rows.results.filter(({ account_id }) => account_id === "local")).toEqual([
      { account_id: "local", state: "active" },
    ]);
  },
  multiplexed,
);
