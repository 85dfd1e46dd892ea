// Offers that nobody takes, sessions in which nothing happens: what the alarm ends, and what it leaves alone. Time is the
// test's (`Date` only); the alarm is the runtime's own, rung by hand.
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, vi } from "vitest";
import { AgentObject } from "../../../durable-objects/agent-object.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import { Agent, everyWay, multiplexed, plain, uuid } from "./agents.ts";
import { Duo } from "./duo.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const at = (ms: number) => vi.useFakeTimers({ toFake: ["Date"], now: ms });
/** How many offers are kept for the agent. */
const waitingFor = ({ name }: Agent) =>
  runInDurableObject(
    env.AGENTS.getByName(`local/${name}`),
    (_, { storage }) => storage.sql.exec<{ offers: number }>("SELECT count(*) AS offers FROM offers").one().offers,
  );
const alarmOf = (duo: Duo) => runInDurableObject(duo.object, (_, { storage }) => storage.getAlarm());

everyWay(
  "[N4] an offer to an agent that nobody knows, or that is not connected, is rejected at once",
  async (way) => {
    const duo = await Duo.met(way);
    const { a, b } = duo;
    b.connection.close();
    for (const [to, reason] of [
      [`nobody-${uuid()}`, "agent_unknown"],
      [b.name, "agent_offline"],
    ] as const) {
      const init = { ...duo.init({ to, data: { ttl_ms: 0 } }), session_id: uuid() };
      await a.tell(init);
      const rejected = await a.connection.next("SESSION_REJECT");
      expect(rejected).toMatchObject({ session_id: init.session_id, in_reply_to: init.id, data: { reason } });
      expect(rejected.data.retryable).toBe(reason === "agent_offline");
    }
  },
  multiplexed,
);

everyWay(
  "[N4] who is connected and has not registered is not there yet for an offer",
  async (way) => {
    const a = await Agent.registered(way, "planner");
    const b = await Agent.enrolled(way, "analyst");
    await b.connect();
    const duo = new Duo(a, b);
    await a.tell(duo.init({ data: { ttl_ms: 0 } }));
    expect((await a.connection.next("SESSION_REJECT")).data.reason).toBe("agent_offline");
  },
  multiplexed,
);

everyWay(
  "[N5, L12] an offer that nobody answers expires, for both and in D1, and not before its time",
  async (way) => {
    const duo = await Duo.met(way);
    const { a, b } = duo;
    const start = Date.now();
    at(start);
    const init = duo.init();
    await a.tell(init);
    await b.connection.next("SESSION_INIT");
    const rings = await alarmOf(duo);
    expect(rings).toBe(start + limits.offerMs);

    at(start + limits.offerMs - 1);
    await a.forget();
    expect(await runDurableObjectAlarm(duo.object)).toBe(true);
    expect(await alarmOf(duo)).toBe(rings);
    expect(a.connection.unread("SESSION_REJECT")).toEqual([]);

    at(start + limits.offerMs);
    await a.beat();
    await a.forget();
    expect(await runDurableObjectAlarm(duo.object)).toBe(true);
    expect(await a.connection.next("SESSION_REJECT")).toMatchObject({
      in_reply_to: init.id,
      data: { reason: "offer_expired", retryable: true },
    });
    expect(await duo.indexed("expired")).toMatchObject({ reason: "offer_expired" });
    // Nothing to wait for but to be forgotten.
    expect(await alarmOf(duo)).toBe(start + limits.offerMs + limits.tombstoneMs);
    const late = duo.of("SESSION_ACCEPT");
    await b.tell(late);
    expect((await b.errorAbout(late.id)).reason).toBe("session_closed");
  },
  multiplexed,
);

