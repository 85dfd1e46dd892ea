// Coming back: after a cut socket, after a crash of every object, elsewhere. Nothing is lost, repeated or reordered, and where
// that cannot be promised the session says so.
import { abortAllDurableObjects } from "cloudflare:test";
import { expect, it } from "vitest";
import { type Agent, everyWay, plain, plainDirect, uuid } from "./agents.ts";
import { Duo } from "./duo.ts";

/** The agent's sockets break. */
function cut(agent: Agent): void {
  agent.direct?.close(4000);
  agent.direct = undefined;
  agent.connection.close(4000);
}

everyWay("[A2, A6, S8] a receiver that was away gets what it missed, as it was, and nothing twice", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  await a.say(...duo.messages(1, 3));
  await b.socket.contents(3);
  await b.say(duo.ack(2));
  await a.socket.next("MESSAGE_ACK", ({ data }) => data?.delivered === 2);
  const before = b.socket.all("MESSAGE");
  cut(b);
  const missed = duo.messages(4, 6);
  await a.say(...missed.slice(0, 1));
  await a.say(...missed.slice(1));
  await a.socket.next("MESSAGE_ACK", ({ ack }) => ack === 6);

  // It had 3, and the application was done with 2; it says that it has 2: the third comes again, the same.
  const back = await duo.comeBack(b, 2, 1);
  expect(back.data).toMatchObject({ outcome: "resumed", state: "active", received: 0 });
  const again = [];
  while (again.length < 4) again.push(await b.socket.next("MESSAGE"));
  expect(again.map(({ seq }) => seq)).toEqual([3, 4, 5, 6]);
  expect(again[0]).toEqual(before[2]);
  expect(again.slice(1).map(({ id }) => id)).toEqual(missed.map(({ id }) => id));
  await b.say(duo.ack(6));
  await a.socket.next("MESSAGE_ACK", ({ data }) => data?.delivered === 6);
  await duo.expectAlive(7, 1);
  expect(b.socket.all("MESSAGE")).toHaveLength(5);
});

everyWay(
  "[A2, A6, S3] a sender that was away learns what is stored; what it sends again is not delivered again",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    const sent = duo.messages(1, 5);
    await a.say(...sent.slice(0, 3));
    await b.socket.contents(3);
    cut(a);
    await b.say(duo.ack(3), duo.message(1, "meanwhile"));
    await b.socket.next("MESSAGE_ACK");
    const back = await duo.comeBack(a, 0, 6);
    expect(back.data).toMatchObject({ outcome: "resumed", received: 3, delivered: 3 });
    expect(await a.socket.contents()).toEqual(["meanwhile"]);
    // A client that did not trust the answer sends all of it: duplicates are dropped and acknowledged.
    await a.say(...sent);
    expect(await a.socket.next("MESSAGE_ACK", ({ ack }) => ack === 5)).toMatchObject({ data: { delivered: 3 } });
    expect(await b.socket.contents(2)).toEqual([4, 5]);
    await duo.fence(b);
    expect(b.socket.all("MESSAGE").map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
  },
);

everyWay("[S6, A2] every object crashes: both come back, and what was acknowledged is there", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  await a.say(...duo.messages(1, 4));
  expect((await a.socket.next("MESSAGE_ACK")).ack).toBe(4);
  await b.say(duo.message(1, "from b"));
  expect((await b.socket.next("MESSAGE_ACK")).ack).toBe(1);
  await abortAllDurableObjects();
  for (const agent of [a, b]) {
    expect((await agent.connection.closed()).code).toBe(1006);
    agent.direct = undefined;
  }
  // b is back first, and had heard of nothing.
  expect((await duo.comeBack(b, 0, 2)).data).toMatchObject({ outcome: "resumed", received: 1 });
  expect(await b.socket.contents(4)).toEqual([1, 2, 3, 4]);
  expect((await duo.comeBack(a, 0, 5)).data).toMatchObject({ outcome: "resumed", received: 4 });
  expect(await a.socket.contents()).toEqual(["from b"]);
  await a.say(duo.ack(1));
  await b.say(duo.ack(4));
  await duo.expectAlive(5, 2);
});

