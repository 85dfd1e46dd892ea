// An agent's connection: registering, announcing, being found, being superseded, being closed by revocation and expiry.
import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";
import { announcedLimits, limits } from "../../../protocol/wire/limits.ts";
import { revokeCertificate } from "../../../schema/registry.ts";
import { agentObject, sessionObject, upgradeRequest } from "../../../worker/objects.ts";
import { subprotocol } from "../../../worker/routes/upgrades.ts";
import { administer, ask, author, db, hour, newAgent, upgradeHeaders } from "../worker/fixtures.ts";
import { Agent, everyWay, multiplexed, plain, plainDirect, uuid } from "./agents.ts";
import { Duo } from "./duo.ts";

afterEach(() => {
  vi.useRealTimers();
});

everyWay(
  "[R3] REGISTER is answered with who one is, the limits, and the open sessions",
  async (way) => {
    const agent = await Agent.enrolled(way, "planner");
    await agent.connect();
    const id = uuid();
    await agent.tell({ type: "REGISTER", id, data: { capabilities: [{ name: "plan" }], sdk: "by hand" } });
    const ack = await agent.connection.next("REGISTER_ACK");
    expect(ack.in_reply_to).toBe(id);
    expect(ack.data).toEqual({
      agent: agent.name,
      account: "local",
      limits: announcedLimits,
      heartbeat_ms: limits.heartbeatIntervalMs,
      sessions: [],
    });
  },
  multiplexed,
);

everyWay(
  "[R4, R5, R6] what was announced and acknowledged is found, over the connection and over HTTP",
  async (way) => {
    const seeker = await Agent.registered(way, "seeker");
    const name = `find-${uuid()}`;
    const doer = await Agent.registered(way, "doer", [{ name: `before-${name}` }]);
    const input_schema = { type: "object" };
    const announce = {
      type: "CAPABILITY_ANNOUNCE",
      id: uuid(),
      data: { capabilities: [{ name, version: "1", max_concurrency: 3, input_schema }, { name: "also" }] },
    };
    await doer.tell(announce);
    expect(await doer.connection.next("CAPABILITY_ACK")).toMatchObject({
      in_reply_to: announce.id,
      data: { capabilities: [name, "also"] },
    });

    const found = async (capability: string) => {
      const id = uuid();
      await seeker.tell({ type: "AGENT_QUERY", id, data: { capability } });
      return (await seeker.connection.next("AGENT_LIST", (list) => list.in_reply_to === id)).data;
    };
    expect(await found(name)).toEqual({
      agents: [
        {
          agent: doer.name,
          connected: true,
          capabilities: [{ name: "also" }, { name, version: "1", max_concurrency: 3 }],
        },
      ],
    });
    // An announcement replaces the one before it.
    expect(await found(`before-${name}`)).toEqual({ agents: [] });

    const listed = await ask(`/v1/agents?capability=${name}`, seeker.tls);
    expect(await listed.json()).toMatchObject({
      agents: [{ agent: doer.name, connected: true, capabilities: [{ name: "also" }, { name, input_schema }] }],
    });
    doer.connection.close();
    await vi.waitFor(async () => expect((await found(name)).agents[0]?.connected).toBe(false));
  },
  multiplexed,
);

everyWay("[C4, A3] a second connection that registers supersedes the first, which is closed 4409", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  await a.say(duo.message(1));
  await a.socket.next("MESSAGE_ACK");
  const { connection: first, direct } = a;
  const second = await a.connect();
  // Only who registers takes over: the first is alive until then.
  a.direct = undefined;
  expect(first.end).toBeUndefined();
  await a.tell({ type: "REGISTER", id: uuid(), data: {} });
  const ack = await second.next("REGISTER_ACK");
  expect(ack.data.sessions).toEqual([{ session_id: duo.session_id, peer: b.name }]);
  expect((await first.closed()).code).toBe(4409);

  // A direct socket is its own connection: it is superseded when its session is attached elsewhere.
  expect(direct?.end).toBeUndefined();
  expect((await duo.attach(a, 0, 2)).data).toMatchObject({ outcome: "resumed", received: 1 });
  if (direct !== undefined) expect((await direct.closed()).code).toBe(4409);
  await duo.expectAlive(2, 1);
});

it("[C4] a connection that was superseded has no more to say: its session stays with the one that registered after it", async () => {
  const duo = await Duo.open(plain);
  const { connection: first } = duo.a;
  await duo.a.connect();
  // Both are under way before the first can know of the second.
  duo.a.connection.say({ type: "REGISTER", id: uuid(), data: {} }, duo.resume(0, 1));
  first.say(duo.resume(0, 1));
  expect((await first.closed()).code).toBe(4409);
  await duo.expectAlive(1, 1);
});

