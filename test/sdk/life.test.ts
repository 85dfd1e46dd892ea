// How connections and sessions begin and end: refusals, offers, closing, draining, and whoever comes second.

import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { connect } from "../../sdk/typescript/src/index.ts";
import { next, reasonOf, Stage, sessionBetween, until } from "./fixtures.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.set();
});
afterEach(() => stage.clear());
afterAll(() => stage[Symbol.asyncDispose]());

test("a refusal for good rejects connect with the broker's reason", async () => {
  const { ca, url } = { ca: stage.broker.authority.certificate, url: stage.broker.agentsUrl };
  const { certificate: cert, key } = await stage.broker.authority.issueAgent("stranger");
  await expect(connect({ url, ca, cert, key })).rejects.toMatchObject({
    name: "AgentworksError",
    reason: "certificate_unknown",
    code: "permission_denied",
    retryable: false,
  });
});

test("a broker that another CA vouches for is not trusted", async () => {
  const { caFile: _, ...options } = await stage.options("planner");
  expect(await reasonOf(connect(options))).toBe("broker_untrusted");
});

test("arguments that cannot work are refused at once", async () => {
  const options = await stage.options("planner");
  expect(await reasonOf(connect({ ...options, url: "ws://localhost:1" }))).toBe("invalid_argument");
  expect(await reasonOf(connect({ ...options, url: "nonsense" }))).toBe("invalid_argument");
  expect(await reasonOf(connect({ ...options, keyFile: "/nowhere/key.pem" }))).toBe("invalid_argument");
  expect(await reasonOf(connect({ url: options.url }))).toBe("invalid_argument");
  expect(await reasonOf(connect({ ...options, cert: "no PEM" }))).toBe("invalid_argument");
});

test("a broker that is not there is waited for; the signal ends that and says why; reconnect false does not wait", async () => {
  const vacant = createServer();
  await new Promise<void>((resolve) => vacant.listen(0, "127.0.0.1", resolve));
  const { port } = vacant.address() as AddressInfo;
  await new Promise((resolve) => vacant.close(resolve));
  const options = { ...(await stage.options("planner")), url: `wss://localhost:${port}` };
  expect(await reasonOf(connect({ ...options, reconnect: false }))).toBe("connection_failed");
  const refused = connect({ ...options, reconnect: { baseMs: 1, maxMs: 2 }, signal: AbortSignal.timeout(100) });
  await expect(refused).rejects.toMatchObject({ reason: "aborted", cause: { reason: "connection_failed" } });
});

test("open says what is wrong with the peer", async () => {
  const planner = await stage.connect("planner");
  await stage.certified("sleeper");
  expect(await reasonOf(planner.open("sleeper"))).toBe("agent_offline");
  expect(await reasonOf(planner.open("nobody"))).toBe("agent_unknown");
  expect(await reasonOf(planner.open("planner"))).toBe("self_session");
  expect(await reasonOf(planner.open("No Agent"))).toBe("invalid_argument");
  expect(await reasonOf(planner.open("sleeper", { waitMs: 60_000, signal: AbortSignal.timeout(300) }))).toBe("aborted");
});

test("[N14] an offer that nobody takes in `waitMs` expires", async () => {
  const planner = await stage.connect("planner");
  await stage.certified("sleeper");
  expect(await reasonOf(planner.open("sleeper", { waitMs: 50 }))).toBe("offer_expired");
  expect(await reasonOf(planner.open("sleeper", { waitMs: -1 }))).toBe("invalid_argument");
});

test("[N15] open by capability: the session says who took it; with waitMs it waits for room", async () => {
  const planner = await stage.connect("planner");
  expect(await reasonOf(planner.open({ capability: "nobody-can" }))).toBe("capability_unknown");
  expect(await reasonOf(planner.open({ capability: "No Name" }))).toBe("invalid_argument");
  const analyst = await stage.connect("analyst");
  await analyst.handle("summarize", (text) => `short ${text}`, { max_concurrency: 1 });
  const session = await planner.open({ capability: "summarize" }, { metadata: "please" });
  expect(session.peer).toBe("analyst");
  expect(await session.request("summarize", "story").result).toBe("short story");
  expect(await reasonOf(planner.open({ capability: "summarize" }))).toBe("capability_busy");
  const waiting = planner.open({ capability: "summarize" }, { waitMs: 30_000 });
  await session.close();
  expect((await waiting).peer).toBe("analyst");
});

