// Envelopes for sessions that are not there, not ready, over, or somebody else's. What is not yours looks like what does not exist.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect } from "vitest";
import { type ErrorReason, errorBody } from "../../../protocol/wire/errors.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import { ask, upgradeHeaders } from "../worker/fixtures.ts";
import { Agent, everyWay, multiplexed, uuid, type Way, ways } from "./agents.ts";
import { Duo } from "./duo.ts";

const direct: readonly Way[] = ways.filter((way) => way.direct);

everyWay(
  "[N6, C3] a third agent cannot tell the session from one that does not exist, and does it no harm",
  async (way) => {
    const duo = await Duo.open(way);
    const stranger = await Agent.registered(way, "stranger");
    const nowhere = uuid();
    const lines = [
      duo.message(1, "intrusion"),
      { ...duo.ack(0), id: uuid() },
      duo.of("PAUSE"),
      duo.of("SESSION_ACCEPT"),
      duo.of("SESSION_REJECT"),
      duo.close(1),
      duo.task("REQUEST", 1, uuid()),
    ];
    for (const line of lines) {
      const [real, imagined] = [line, { ...line, session_id: nowhere }];
      await stranger.tell(real);
      const answer = await stranger.connection.next("ERROR");
      await stranger.tell(imagined);
      expect({ ...answer, session_id: nowhere }).toEqual(await stranger.connection.next("ERROR"));
      expect(answer).toMatchObject({
        in_reply_to: line.id,
        session_id: duo.session_id,
        data: errorBody("session_unknown"),
      });
    }
    for (const session_id of [duo.session_id, nowhere]) {
      await stranger.tell({ ...duo.resume(0, 1), session_id });
      const { data } = await stranger.connection.next("SESSION_RESUMED");
      expect(data).toEqual({ outcome: "unknown", received: 0, delivered: 0 });
    }
    const knocks = await Promise.all(
      [duo.session_id, nowhere].map((session) =>
        ask(`/v1/sessions/${session}`, stranger.tls, { headers: upgradeHeaders }),
      ),
    );
    expect(knocks.map(({ status }) => status)).toEqual([404, 404]);
    const [mine, none] = await Promise.all(
      knocks.map(async (knock) => ({ ...(await knock.json<object>()), instance: "" })),
    );
    expect(mine).toEqual(none);
    await duo.expectAlive(1, 1);
    expect(stranger.connection.all("MESSAGE")).toEqual([]);
  },
);

everyWay(
  "[N6] a session_id that is taken is session_exists, for another pair and with another peer",
  async (way) => {
    const duo = await Duo.open(way);
    const stranger = await Agent.registered(way, "stranger");
    const foreign = duo.init();
    await stranger.tell(foreign);
    expect(await stranger.errorAbout(foreign.id)).toMatchObject(errorBody("session_exists"));
    for (const init of [duo.init({ to: stranger.name }), duo.init({ to: duo.a.name })]) {
      await duo.a.tell(init);
      expect(await duo.a.errorAbout(init.id)).toMatchObject(errorBody("session_exists"));
    }
    const backwards = { ...duo.init({ to: duo.a.name }) };
    await duo.b.tell(backwards);
    expect((await duo.b.errorAbout(backwards.id)).reason).toBe("session_exists");
    await duo.expectAlive(1, 1);
    expect(stranger.connection.all("SESSION_INIT")).toEqual([]);
  },
  multiplexed,
);

everyWay(
  "[N1] a session with oneself is refused, and leaves nothing",
  async (way) => {
    const duo = await Duo.met(way);
    const init = duo.init({ to: duo.a.name });
    await duo.a.tell(init);
    expect(await duo.a.errorAbout(init.id)).toMatchObject(errorBody("self_session"));
    await duo.begin();
    await duo.expectAlive(1, 1);
  },
  multiplexed,
);

everyWay(
  "[N12, A2, N4] nothing but its answer is for a pending session: no work, no resuming, no answer by its maker",
  async (way) => {
    const duo = await Duo.met(way);
    const { a, b } = duo;
    await a.tell(duo.init());
    await b.connection.next("SESSION_INIT");
    const refused: [Agent, { id: string }, ErrorReason][] = [
      [a, duo.message(1), "session_not_active"],
      [b, duo.message(1), "session_not_active"],
      [a, duo.resume(0, 1), "session_not_active"],
      [a, duo.of("SESSION_ACCEPT"), "session_not_pending"],
      [a, duo.of("SESSION_REJECT"), "session_not_pending"],
    ];
    for (const [agent, line, reason] of refused) {
      await agent.tell(line);
      expect(await agent.errorAbout(line.id)).toMatchObject(errorBody(reason));
    }
    // An offer has no direct path either.
    for (const { tls } of [a, b]) {
      expect((await ask(`/v1/sessions/${duo.session_id}`, tls, { headers: upgradeHeaders })).status).toBe(404);
    }
    await b.tell(duo.of("SESSION_ACCEPT"), duo.message(1));
    expect(await a.socket.contents()).toEqual([1]);
    await a.say(duo.ack(1));
    await duo.expectAlive(1, 2);
  },
  multiplexed,
);

everyWay("[N3, N4] a second ACCEPT or INIT after work, and a REJECT too late, are refused", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  await duo.expectAlive(1, 1);
  const refused: [Agent, { id: string }, ErrorReason][] = [
    [b, duo.of("SESSION_ACCEPT"), "session_not_pending"],
    [a, duo.of("SESSION_ACCEPT"), "session_not_pending"],
    [b, duo.of("SESSION_REJECT"), "session_not_pending"],
    [a, duo.init(), "session_exists"],
  ];
  for (const [agent, line, reason] of refused) {
    await agent.tell(line);
    const { data } = await agent.connection.next("ERROR", ({ in_reply_to }) => in_reply_to === line.id);
    expect(data).toMatchObject(errorBody(reason));
  }
  await duo.expectAlive(2, 2);
});

