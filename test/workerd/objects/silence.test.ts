// Connections whose client is gone without a word: judged when somebody asks or sends, closed then, and by nothing else. Time is
// the test's (`Date` only); the runtime's own answers to heartbeats keep the real one.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, vi } from "vitest";
import { limits } from "../../../protocol/wire/limits.ts";
import { isConnected } from "../../../worker/objects.ts";
import { Agent, everyWay, multiplexed, uuid } from "./agents.ts";
import { Duo } from "./duo.ts";

afterEach(() => {
  vi.useRealTimers();
});

const at = (ms: number) => vi.useFakeTimers({ toFake: ["Date"], now: ms });
const alarmOf = (agent: Agent) =>
  runInDurableObject(env.AGENTS.getByName(`local/${agent.name}`), (_, { storage }) => storage.getAlarm());

everyWay(
  "[H3] who was not heard for L14's timeout is offline for whoever asks, and its socket is closed 4512 then",
  async (way) => {
    const start = Date.now();
    at(start);
    const [a, b] = [await Agent.registered(way, "planner"), await Agent.registered(way, "analyst")];
    at(start + limits.heartbeatTimeoutMs);
    await a.forget();
    expect(await isConnected(env, "local", b.name)).toBe(true);
    at(start + limits.heartbeatTimeoutMs + 1);
    await b.forget();
    expect(b.connection.end).toBeUndefined();
    // Nothing waits for it: the only alarm is the end of its certificate.
    expect(await alarmOf(b)).toBe(Date.parse(b.tls.certNotAfter) + 1);
    expect(await isConnected(env, "local", b.name)).toBe(false);
    expect((await b.connection.closed()).code).toBe(4512);
    // Who asks lives: it has just said so.
    const duo = new Duo(a, b);
    await a.tell(duo.init({ data: { ttl_ms: 0 } }));
    expect((await a.connection.next("SESSION_REJECT")).data.reason).toBe("agent_offline");
    expect(await isConnected(env, "local", a.name)).toBe(true);
  },
  multiplexed,
);

everyWay("[H3] a frame shows that one lives, and so does a heartbeat that wakes nobody", async (way) => {
  const start = Date.now();
  at(start - 2 * limits.heartbeatTimeoutMs);
  const duo = await Duo.open(way);
  const { a, b } = duo;
  // The runtime answers, and dates it by its own clock: now.
  for (const socket of [a.connection, a.socket]) socket.sayRaw('{"type":"HEARTBEAT"}');
  for (const socket of new Set([a.connection, a.socket])) await socket.next("HEARTBEAT_ACK");
  at(start);
  await b.beat();
  await duo.expectAlive(1, 1);
  expect(await isConnected(env, "local", a.name)).toBe(true);
});

everyWay(
  "[H3] what is sent to a client that is gone waits for it, and its half-open socket is closed 4512",
  async (way) => {
    const start = Date.now();
    at(start);
    const duo = await Duo.open(way);
    const { a, b } = duo;
    at(start + limits.heartbeatTimeoutMs + 1);
    await a.beat();
    await a.say(duo.message(1));
    expect(await a.socket.next("MESSAGE_ACK")).toMatchObject({ ack: 1, data: { delivered: 0 } });
    expect((await b.socket.closed()).code).toBe(4512);
    expect(b.socket.unread("MESSAGE")).toEqual([]);
    await duo.comeBack(b, 0, 1);
    expect(await b.socket.contents()).toEqual([1]);
    await b.say(duo.ack(1));
    await duo.expectAlive(2, 1);
  },
);

everyWay(
  "[H3, N15] who is silent has no room",
  async (way) => {
    const start = Date.now();
    at(start);
    const capability = `sum-${uuid()}`;
    const seeker = await Agent.registered(way, "seeker");
    const doer = await Agent.registered(way, "doer", [{ name: capability }]);
    at(start + limits.heartbeatTimeoutMs + 1);
    await seeker.tell({ type: "SESSION_INIT", id: uuid(), session_id: uuid(), data: { capability } });
    expect((await seeker.connection.next("SESSION_REJECT")).data.reason).toBe("capability_busy");
    expect((await doer.connection.closed()).code).toBe(4512);
  },
  multiplexed,
);