everyWay(
  "[N3] asked again, an offer is made again; asked again after its answer, the answer is given again",
  async (way) => {
    const duo = await Duo.met(way);
    const { a, b } = duo;
    const [first, second, third] = [duo.init(), duo.init(), duo.init()];
    await a.tell(first);
    await b.connection.next("SESSION_INIT");
    await a.tell(second);
    await b.connection.next("SESSION_INIT");
    await b.tell(duo.of("SESSION_ACCEPT"));
    const accepted = await a.connection.next("SESSION_ACCEPT");
    await a.tell(third);
    const again = await a.connection.next("SESSION_ACCEPT");
    expect([accepted.in_reply_to, again.in_reply_to]).toEqual([second.id, third.id]);
    expect(again.data).toEqual(accepted.data);
  },
  multiplexed,
);

everyWay("[N11, N10, L13] a session without work expires, and work puts that off", async (way) => {
  const start = Date.now();
  at(start);
  const duo = await Duo.open(way);
  const { a, b } = duo;
  await duo.indexed("active");
  expect(await alarmOf(duo)).toBe(start + limits.sessionIdleMs);
  at(start + 1000);
  await duo.expectAlive(1, 1);
  // Work wrote no alarm; the alarm finds out by itself.
  expect(await alarmOf(duo)).toBe(start + limits.sessionIdleMs);

  at(start + limits.sessionIdleMs);
  await a.forget();
  expect(await runDurableObjectAlarm(duo.object)).toBe(true);
  expect(await alarmOf(duo)).toBe(start + 1000 + limits.sessionIdleMs);

  at(start + 1000 + limits.sessionIdleMs);
  await Promise.all([a.beat(), b.beat()]);
  await a.forget();
  expect(await runDurableObjectAlarm(duo.object)).toBe(true);
  let end = start + 1000 + limits.sessionIdleMs;
  if (way.evicts) {
    // The last receipt is not worth a row: who lost its memory asks for it before the end (A9), and nobody answers here.
    end += limits.ackStallMs;
    expect(await alarmOf(duo)).toBe(end);
    expect((await a.socket.next("ERROR")).data.reason).toBe("relay_lost");
    at(end);
    await Promise.all([a.beat(), b.beat()]);
    await a.forget();
    expect(await runDurableObjectAlarm(duo.object)).toBe(true);
  }
  for (const agent of [a, b]) {
    const { data } = await agent.socket.next("SESSION_CLOSED");
    // A client keeps the higher receipt.
    const delivered = way.evicts ? expect.toBeOneOf([0, 1]) : 1;
    expect(data).toEqual({ state: "expired", received: 1, delivered });
    expect(agent.socket.end).toBeUndefined();
  }
  expect(await duo.indexed("expired")).toMatchObject({ responder: b.name, reason: "session_expired" });
  // The direct sockets are still open: their certificates end before the session is forgotten.
  const ends = way.direct ? [a, b].map(({ tls }) => Date.parse(tls.certNotAfter) + 1) : [];
  expect(await alarmOf(duo)).toBe(Math.min(end + limits.tombstoneMs, ...ends));
});

everyWay(
  "D1 fails when the session becomes active: the alarm tells it again, and the session never waited",
  async (way) => {
    const duo = await Duo.met(way);
    const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
    const start = Date.now();
    at(start);
    // The policy allowed the offer: it is D1's part in opening a session.
    await duo.a.tell(duo.init());
    await duo.b.connection.next("SESSION_INIT");
    const broken = vi.spyOn(Object.getPrototypeOf(env.DB), "prepare").mockImplementation(() => {
      throw new Error("D1 is away");
    });
    await duo.b.tell(duo.of("SESSION_ACCEPT"));
    for (const { connection } of [duo.a, duo.b]) await connection.next("SESSION_ACCEPT");
    await duo.expectAlive(1, 1);
    await vi.waitFor(() => expect(warned.mock.calls.join()).toContain("index_failed"));
    expect(await alarmOf(duo)).toBe(start + limits.indexRetryMs);
    broken.mockRestore();

    at(start + limits.indexRetryMs);
    await duo.a.forget();
    expect(await runDurableObjectAlarm(duo.object)).toBe(true);
    expect(await duo.indexed("active")).toMatchObject({ initiator: duo.a.name });
    expect(await alarmOf(duo)).toBe(start + limits.sessionIdleMs);
  },
  multiplexed,
);