everyWay(
  "[N12, N8] work on a closed session is session_closed; receipts that crossed its end are nothing",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    await a.say(duo.close(1));
    const afterClose = duo.message(2);
    await a.say(afterClose);
    expect(await a.errorAbout(afterClose.id)).toMatchObject(errorBody("session_closed"));
    await b.socket.next("SESSION_CLOSE");
    await b.say(duo.ack(1));
    await a.socket.next("SESSION_CLOSED");
    const late = [duo.message(1), duo.close(1), duo.task("REQUEST", 1, uuid())];
    await b.say({ ...duo.ack(1), id: uuid() }, duo.of("PAUSE"), duo.of("RESUME"), ...late);
    for (const { id } of late) expect(await b.errorAbout(id)).toMatchObject(errorBody("session_closed"));
    expect(b.socket.all("ERROR")).toHaveLength(late.length);
    for (const [agent, line] of [
      [b, duo.of("SESSION_ACCEPT")],
      [a, duo.init()],
    ] as const) {
      await agent.tell(line);
      const { data } = await agent.connection.next("ERROR", ({ in_reply_to }) => in_reply_to === line.id);
      expect(data).toMatchObject(errorBody("session_closed"));
    }
    // The connection goes on: the same two, another session.
    const another = new Duo(a, b);
    a.direct = b.direct = undefined;
    await another.begin();
    await another.expectAlive(1, 1);
  },
);

everyWay(
  "[A3] work from an attachment that was left is session_not_attached, once a frame, and not taken",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    const [stale, ...more] = [duo.message(1, "stale"), duo.message(2, "stale"), duo.of("PAUSE")];
    await a.tell(stale, ...more);
    const error = await a.connection.next("ERROR");
    expect(error).toMatchObject({ in_reply_to: stale?.id, data: errorBody("session_not_attached") });
    await duo.expectAlive(1, 1);
    expect(a.connection.all("ERROR")).toHaveLength(1);
    expect(b.socket.all("MESSAGE")).toHaveLength(1);

    // A direct socket that has not said SESSION_RESUME is attached to nothing either.
    const early = await a.dial(`/v1/sessions/${duo.session_id}`);
    early.say(duo.message(2, "early"));
    expect((await early.next("ERROR")).data.reason).toBe("session_not_attached");
    await duo.expectAlive(2, 2);
  },
  direct,
);

everyWay(
  "[A4] a direct socket carries the work of its session, and nothing else",
  async (way) => {
    const duo = await Duo.open(way);
    const { a } = duo;
    const id = uuid;
    const elsewhere = new Duo(a, await Agent.registered(way, "writer"));
    await elsewhere.begin();
    const refused: [{ id: string; type: string; session_id?: string; data?: object }, ErrorReason][] = [
      [{ type: "REGISTER", id: id(), data: {} }, "not_on_direct"],
      [{ type: "CAPABILITY_ANNOUNCE", id: id(), data: { capabilities: [] } }, "not_on_direct"],
      [{ type: "AGENT_QUERY", id: id() }, "not_on_direct"],
      [duo.init(), "not_on_direct"],
      [duo.of("SESSION_ACCEPT"), "not_on_direct"],
      [duo.of("SESSION_REJECT"), "not_on_direct"],
      [elsewhere.message(1), "session_unknown"],
      [{ ...duo.message(1), session_id: uuid() }, "session_unknown"],
      [{ type: "PAUSE", id: id() }, "session_unknown"],
    ];
    await a.say(...refused.map(([line]) => line), duo.message(1));
    for (const [line, reason] of refused) expect(await a.errorAbout(line.id)).toMatchObject(errorBody(reason));
    expect(await duo.b.socket.contents()).toEqual([1]);
    await duo.b.say(duo.ack(1));
    await duo.expectAlive(2, 1);
    expect(elsewhere.b.connection.all("MESSAGE")).toEqual([]);
  },
  direct,
);

everyWay(
  "[N13, L10] one open session too many is refused to who offers and to who accepts; those that are open go on",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    // A thousand sessions are what the list says, not what the test opens.
    const fill = (agent: Agent, rows: number) =>
      runInDurableObject(env.AGENTS.getByName(`local/${agent.name}`), (_, { storage }) => {
        for (let i = 0; i < rows; i++)
          storage.sql.exec("INSERT INTO sessions (session_id, peer) VALUES (?, 'writer')", uuid());
      });
    await duo.indexed("active");
    await fill(a, limits.openSessionsMax - 1);
    const init = { ...duo.init(), session_id: uuid() };
    await a.tell(init, duo.message(1));
    expect(await a.errorAbout(init.id)).toMatchObject(errorBody("too_many_sessions"));
    expect(await b.socket.contents()).toEqual([1]);
    await b.say(duo.ack(1));

    const other = new Duo(await Agent.registered(way, "writer"), a);
    await other.a.tell(other.init());
    await a.connection.next("SESSION_INIT");
    const accept = other.of("SESSION_ACCEPT");
    await a.tell(accept);
    expect(await a.errorAbout(accept.id)).toMatchObject(errorBody("too_many_sessions"));
    await duo.expectAlive(2, 1);
  },
  multiplexed,
);
