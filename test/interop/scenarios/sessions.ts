// Who may open a session with whom, how it ends, and who is let in at all.
import { setTimeout as sleep } from "node:timers/promises";
import type { Pair, Party } from "../pair.ts";
import { count, ended, holds, performed, refused, type Scenario, same, whole } from "./scenario.ts";

const lifecycle: Scenario = {
  name: "lifecycle",
  shows: "an offer is accepted, or rejected in the peer's words; either side closes, and both hear the reason",
  async play({ a, b, ...pair }: Pair) {
    const first = await a.ask("open", { peer: b.agent, metadata: { purpose: "tests" } });
    same("the peer", first.peer, b.agent);
    holds("the opener is told what the peer can do", first.capabilities.includes("echo"));
    const offered = await b.ask("session", { session: first.session });
    same("the session as offered", offered, { peer: a.agent, recovered: false, requested: [] });
    await a.ask("close", { session: first.session, reason: "the opener is done" });
    for (const party of [a, b]) {
      same("the end", await party.ask("ended", { session: first.session }), { reason: "the opener is done" });
    }

    const { session } = await a.ask("open", { peer: b.agent });
    await b.ask("send", { session, from: 1, to: 3 });
    await b.ask("close", { session, reason: "Übergabe ✓" });
    same("what was said before the close", await a.ask("receive", { session, from: 1, to: 3 }), whole(3));
    for (const party of [a, b]) {
      same("the end", await party.ask("ended", { session }), { reason: "Übergabe ✓" });
    }
    await refused("after the end", "session_closed", a.ask("send", { session, from: 1, to: 1 }));

    const busy = a.ask("open", { peer: b.agent, metadata: { reject: "not today" } });
    await refused("a rejected offer", "offer_rejected", busy);
    const words = await busy.catch((error: Error) => error.message);
    holds(`the peer's words are in: ${words}`, String(words).includes("not today"));
    await refused("nobody of that name", "agent_unknown", a.ask("open", { peer: `${pair.name}-nobody` }));
    await refused("a session with oneself", "self_session", a.ask("open", { peer: a.agent }));
  },
};

const offerWaits: Scenario = {
  name: "offer-waits",
  shows: "an offer to an agent that is away waits for it, and is accepted when it comes",
  async play(pair: Pair) {
    const { a, b } = pair;
    await b.kill();
    const opening = a.ask("open", { peer: b.agent, wait_ms: 30_000 });
    await sleep(200);
    await b.start();
    const { session, peer } = await opening;
    same("the peer", peer, b.agent);
    same("the session as offered", (await b.ask("session", { session })).recovered, false);
    same("its work", (await performed(a, session, "echo", "welcome")).result, "welcome");
    await pair.close(session);
  },
};

const byCapability: Scenario = {
  name: "by-capability",
  shows:
    "an agent is found by what it announced, is offered no more than it has room for, and is free again afterwards",
  async play({ a, b, name }: Pair) {
    const capability = `only.${name}`;
    await refused("before it is announced", "capability_unknown", a.ask("open", { capability }));
    await b.ask("handle", { capability, as: "echo", max_concurrency: 1 });
    same("who can do it", await a.ask("agents", { capability }), { agents: [b.agent] });
    const { session, peer } = await a.ask("open", { capability });
    same("the peer", peer, b.agent);
    same("its work", (await performed(a, session, capability, ["asked"])).result, ["asked"]);
    await refused("a second one", "capability_busy", a.ask("open", { capability }));
    const waiting = a.ask("open", { capability, wait_ms: 10_000 });
    await sleep(100);
    await a.ask("close", { session, reason: "done" });
    const second = await waiting;
    same("the peer, once it has room", second.peer, b.agent);
    await a.ask("close", { session: second.session, reason: "done" });
    await b.ask("ended", { session: second.session });
  },
};

const superseded: Scenario = {
  name: "superseded",
  shows:
    "a second process with the same certificate takes over, and goes on with the sessions of the first, which stays away",
  async play(pair: Pair) {
    const { a, b } = pair;
    const session = await pair.open();
    const sending = a.ask("send", { session, from: 1, to: 10, wait: "delivered" });
    same("the former's messages", await b.ask("receive", { session, from: 1, to: 10 }), whole(10));
    await sending;
    const former = await b.supersede();
    await former.ask("statuses", { until: "superseded" });
    same("the former's end", await former.ask("ended", { session }), { reason: "superseded", error: "superseded" });
    await refused("the former", "superseded", former.ask("open", { peer: a.agent }));
    same("the latter's session", await b.ask("session", { session }), {
      peer: a.agent,
      recovered: true,
      requested: [],
    });
    await a.ask("send", { session, from: 11, to: 20 });
    same("the latter's messages", await b.ask("receive", { session, from: 11, to: 20 }), whole(10));
    same("its work", (await performed(a, session, "echo", "still there")).result, "still there");
    await pair.close(session);
    same("reconnects of the latter", await count(b, "disconnected"), 0);
    await former.leave();
  },
};

async function refuseForeigners(party: Party, { stage }: Pair): Promise<void> {
  const { url, papers, agent } = party;
  const someoneElse = party.role === "a" ? `${agent}-else` : agent;
  const attempts = {
    certificate_untrusted: await stage.ofUnknownCa(agent),
    certificate_unknown: await stage.ofUnknownHolder(someoneElse),
    broker_untrusted: { ...papers, ca: await stage.strangersCa() },
    // Without a certificate, and with one whose key is another's, nobody comes as far as to dial.
    invalid_argument: { ca: papers.ca },
  };
  for (const [reason, given] of Object.entries(attempts)) {
    const connecting = party.ask("connect", { url, ...given, timeout_ms: 20_000 });
    await refused(`${party.role} with a wrong certificate`, reason, connecting);
  }
  const key = (await stage.ofUnknownHolder(agent)).key;
  const mixed = party.ask("connect", { url, ...papers, key, timeout_ms: 20_000 });
  await refused(`${party.role} with another's key`, "invalid_argument", mixed);
}

const certificates: Scenario = {
  name: "certificates",
  shows:
    "an unknown CA, a certificate in somebody's name, none, one with another's key, and a broker that is not ours: refused",
  async play(pair: Pair) {
    const session = await pair.open();
    await Promise.all([refuseForeigners(pair.a, pair), refuseForeigners(pair.b, pair)]);
    same("the session of those who are known", (await performed(pair.a, session, "echo", 1)).result, 1);
    await pair.close(session);
  },
};

const drain: Scenario = {
  name: "drain",
  shows: "an agent that drains finishes what it performs, closes its sessions and ends by itself",
  async play(pair: Pair) {
    const { a, b } = pair;
    const session = await pair.open();
    const { task } = await a.ask("request", { session, capability: "hold", input: "last work" });
    await a.ask("started", { task });
    const draining = b.ask("drain", {});
    await sleep(100);
    await b.ask("release", { task });
    const outcome = await a.ask("result", { task });
    ended("what was begun", outcome, "succeeded");
    await draining;
    same("the end", await a.ask("ended", { session }), { reason: "drained" });
    await refused("who has left", "agent_offline", a.ask("open", { peer: b.agent }));
    await a.ask("drain", {});
    await Promise.all([a.leave(), b.leave()]);
    await Promise.all([a.start(), b.start()]);
  },
};

export const sessions = [lifecycle, offerWaits, byCapability, superseded, certificates, drain] as const;
