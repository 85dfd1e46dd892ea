// What a session tells an agent's object of itself, in whatever order it arrives: the agent's list holds what lives, and nothing else.
// Each notice is the RPC itself, sent by hand at another moment than the session's own.
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import type { AgentObject } from "../../../durable-objects/agent-object.ts";
import type { SessionNotice } from "../../../durable-objects/rpc.ts";
import { agentObject } from "../../../worker/objects.ts";
import { Agent, everyWay, multiplexed, plain } from "./agents.ts";
import { Duo } from "./duo.ts";

const objectOf = ({ name }: Agent) => agentObject(env, "local", name);
const noticeOf = ({ session_id, b }: Duo, live: boolean): SessionNotice => ({
  account: "local",
  session_id,
  peer: b.name,
  live,
});
const inside = <T>(agent: Agent, look: (object: AgentObject, storage: DurableObjectStorage) => T) =>
  runInDurableObject(objectOf(agent), (object, { storage }) => look(object, storage));

/** What the agent is told of its sessions. */
const listed = async (agent: Agent) => (await agent.register()).data.sessions.map(({ session_id }) => session_id);

async function ended(duo: Duo): Promise<void> {
  await duo.a.tell(duo.close(1));
  await duo.b.connection.next("SESSION_CLOSE");
  await duo.b.tell(duo.ack(1));
  await duo.a.connection.next("SESSION_CLOSED");
  await duo.indexed("closed");
}

everyWay(
  "[R3] that a session became live, heard after its end, does not put it on the list again",
  async (way) => {
    const duo = await Duo.open(way);
    await duo.indexed("active");
    await ended(duo);
    expect(await listed(duo.a)).toEqual([]);
    await duo.a.forget();
    await objectOf(duo.a).sessionChanged(noticeOf(duo, true));
    expect(await listed(duo.a)).toEqual([]);
  },
  multiplexed,
);

it("[R3] an end that comes while the session is asked how it stands has the last word", async () => {
  const duo = await Duo.open(plain);
  await duo.indexed("active");
  // The session lives, and says so; what was heard of its end came after the question.
  await inside(duo.a, async (object) => {
    await object.sessionChanged(noticeOf(duo, false));
    const late = object.sessionChanged(noticeOf(duo, true));
    await object.sessionChanged(noticeOf(duo, false));
    await late;
  });
  expect(await listed(duo.a)).toEqual([]);
});

it("[R3] a session that lives comes back to a list that had lost it, however often it is told", async () => {
  const duo = await Duo.open(plain);
  await duo.indexed("active");
  await inside(duo.a, async (object, storage) => {
    storage.sql.exec("DELETE FROM sessions");
    await Promise.all([1, 2, 3].map(() => object.sessionChanged(noticeOf(duo, true))));
  });
  expect(await listed(duo.a)).toEqual([duo.session_id]);
});

it("a session that cannot be asked is told again: its notice fails, and the list stays as it is", async () => {
  const duo = await Duo.open(plain);
  await duo.indexed("active");
  await inside(duo.a, (_, storage) => storage.sql.exec("DELETE FROM sessions"));
  await runInDurableObject(duo.object, (_, { storage }) => storage.sql.exec("UPDATE session SET schema_version = 99"));
  await evictDurableObject(duo.object);
  await inside(duo.a, (object) => expect(object.sessionChanged(noticeOf(duo, true))).rejects.toThrow("newer version"));
  expect(await listed(duo.a)).toEqual([]);
});

it("a session that was never there is not put on the list", async () => {
  const agent = await Agent.registered(plain, "credulous");
  const session_id = crypto.randomUUID();
  await objectOf(agent).sessionChanged({ account: "local", session_id, peer: "nobody", live: true });
  expect(await listed(agent)).toEqual([]);
});