/** The agent's list has that many sessions more than the test opens. */
const fill = (agent: Agent, sessions: number) =>
  runInDurableObject(env.AGENTS.getByName(`local/${agent.name}`), (_, { storage }) => {
    for (let i = 0; i < sessions; i++)
      storage.sql.exec("INSERT INTO sessions (session_id, peer) VALUES (?, 'writer')", uuid());
  });

everyWay(
  "[N13, L10] offers that are pending count as open sessions of their maker, and only while they are",
  async (way) => {
    const duo = await Duo.met(way);
    const { a, b } = duo;
    await fill(a, limits.openSessionsMax - 1);
    await a.tell(duo.init());
    await b.connection.next("SESSION_INIT");
    const second = { ...duo.init(), session_id: uuid() };
    await a.tell(second);
    expect((await a.errorAbout(second.id)).reason).toBe("too_many_sessions");
    // The same session is no more; and who is listed is who can be resumed.
    await a.tell(duo.init());
    await b.connection.next("SESSION_INIT");
    const first = a.connection;
    expect((await a.register()).data.sessions).toHaveLength(limits.openSessionsMax - 1);
    await first.closed();

    await b.tell(duo.of("SESSION_REJECT"));
    await duo.indexed("rejected");
    await a.tell(second);
    await b.connection.next("SESSION_INIT", ({ session_id }) => session_id === second.session_id);
  },
  multiplexed,
);

everyWay(
  "[N13] who has no room left cannot accept, and one that comes to nothing takes no room",
  async (way) => {
    const duo = await Duo.met(way);
    const { a, b } = duo;
    await fill(b, limits.openSessionsMax - 1);
    // A session that is not there, and one with oneself.
    for (const line of [duo.of("SESSION_ACCEPT"), duo.of("SESSION_INIT", { to: b.name })]) {
      await b.tell({ ...line, session_id: uuid() });
      await b.errorAbout(line.id);
    }
    await duo.begin();
    await duo.indexed("active");
    expect((await b.register()).data.sessions).toContainEqual({ session_id: duo.session_id, peer: a.name });
    const late = new Duo(a, b);
    await a.tell(late.init());
    await b.connection.next("SESSION_INIT");
    const accept = late.of("SESSION_ACCEPT");
    await b.tell(accept);
    expect((await b.errorAbout(accept.id)).reason).toBe("too_many_sessions");
  },
  multiplexed,
);

everyWay(
  "[N14] an offer that is made again while it is answered does not wait any more",
  async (way) => {
    for (const [answer, state] of [
      ["SESSION_ACCEPT", "active"],
      ["SESSION_REJECT", "rejected"],
    ] as const) {
      const duo = await Duo.met(way);
      const { a, b } = duo;
      const init = duo.init();
      await a.tell(init);
      await b.connection.next("SESSION_INIT");
      // L15, or a new connection: it asks again, and is answered before that has reached the agent.
      const { offer } = AgentObject.prototype;
      const answered = Promise.withResolvers<void>();
      const again = vi
        .spyOn<{ offer(...given: Parameters<typeof offer>): unknown }, "offer">(AgentObject.prototype, "offer")
        .mockImplementationOnce(async function (this: AgentObject, ...given) {
          await answered.promise;
          return offer.apply(this, given);
        });
      a.connection.say(init);
      await vi.waitFor(() => expect(again).toHaveBeenCalled());
      b.connection.say(duo.of(answer));
      await a.connection.next(answer);
      await duo.indexed(state);
      answered.resolve();
      await Promise.all(again.mock.results.map(({ value }) => value));
      await vi.waitFor(async () => expect(await waitingFor(b)).toBe(0));
      again.mockRestore();
    }
  },
  [plain],
);