it("[A3] a direct socket that was superseded has no more to say", async () => {
  const duo = await Duo.open(plainDirect);
  const first = duo.a.socket;
  duo.a.direct = await duo.a.dial(`/v1/sessions/${duo.session_id}`);
  duo.a.socket.say(duo.resume(0, 1));
  first.say(duo.resume(0, 1));
  expect((await first.closed()).code).toBe(4409);
  await duo.expectAlive(1, 1);
});

it("[L24, S6] what comes behind a frame for which the socket is closed is not taken, and goes through later", async () => {
  const duo = await Duo.open(plainDirect);
  const { a, b } = duo;
  a.socket.say(...Array.from({ length: limits.frameFaultsMax + 1 }, () => ({ type: "NONSENSE" })));
  const late = duo.message(1, "late");
  a.socket.say(late);
  expect((await a.socket.closed()).code).toBe(4400);
  expect((await duo.goDirect(a, 0, 2)).data.received).toBe(0);
  await a.say(late);
  expect((await b.socket.next("MESSAGE")).data.content).toBe("late");
});

it("[C6] a certificate that opened only a direct socket takes that with it, and leaves the agent's connection", async () => {
  const duo = await Duo.open(plain);
  const { a } = duo;
  const other = await newAgent(a.name);
  const tls = { ...a.tls, certFingerprintSHA256: other.fingerprint };
  const { webSocket } = await ask(`/v1/sessions/${duo.session_id}`, tls, { headers: upgradeHeaders });
  if (webSocket === null) throw new Error("no direct socket");
  const direct = Agent.listening("direct", webSocket);
  await administer("DELETE", `/v1/certificates/${other.fingerprint}`);
  expect((await direct.closed()).code).toBe(4403);
  await duo.expectAlive(1, 1);
});

it("[A3] a direct socket is superseded by the next one that attaches", async () => {
  const duo = await Duo.open(plainDirect);
  const first = duo.a.socket;
  await duo.goDirect(duo.a);
  expect(await first.closed()).toEqual({ code: 4409, reason: "attached elsewhere" });
  await duo.expectAlive(1, 1);
});

everyWay(
  "[C6] revoking the certificate closes the connection and the direct socket 4403; the peer goes on",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    await a.forget();
    const answer = await administer("DELETE", `/v1/certificates/${a.tls.certFingerprintSHA256}`);
    expect(answer.status).toBe(200);
    expect((await a.connection.closed()).code).toBe(4403);
    if (way.direct) expect((await a.socket.closed()).code).toBe(4403);
    expect((await ask("/v1/connect", a.tls)).status).toBe(403);
    // What the peer says is stored, for whoever comes back in the agent's name.
    await b.say(duo.message(1));
    expect((await b.socket.next("MESSAGE_ACK")).ack).toBe(1);
    expect(b.socket.end).toBeUndefined();
  },
);

everyWay("[C6] suspending the agent closes its sockets 4403, also one that is attached to nothing yet", async (way) => {
  const duo = await Duo.open(way);
  const idle = way.direct ? await duo.a.dial(`/v1/sessions/${duo.session_id}`) : await duo.a.dial("/v1/connect");
  await duo.a.forget();
  expect((await administer("PATCH", `/v1/agents/${duo.a.name}`, { status: "suspended" })).status).toBe(200);
  for (const socket of [duo.a.connection, duo.a.socket, idle]) expect((await socket.closed()).code).toBe(4403);
});

it("[C6] a socket that opens in the moment of the revocation is closed 4403 all the same", async () => {
  const duo = await Duo.open(plain);
  const { account, name: agent, tls } = { account: "local", ...duo.a };
  // The Worker's check is behind us: what comes now is what it would hand to the objects.
  await revokeCertificate(db, account, tls.certFingerprintSHA256, author());
  const identity = { account, agent, fingerprint: tls.certFingerprintSHA256, expiresAt: Date.now() + hour };
  const doors = [
    [agentObject(env, account, agent), "/v1/connect"],
    [sessionObject(env, account, duo.session_id), `/v1/sessions/${duo.session_id}`],
  ] as const;
  for (const [object, path] of doors) {
    const { webSocket } = await object.fetch(upgradeRequest(path, identity, subprotocol));
    if (webSocket === null) throw new Error(`${path} was refused`);
    expect([path, (await Agent.listening(agent, webSocket).closed()).code]).toEqual([path, 4403]);
  }
});

everyWay("[C6] a certificate that ends while connected closes its socket at the next frame 4401", async (way) => {
  const duo = await Duo.open(way);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 49 * hour });
  await duo.a.say(duo.message(1));
  expect((await duo.a.socket.closed()).code).toBe(4401);
  vi.useRealTimers();
  await duo.b.say(duo.message(1));
  // The frame of the expired one was not taken.
  expect(await duo.b.socket.next("MESSAGE_ACK")).toMatchObject({ ack: 1, data: { delivered: 0 } });
  expect(duo.b.socket.unread("MESSAGE")).toEqual([]);
});