everyWay(
  "[A2, A6, S2] both sides are away at once, many times, and every message arrives once and in order",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    const heard: { a: unknown[]; b: unknown[] } = { a: [], b: [] };
    for (let round = 1; round <= 12; round++) {
      // Two messages each way; the receipts are not waited for: what arrived of them is the broker's to say.
      const [first, last] = [2 * round - 1, 2 * round];
      await a.say(...duo.messages(first, last), duo.ack(heard.a.length));
      await b.say(...duo.messages(first, last), duo.ack(heard.b.length));
      if (round % 3 === 0) await abortAllDurableObjects();
      if (round % 3 !== 1) cut(round % 2 === 0 ? a : b);
      for (const [agent, mine] of [
        [a, heard.a],
        [b, heard.b],
      ] as const) {
        // Gone, or good as gone: everything is attached anew, as a client that trusts nothing does.
        if (agent.connection.end === undefined) cut(agent);
        const { data } = await duo.comeBack(agent, mine.length, last + 1);
        expect(data.outcome).toBe("resumed");
        const missing = duo.messages(data.received + 1, last);
        if (missing.length > 0) await agent.say(...missing);
      }
      while (heard.a.length < last) heard.a.push((await a.socket.next("MESSAGE")).seq);
      while (heard.b.length < last) heard.b.push((await b.socket.next("MESSAGE")).seq);
    }
    const all = Array.from({ length: 24 }, (_, i) => i + 1);
    expect(heard).toEqual({ a: all, b: all });
    await a.say(duo.ack(24));
    await b.say(duo.ack(24));
    await duo.expectAlive(25, 25);
  },
);

everyWay(
  "[A2] what cannot be resumed says so: another storage, numbers that do not fit, no such session",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    await a.say(...duo.messages(1, 3));
    await b.socket.contents(3);
    await b.say(duo.ack(2));
    await a.socket.next("MESSAGE_ACK", ({ data }) => data?.delivered === 2);
    const outcome = async (agent: Agent, line: object) => {
      await agent.say(line);
      return (await agent.socket.next("SESSION_RESUMED")).data;
    };
    expect(await outcome(a, duo.resume(0, 4, 1, "another"))).toMatchObject({
      outcome: "epoch_mismatch",
      epoch: duo.epoch,
      received: 3,
    });
    // b has more than was sent; or it has forgotten what it said it was done with.
    expect((await outcome(b, duo.resume(4, 1))).outcome).toBe("gap");
    if (!way.evicts) expect((await outcome(b, duo.resume(1, 1))).outcome).toBe("gap");
    // a never gave out what is stored; or it cannot send again what is not.
    expect((await outcome(a, duo.resume(0, 2))).outcome).toBe("gap");
    expect((await outcome(a, duo.resume(0, 9, 6))).outcome).toBe("gap");
    // None of that attached or took anything.
    await duo.expectAlive(4, 1);

    const unknown = { ...duo.resume(0, 1), session_id: uuid() };
    await a.tell(unknown);
    const { data } = await a.connection.next("SESSION_RESUMED", ({ in_reply_to }) => in_reply_to === unknown.id);
    expect(data).toEqual({ outcome: "unknown", received: 0, delivered: 0 });
  },
);

everyWay("[A2, N10] a session that ended while one was away leaves a tombstone", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  await a.say(duo.message(1), duo.close(2));
  await b.socket.next("SESSION_CLOSE");
  cut(a);
  await b.say(duo.ack(2));
  await b.socket.next("SESSION_CLOSED");
  const { data, limit } = await duo.comeBack(a, 0, 3);
  expect(data).toEqual({ outcome: "closed", state: "closed", epoch: duo.epoch, received: 2, delivered: 2 });
  expect(limit).toBe(0);
});

it.each([plain, plainDirect])("[A1, A3] the other path takes over, and back ($name first)", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  await a.say(...duo.messages(1, 2));
  await b.socket.contents(2);
  const old = b.socket;
  if (way.direct) {
    b.direct = undefined;
    await duo.attach(b, 2, 1);
    expect((await old.closed()).code).toBe(4409);
  } else await duo.goDirect(b, 2, 1);
  await a.say(duo.message(3));
  expect(await b.socket.contents()).toEqual([3]);
  await b.say(duo.ack(3));
  await a.socket.next("MESSAGE_ACK", ({ data }) => data?.delivered === 3);
  if (!way.direct) {
    // The connection itself lives on: it carries what else the agent does.
    const stale = duo.message(1);
    b.connection.say(stale, duo.message(2));
    const answer = await b.connection.next("ERROR");
    expect([answer.in_reply_to, answer.data.reason]).toEqual([stale.id, "session_not_attached"]);
  }
  await duo.expectAlive(4, 1);
});
