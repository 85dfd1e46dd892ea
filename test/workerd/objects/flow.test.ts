// Windows and pauses: a slow receiver stops its sender, nothing is lost, and what is stored has a bound.
import { expect, it } from "vitest";
import { limits } from "../../../protocol/wire/limits.ts";
import { Agent, everyWay, plain, plainDirect, uuid } from "./agents.ts";
import { Duo } from "./duo.ts";

const { windowMessages } = limits;
const numbers = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

everyWay(
  "[W1, W2, W3, W4, W5, L5, L7] a receiver that does not acknowledge stops its sender; nothing is lost",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    const high = windowMessages * limits.pauseAtShare;
    for (let sent = 0; sent < high - 64; sent += 64) await a.say(...duo.messages(sent + 1, sent + 64));
    await duo.fence(a);
    expect(a.socket.unread("PAUSE")).toEqual([]);
    await a.say(...duo.messages(high - 63, high));
    expect((await a.socket.next("PAUSE")).session_id).toBe(duo.session_id);
    // A pause is advice: what is within the limit is still taken.
    for (let sent = high; sent < windowMessages; sent += 64) await a.say(...duo.messages(sent + 1, sent + 64));
    const full = await a.socket.next("MESSAGE_ACK", ({ ack }) => ack === windowMessages);
    expect(full.limit).toBe(windowMessages);
    expect(await b.socket.contents(windowMessages)).toEqual(numbers(1, windowMessages));

    // Where memory was lost, a client may know of a little more than the session does; the bound holds with that.
    const last = windowMessages + limits.cursorLagMessagesMax;
    const beyond = duo.message(last + 1);
    await a.say(...duo.messages(windowMessages + 1, last), beyond);
    expect((await a.socket.next("ERROR")).data).toMatchObject({ reason: "flow_control", retryable: true });
    expect(a.socket.end).toBeUndefined();
    const { ack: taken } = a.socket.all("MESSAGE_ACK").at(-1) ?? { ack: 0 };
    expect(taken).toBeLessThanOrEqual(last);
    if (!way.evicts) expect(taken).toBe(windowMessages);

    await b.say(duo.ack(windowMessages));
    await a.socket.next("RESUME");
    const room = await a.socket.next("MESSAGE_ACK", ({ data }) => data?.delivered === windowMessages);
    expect(room.limit).toBeGreaterThanOrEqual(2 * windowMessages - limits.cursorLagMessagesMax);
    await a.say(...duo.messages(taken + 1, 700));
    expect(await b.socket.contents(700 - windowMessages)).toEqual(numbers(windowMessages + 1, 700));
  },
);

it.each([plain, plainDirect])(
  "[W2] rows stay bounded whatever is sent ($name)",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    const total = limits.ringRowsMax + 300;
    for (let first = 1; first <= total; first += 100) {
      const last = Math.min(total, first + 99);
      for (const message of duo.messages(first, last)) a.socket.say(message);
      await a.socket.next("MESSAGE_ACK", ({ ack }) => ack === last);
      b.socket.say(duo.ack(last));
    }
    expect(await b.socket.contents(total)).toEqual(numbers(1, total));
    expect(await duo.ringRows()).toBe(limits.ringRowsMax);
    // What was overwritten is not needed any more: the session is restored from the rest.
    await duo.fence(a);
    await Agent.forgetAll();
    await duo.expectAlive(total + 1, 1);
  },
  60_000,
);

it.each([plain, plainDirect])(
  "[L6, W3, W5] bytes are a window too ($name)",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    const content = "x".repeat(250 * 1024);
    const perWindow = Math.ceil(limits.windowBytes / content.length);
    for (let seq = 1; seq <= perWindow; seq++) a.socket.say(duo.message(seq, content));
    const full = await a.socket.next("MESSAGE_ACK", ({ ack }) => ack === perWindow);
    await a.socket.next("PAUSE");
    // The first grants were given before there were bytes, and are kept; none came since.
    expect(full.limit).toBe(windowMessages);
    await b.socket.contents(perWindow - 1);
    b.socket.say(duo.ack(perWindow - 1));
    await a.socket.next("RESUME");
    expect(await b.socket.contents()).toEqual([content]);
  },
  60_000,
);

everyWay("[W6] an agent pauses one session, and gets what waited when it resumes", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  await b.say(duo.of("PAUSE"));
  await duo.fence(b);
  await a.say(...duo.messages(1, 3));
  expect((await a.socket.next("MESSAGE_ACK")).ack).toBe(3);
  await duo.fence(b);
  expect(b.socket.all("MESSAGE")).toEqual([]);
  // A pause holds up what comes, not what goes.
  await b.say(duo.message(1));
  expect(await a.socket.contents()).toEqual([1]);
  await b.say(duo.of("RESUME"));
  expect(await b.socket.contents(3)).toEqual([1, 2, 3]);
});

everyWay("[W7, A1] an agent pauses all of its sessions at once", async (way) => {
  const duos = [await Duo.open(way)];
  const [one] = duos;
  if (one === undefined) return;
  const other = new Duo(await Agent.registered(way, "planner"), one.b);
  await other.begin();
  duos.push(other);
  // Over the connection; a direct socket is its session's own affair, and the other session hears nothing of it.
  await one.b.tell({ type: "PAUSE" });
  await other.fence(one.b, one.b.connection);
  for (const duo of duos) {
    await duo.a.say(duo.message(1, uuid()));
    await duo.a.socket.next("MESSAGE_ACK");
  }
  await other.fence(one.b, one.b.connection);
  expect(one.b.connection.all("MESSAGE")).toEqual([]);
  if (way.direct) expect(await one.b.socket.contents()).toHaveLength(1);
  await one.b.tell({ type: "RESUME" });
  const waited = way.direct ? [other] : duos;
  for (const { session_id } of waited) {
    await one.b.connection.next("MESSAGE", (message) => message.session_id === session_id);
  }
  const questions = new Set(one.b.connection.all("ERROR").map(({ data }) => data.reason));
  expect(questions).toEqual(new Set(["ack_beyond"]));
});

it.each([plain, plainDirect])(
  "[W4, S7] receipts after a loss of memory are at most 64 behind, and the next ones mend that ($name)",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    const total = 100;
    for (let seq = 1; seq <= total; seq++) {
      await a.say(duo.message(seq));
      await b.socket.contents();
      await b.say(duo.ack(seq));
      await a.socket.next("MESSAGE_ACK", ({ data }) => data?.delivered === seq);
    }
    const { limit: told = 0 } = a.socket.all("MESSAGE_ACK").at(-1) ?? {};
    await Agent.forgetAll();
    await a.say(duo.message(total + 1));
    // What is stored is never behind: it is in the rows.
    const { limit, data } = await a.socket.next("MESSAGE_ACK", ({ ack }) => ack === total + 1);
    expect(data?.delivered).toBeGreaterThanOrEqual(total - limits.cursorLagMessagesMax);
    expect(limit).toBeGreaterThanOrEqual(told - limits.cursorLagMessagesMax);
    await b.say(duo.ack(total + 1));
    const mended = await a.socket.next("MESSAGE_ACK", ({ data }) => data?.delivered === total + 1);
    expect(mended.limit).toBe(told + 1);
  },
);
