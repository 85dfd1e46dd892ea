// Offers wait for an agent that is away, as long as their maker says and no longer; and how many may wait is bounded.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";
import { AgentObject } from "../../../durable-objects/agent-object.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import { Agent, everyWay, multiplexed, plain, uuid } from "./agents.ts";
import { Duo } from "./duo.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const objectOf = (agent: Agent) => env.AGENTS.getByName(`local/${agent.name}`);
/** How many offers its object keeps. */
const waitingFor = (agent: Agent) =>
  runInDurableObject(objectOf(agent), (_, { storage: { sql } }) =>
    sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'offers'").toArray().length === 0
      ? 0
      : sql.exec<{ n: number }>("SELECT count(*) AS n FROM offers").one().n,
  );

everyWay(
  "[N14] an offer waits for an agent that is away: also one that was never there",
  async (way) => {
    const a = await Agent.registered(way, "planner");
    const b = await Agent.enrolled(way, "analyst");
    const duo = new Duo(a, b);
    await a.tell(duo.init({ data: { metadata: "please", ttl_ms: 3_600_000 } }));
    await vi.waitFor(async () => expect(await waitingFor(b)).toBe(1));
    expect(a.connection.unread("SESSION_REJECT")).toEqual([]);
    await b.register([{ name: "analyze" }]);
    const offer = await b.connection.next("SESSION_INIT");
    expect(offer).toMatchObject({ session_id: duo.session_id, from: a.name, data: { metadata: "please" } });
    // First who one is, then what waits.
    expect(b.connection.heard.map(({ type }) => type)).toEqual(["REGISTER_ACK", "SESSION_INIT"]);
    await b.tell(duo.of("SESSION_ACCEPT"));
    expect((await a.connection.next("SESSION_ACCEPT")).data.peer).toBe(b.name);
    await b.connection.next("SESSION_ACCEPT");
    await duo.expectAlive(1, 1);
    await duo.indexed("active");
    expect(await waitingFor(b)).toBe(0);
  },
  multiplexed,
);

everyWay(
  "[N14] an offer that was seen and not answered comes again after a reconnect, until it is answered",
  async (way) => {
    const duo = await Duo.met(way);
    const { a, b } = duo;
    await a.tell(duo.init());
    await b.connection.next("SESSION_INIT");
    for (let i = 0; i < 2; i++) {
      await b.register();
      await b.connection.next("SESSION_INIT");
    }
    await b.tell(duo.of("SESSION_REJECT", { data: { message: "busy" } }));
    expect((await a.connection.next("SESSION_REJECT")).data).toMatchObject({
      reason: "offer_rejected",
      message: "busy",
    });
    await duo.indexed("rejected");
    await b.register();
    await b.beat();
    expect(b.connection.unread("SESSION_INIT")).toEqual([]);
  },
  multiplexed,
);

everyWay(
  "[N14, L21] an offer waits as long as its maker said, not longer",
  async (way) => {
    const a = await Agent.registered(way, "planner");
    const b = await Agent.enrolled(way, "analyst");
    const start = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    const duo = new Duo(a, b);
    await a.tell(duo.init({ data: { ttl_ms: 10_000 } }));
    // Not `vi.waitFor`: it moves the clock.
    while ((await waitingFor(b)) === 0) await scheduler.wait(5);
    expect(await runInDurableObject(duo.object, (_, { storage }) => storage.getAlarm())).toBe(start + 10_000);
    // Nobody has told the agent yet that it expired: it finds out by itself.
    vi.setSystemTime(start + 10_000);
    await b.register();
    await b.beat();
    expect(b.connection.unread("SESSION_INIT")).toEqual([]);
    const refused = duo.init({ data: { ttl_ms: limits.offerTtlMsMax + 1 } });
    await a.tell({ ...refused, session_id: uuid() });
    expect((await a.errorAbout(refused.id)).reason).toBe("invalid_envelope");
  },
  multiplexed,
);

it("[N14, L22] too many offers for one agent: the next is refused, and an answer makes room", async () => {
  const a = await Agent.registered(plain, "planner");
  const b = await Agent.enrolled(plain, "analyst");
  const duos = Array.from({ length: limits.offersMax }, () => new Duo(a, b));
  for (const duo of duos) await a.tell(duo.init());
  await vi.waitFor(async () => expect(await waitingFor(b)).toBe(limits.offersMax), { timeout: 20_000 });
  const beyond = new Duo(a, b);
  await a.tell(beyond.init());
  const { data, session_id } = await a.connection.next("SESSION_REJECT");
  expect([session_id, data.reason, data.retryable]).toEqual([beyond.session_id, "too_many_offers", true]);

  await b.register();
  const first = await b.connection.next("SESSION_INIT");
  expect(b.connection.unread("SESSION_INIT")).toHaveLength(limits.offersMax - 1);
  await b.tell({ type: "SESSION_ACCEPT", id: uuid(), session_id: first.session_id });
  await vi.waitFor(async () => expect(await waitingFor(b)).toBe(limits.offersMax - 1));
  const again = new Duo(a, b);
  await a.tell(again.init());
  await b.connection.next("SESSION_INIT", ({ session_id: id }) => id === again.session_id);
});

it("[N4] an agent whose object fails is offline, and the registry is not asked about one that was here", async () => {
  const duo = await Duo.met(plain);
  const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
  vi.spyOn(AgentObject.prototype, "offer").mockImplementationOnce(() => {
    throw new Error("the other object is gone");
  });
  await duo.a.tell(duo.init());
  expect((await duo.a.connection.next("SESSION_REJECT")).data.reason).toBe("agent_offline");
  expect(warned.mock.calls.join()).toContain("offer_failed");
  duo.b.connection.close();
  const asked = vi.spyOn(Object.getPrototypeOf(env.DB), "prepare");
  const next = new Duo(duo.a, duo.b);
  await duo.a.tell(next.init({ data: { ttl_ms: 0 } }));
  await duo.a.connection.next("SESSION_REJECT");
  expect(asked.mock.calls.join()).not.toMatch(/from "agents"/);
});