test("[N14] with waitMs open waits for a peer that comes later", async () => {
  const planner = await stage.connect("planner");
  await stage.certified("analyst");
  const opening = planner.open("analyst", { waitMs: 30_000 });
  const analyst = await stage.connect("analyst");
  expect((await opening).id).toBe((await next(analyst.sessions())).id);
});

test("accept judges an offer by peer and metadata", async () => {
  const planner = await stage.connect("planner");
  await stage.connect("analyst", {
    accept: ({ peer, metadata }) => (peer === "planner" && metadata === "please") || { reject: "say please" },
  });
  await expect(planner.open("analyst")).rejects.toMatchObject({ reason: "offer_rejected", detail: /say please/ });
  expect((await planner.open("analyst", { metadata: "please" })).peer).toBe("analyst");
});

test("agents lists who can do what, and handle may be called again", async () => {
  const [planner, analyst] = [await stage.connect("planner"), await stage.connect("analyst")];
  await Promise.all([analyst.handle("analyze", () => 1, { description: "reads" }), analyst.handle("sum", () => 2)]);
  await analyst.handle("analyze", () => 1, { description: "reads well", version: "2" });
  expect(await planner.agents({ capability: "analyze" })).toEqual([
    {
      agent: "analyst",
      connected: true,
      capabilities: [{ name: "analyze", description: "reads well", version: "2" }, { name: "sum" }],
    },
  ]);
  expect((await planner.agents()).map(({ agent }) => agent)).toEqual(expect.arrayContaining(["planner", "analyst"]));
  expect(await reasonOf(analyst.handle("Bad Name", () => 1))).toBe("invalid_argument");
});

test("close lets what was sent before arrive, then ends both sides with its reason", async () => {
  const { here, there } = await sessionBetween(await stage.connect("planner"), await stage.connect("analyst"));
  void here.send(1);
  void here.send(2);
  await here.close("done");
  expect(await reasonOf(here.send(3))).toBe("session_closed");
  const got: unknown[] = [];
  for await (const { content } of there.messages()) got.push(content);
  expect(got).toEqual([1, 2]);
  expect(await Promise.all([here.closed, there.closed])).toEqual([{ reason: "done" }, { reason: "done" }]);
  expect(await reasonOf(there.send(4))).toBe("session_closed");
  await here.close();
});

test("a reader that closes its session and then leaves does not keep it from ending", async () => {
  const { here, there } = await sessionBetween(await stage.connect("planner"), await stage.connect("analyst"));
  const receipts = await Promise.all(["enough", 2, 3].map((content) => here.send(content)));
  for await (const { content } of there.messages()) {
    expect(content).toBe("enough");
    await there.close("done");
    break;
  }
  expect(await Promise.all([here.closed, there.closed])).toEqual([{ reason: "done" }, { reason: "done" }]);
  await Promise.all(receipts.map(({ delivered }) => delivered));
});

test("both sides may close at the same time", async () => {
  const { here, there } = await sessionBetween(await stage.connect("planner"), await stage.connect("analyst"));
  await Promise.all([here.close("a"), there.close("b")]);
  const reasons = await Promise.all([here.closed, there.closed]);
  for (const end of reasons) expect(end.error).toBeUndefined();
});

test("closing aborts what the peer runs, and fails what was asked", async () => {
  const [planner, analyst] = [await stage.connect("planner"), await stage.connect("analyst")];
  const aborted = Promise.withResolvers<unknown>();
  await analyst.handle("wait", async (_, { signal }) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    aborted.resolve(signal.reason);
  });
  const session = await planner.open("analyst");
  const task = session.request("wait", null);
  await task.delivered;
  await session.close();
  expect(await aborted.promise).toMatchObject({ reason: "session_closed" });
  expect(await reasonOf(task.result)).toBe("session_closed");
});

test("the second connection with a certificate supersedes the first, which stays away", async () => {
  const first = await stage.connect("planner");
  const analyst = await stage.connect("analyst");
  const session = await first.open("analyst");
  const messages = session.messages();
  // Observed from now on: the end may come before anybody awaits it.
  const reading = reasonOf(messages.next());
  const statuses = first.status();
  const second = await stage.connect("planner");
  expect(await until(statuses, "disconnected")).toMatchObject({ code: 4409, willReconnect: false });
  await until(statuses, "superseded");
  expect(await reading).toBe("superseded");
  expect((await session.closed).error).toMatchObject({ reason: "superseded" });
  expect(await reasonOf(first.open("analyst"))).toBe("superseded");
  expect((await second.open(analyst.id)).peer).toBe("analyst");
});

