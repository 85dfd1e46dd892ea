// Certificates that end while their sockets say nothing: one alarm where the certificate ends, and what it costs. Time is the test's
// (`Date` only), so that alarms are rung by hand; the same in real time is in test/e2e/expiry.test.ts.
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";
import { limits } from "../../../protocol/wire/limits.ts";
import { agentObject, isConnected } from "../../../worker/objects.ts";
import { certificateTime, hour } from "../worker/fixtures.ts";
import { Agent, everyWay, multiplexed, plain, plainDirect, uuid } from "./agents.ts";
import { counting } from "./counters.ts";
import { Duo } from "./duo.ts";

afterEach(() => {
  vi.useRealTimers();
});

const at = (ms: number) => vi.useFakeTimers({ toFake: ["Date"], now: ms });
const objectOf = ({ name }: Agent) => agentObject(env, "local", name);
const alarmOf = (object: DurableObjectStub) => runInDurableObject(object, (_, { storage }) => storage.getAlarm());
const endOf = ({ tls }: Agent) => Date.parse(tls.certNotAfter);

/** From its next connection on, its certificate ends then. */
function endsAt(agent: Agent, ms: number): void {
  agent.tls.certNotAfter = certificateTime(ms);
}

everyWay(
  "[C6] a connection that says nothing is closed 4401 by the alarm at its certificate's end",
  async (way) => {
    const agent = await Agent.registered(way, "silent");
    const idle = await agent.dial("/v1/connect");
    expect(await alarmOf(objectOf(agent))).toBe(endOf(agent) + 1);
    at(endOf(agent) + 1);
    await agent.forget();
    expect(await runDurableObjectAlarm(objectOf(agent))).toBe(true);
    for (const socket of [agent.connection, idle]) expect((await socket.closed()).code).toBe(4401);
    expect(await isConnected(env, "local", agent.name)).toBe(false);
    // Nothing is open any more: nothing is waited for.
    expect(await alarmOf(objectOf(agent))).toBeNull();
  },
  multiplexed,
);

everyWay(
  "[C6] a direct socket that says nothing is closed 4401 by the session's alarm; the session goes on",
  async (way) => {
    const duo = await Duo.open({ ...way, direct: false });
    const { a, b } = duo;
    const start = Date.now();
    endsAt(a, start + hour);
    await duo.goDirect(a);
    expect(await alarmOf(duo.object)).toBe(endOf(a) + 1);
    at(endOf(a) + 1);
    await a.forget();
    expect(await runDurableObjectAlarm(duo.object)).toBe(true);
    expect((await a.socket.closed()).code).toBe(4401);
    // The session's own deadline is what it waits for now.
    const { timers } = await duo.record();
    expect(await alarmOf(duo.object)).toBe(Math.min(...Object.values(timers)));
    await b.say(duo.message(1));
    expect(await b.socket.next("MESSAGE_ACK")).toMatchObject({ ack: 1, data: { delivered: 0 } });
    endsAt(a, start + 48 * hour);
    await duo.goDirect(a);
    expect(await a.socket.contents()).toEqual([1]);
  },
  [plainDirect, { name: "direct, evicted", direct: true, evicts: true }],
);

it("[C6] the alarm of an old certificate leaves the connection by the new one, and waits for the end of that", async () => {
  const agent = await Agent.enrolled(plain, "renewed");
  const start = Date.now();
  endsAt(agent, start + hour);
  await agent.register();
  const old = agent.connection;
  const first = endOf(agent);
  endsAt(agent, start + 2 * hour);
  await agent.register();
  expect((await old.closed()).code).toBe(4409);
  expect(await alarmOf(objectOf(agent))).toBe(first + 1);
  at(first + 1);
  expect(await runDurableObjectAlarm(objectOf(agent))).toBe(true);
  expect(agent.connection.end).toBeUndefined();
  expect(await alarmOf(objectOf(agent))).toBe(endOf(agent) + 1);
  // And one that ends sooner than what is waited for is not forgotten.
  endsAt(agent, start + hour + hour / 2);
  await agent.register();
  expect(await alarmOf(objectOf(agent))).toBe(endOf(agent) + 1);
});

it("a certificate of a hundred years is looked at again once a year", async () => {
  const agent = await Agent.enrolled(plain, "methuselah");
  const start = Date.now();
  at(start);
  endsAt(agent, Date.parse("9999-12-31T23:59:59Z"));
  await agent.register();
  expect(await alarmOf(objectOf(agent))).toBe(start + limits.alarmAheadMsMax);
  at(start + limits.alarmAheadMsMax);
  expect(await runDurableObjectAlarm(objectOf(agent))).toBe(true);
  expect(agent.connection.end).toBeUndefined();
  expect(await alarmOf(objectOf(agent))).toBe(start + 2 * limits.alarmAheadMsMax);
});

it("waiting for a certificate's end costs one row in all of its life, however often the agent connects", async () => {
  const duo = await Duo.met(plain);
  await duo.begin();
  await duo.indexed("active");
  using counter = await counting(duo.object);
  const agent = await Agent.registered(plain, "frequent");
  expect(counter.counts.alarms).toBe(1);
  for (let i = 0; i < 3; i++) await agent.register();
  await Agent.forgetAll();
  await agent.register();
  expect(counter.counts.alarms).toBe(1);
  // A direct connection costs none where the session's own deadline comes before the certificate's end.
  for (const one of [duo.a, duo.b]) await duo.goDirect(one);
  expect(counter.counts.alarms).toBe(1);
  // And what is said over it moves nothing.
  await duo.expectAlive(1, 1);
  await agent.tell({ type: "AGENT_QUERY", id: uuid(), data: {} });
  await agent.connection.next("AGENT_LIST");
  expect(counter.counts.alarms).toBe(1);
});