test("drain refuses what is new, lets running handlers end, and leaves nothing unsaid", async () => {
  const [planner, analyst] = [await stage.connect("planner"), await stage.connect("analyst")];
  const release = Promise.withResolvers<void>();
  await analyst.handle("work", async (_, { session }) => {
    await release.promise;
    void session.send("last words");
    return "done";
  });
  const session = await planner.open("analyst");
  const messages = session.messages();
  const task = session.request("work", null);
  await task.delivered;
  const drained = analyst.drain();
  await expect(session.request("work", null).result).rejects.toMatchObject({
    reason: "agent_draining",
    retryable: true,
  });
  await expect(planner.open("analyst")).rejects.toMatchObject({ reason: "offer_rejected" });
  expect(await reasonOf(analyst.open("planner"))).toBe("agent_draining");
  release.resolve();
  expect(await task.result).toBe("done");
  expect((await next(messages)).content).toBe("last words");
  await drained;
  expect((await messages.next()).done).toBe(true);
  expect(await session.closed).toEqual({ reason: "drained" });
  expect(await reasonOf(planner.open("analyst"))).toBe("agent_offline");
});

test("drain acknowledges what was taken last: a session that its peer has closed is over when the agent has left", async () => {
  const [planner, analyst] = [await stage.connect("planner"), await stage.connect("analyst")];
  const session = await planner.open("analyst");
  const theirs = await next(analyst.sessions());
  const messages = theirs.messages();
  await session.close("done");
  // The close has come, and nothing else is to come that could take its receipt along.
  expect((await messages.next()).done).toBe(true);
  await analyst.drain();
  expect(await session.closed).toEqual({ reason: "done" });
});

test("drain waits for nobody who might take an offer: open rejects, and the agent leaves", async () => {
  const planner = await stage.connect("planner");
  await stage.certified("sleeper");
  const opening = reasonOf(planner.open("sleeper", { waitMs: 60_000 }));
  // The answer shows that the offer, said before the question, is at the broker.
  await planner.agents();
  await planner.drain();
  expect(await opening).toBe("agent_draining");
});

test("an offer that is taken while its maker drains: open has rejected, and the session is closed", async () => {
  // Another one than before: an offer that was given up still waits for that.
  const planner = await stage.connect("planner");
  await stage.certified("latecomer");
  const release = Promise.withResolvers<void>();
  await planner.handle("work", () => release.promise);
  const task = (await (await stage.connect("analyst")).open("planner")).request("work", null);
  await task.delivered;
  const opening = reasonOf(planner.open("latecomer", { waitMs: 60_000 }));
  const drained = planner.drain();
  expect(await opening).toBe("agent_draining");
  const session = await next((await stage.connect("latecomer")).sessions());
  expect(await session.closed).toEqual({ reason: "abandoned" });
  release.resolve();
  await task.result;
  await drained;
});

test("close ends everything at once, and whoever ignores promises is not punished", async () => {
  const [planner, analyst] = [await stage.connect("planner"), await stage.connect("analyst")];
  await analyst.handle("wait", (_, { signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve)));
  const session = await planner.open("analyst");
  const statuses = planner.status();
  const task = session.request("wait", null);
  await task.delivered;
  void session.send("never stored");
  void session.ready;
  await planner.close();
  expect(await reasonOf(task.result)).toBe("agent_closed");
  expect((await session.messages().next()).done).toBe(true);
  expect(await session.closed).toMatchObject({ reason: "agent_closed" });
  expect((await until(statuses, "session_closed")).session).toBe(session);
  expect((await statuses.next()).done).toBe(true);
  expect((await planner.sessions().next()).done).toBe(true);
});

test("pause holds the peer's work back at the broker, resume lets it come, also across a reconnect", async () => {
  const [planner, analyst] = [await stage.connect("planner"), await stage.connect("analyst")];
  await analyst.handle("ping", () => "pong");
  const { here, there } = await sessionBetween(planner, analyst);
  there.pause();
  // What is sent on the session after the pause shows that the broker has taken it.
  await there.send("paused");
  const receipt = await here.send("later");
  let delivered = false;
  const messages = there.messages();
  const arrived = next(messages).then(() => {
    delivered = true;
  });
  await there.send("still paused");
  expect(delivered).toBe(false);
  there.resume();
  await arrived;
  await receipt.delivered;
});
