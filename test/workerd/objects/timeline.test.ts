// The timeline of a session over HTTP: everything the ring has, in the order in which it was stored, page by page; reading it
// leaves no trace.
import { expect, it } from "vitest";
import type { z } from "zod";
import { utf8Length } from "../../../protocol/wire/codec.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import { Timeline } from "../../../schema/http.ts";
import { ask, newAgent, tlsOf } from "../worker/fixtures.ts";
import { expectProblem } from "../worker/problem.ts";
import { type Agent, everyWay, plain, plainDirect, uuid } from "./agents.ts";
import { counting } from "./counters.ts";
import { Duo } from "./duo.ts";

type Page = z.infer<typeof Timeline>;

async function read(duo: Duo, query = "", agent: Agent = duo.a): Promise<Page> {
  await agent.forget();
  const response = await ask(`/v1/sessions/${duo.session_id}/timeline${query}`, agent.tls);
  expect(response.status).toBe(200);
  return Timeline.strict().parse(await response.json());
}

/** Every page of that size. */
async function readAll(duo: Duo, limit: number, query = ""): Promise<Page[]> {
  const pages = [await read(duo, `?limit=${limit}${query}`)];
  for (let next = pages[0]?.next; next !== undefined; next = pages.at(-1)?.next) {
    pages.push(await read(duo, `?limit=${limit}&after=${next}${query}`));
  }
  return pages;
}

everyWay("everything that was stored, of both directions, in its order, with its receipts", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  const before = Date.now();
  const [hello, other] = duo.messages(1, 2);
  const task_id = uuid();
  const request = duo.task("REQUEST", 3, task_id);
  await a.say(hello ?? "", other ?? "", request);
  await b.socket.next("TASK_REQUEST");
  const unknown = duo.task("PROGRESS", 1, uuid(), { progress: 0 });
  const response = duo.task("RESPONSE", 2, task_id, { status: "succeeded", result: "done" });
  await b.say(unknown, response, duo.ack(3));
  await b.errorAbout(unknown.id);
  await a.socket.next("TASK_RESPONSE");
  // The same request once more: the broker answers it from what it has.
  const again = { ...request, id: uuid(), seq: 4 };
  await a.say(again, duo.ack(1));
  const replayed = await a.socket.next("TASK_RESPONSE");
  const last = duo.message(5, "ü");
  await a.say(last);
  await b.socket.next("MESSAGE", ({ data }) => data.content === "ü");

  const { envelopes, next } = await read(duo);
  expect(next).toBeUndefined();
  const brief = envelopes.map(
    ({ type, id, from, seq, sender_seq, task_id: task, receipts: { delivered } }) =>
      [type, id, from, seq, sender_seq, task, delivered] as const,
  );
  expect(brief).toEqual([
    ["MESSAGE", hello?.id, a.name, 1, 1, undefined, true],
    ["MESSAGE", other?.id, a.name, 2, 2, undefined, true],
    ["TASK_REQUEST", request.id, a.name, 3, 3, task_id, true],
    ["TASK_RESPONSE", response.id, b.name, 1, 2, task_id, true],
    ["TASK_RESPONSE", replayed.id, b.name, 2, null, task_id, false],
    ["MESSAGE", last.id, a.name, 4, 5, undefined, false],
  ]);
  expect(envelopes[4]?.in_reply_to).toBe(again.id);
  for (const { at, receipts, ...rest } of envelopes) {
    expect(Date.parse(at)).toBeGreaterThanOrEqual(before - 1);
    expect(receipts.stored).toBe(true);
    expect(rest).not.toHaveProperty("data");
  }
  const whole = await b.socket.all("MESSAGE").find(({ id }) => id === last.id);
  expect(envelopes[5]?.bytes).toBe(utf8Length(JSON.stringify(whole)));

  // Payloads only for who asks; the other side sees the same.
  const full = await read(duo, "?payloads=true", b);
  expect(full.envelopes.map(({ data: _, ...rest }) => rest)).toEqual(envelopes);
  expect(full.envelopes[3]?.data).toEqual({ task_id, status: "succeeded", result: "done" });
  expect(full.envelopes[5]?.data).toEqual({ content: "ü" });
  // Any place can be read on from.
  expect((await read(duo, `?after=${envelopes[2]?.cursor}`)).envelopes).toEqual(envelopes.slice(3));
});

it("pages end inside frames, go on after them, and are never longer than asked", async () => {
  const duo = await Duo.open(plainDirect);
  const { a, b } = duo;
  await a.say(...duo.messages(1, 100));
  await b.say(...duo.messages(1, 30));
  await a.say(...duo.messages(101, 150));
  await a.socket.contents(30);
  await b.socket.contents(150);
  const [whole] = await readAll(duo, 200);
  expect(whole?.envelopes).toHaveLength(180);
  const at = whole?.envelopes.map(({ at }) => at);
  expect(at).toEqual([...(at ?? [])].sort());
  for (const limit of [1, 7, 100, 130, 180]) {
    if (limit === 1) {
      expect((await read(duo, "?limit=1")).envelopes).toEqual(whole?.envelopes.slice(0, 1));
      continue;
    }
    const pages = await readAll(duo, limit);
    expect(pages.map(({ envelopes }) => envelopes.length)).toEqual(
      Array.from({ length: Math.ceil(180 / limit) }, (_, i) => Math.min(limit, 180 - i * limit)),
    );
    expect(pages.flatMap(({ envelopes }) => envelopes)).toEqual(whole?.envelopes);
  }
});

it("what was overwritten is gone, and what is left is numbered as before", async () => {
  const duo = await Duo.open(plainDirect);
  const { a, b } = duo;
  const frames = limits.ringRowsMax + 10;
  for (let seq = 0; seq < frames; ) {
    const upTo = Math.min(frames, seq + 128);
    while (seq < upTo) a.socket.say(duo.message(++seq));
    await a.socket.next("MESSAGE_ACK", ({ ack }) => ack === seq);
    b.socket.say(duo.ack(seq));
    await a.socket.next("MESSAGE_ACK", ({ data }) => data?.delivered === seq);
  }
  const pages = await readAll(duo, 200);
  const envelopes = pages.flatMap((page) => page.envelopes);
  expect(envelopes.map(({ seq }) => seq)).toEqual(Array.from({ length: limits.ringRowsMax }, (_, i) => i + 11));
  expect(envelopes.every(({ seq, sender_seq }) => seq === sender_seq)).toBe(true);
});

it("large payloads make a page shorter, not the answer huge", async () => {
  const duo = await Duo.open(plainDirect);
  const content = "x".repeat(200 * 1024);
  for (let seq = 1; seq <= 15; seq++) await duo.a.say(duo.message(seq, content));
  await duo.a.socket.next("MESSAGE_ACK", ({ ack }) => ack === 15);
  const pages = await readAll(duo, 200, "&payloads=true");
  expect(pages.map(({ envelopes }) => envelopes.length)).toEqual([10, 5]);
  expect(pages.flatMap(({ envelopes }) => envelopes.map(({ seq }) => seq))).toEqual(
    [...Array(15).keys()].map((i) => i + 1),
  );
});

everyWay("reading writes nothing, neither rows nor alarms, and asks D1 only who is asking", async (way) => {
  const duo = await Duo.open(way);
  await duo.a.say(...duo.messages(1, 20));
  await duo.b.socket.contents(20);
  await duo.indexed("active");
  using counter = await counting(duo.object);
  await read(duo, "?payloads=true");
  await ask(`/v1/sessions/${duo.session_id}`, duo.a.tls);
  await ask(`/v1/sessions/${uuid()}/timeline`, duo.a.tls);
  expect(counter.counts).toEqual({ rows: 0, alarms: 0, queries: 3 });
});

it("is for the two of the session", async () => {
  const duo = await Duo.open(plain);
  await duo.a.say(duo.message(1));
  await duo.b.socket.contents(1);
  const path = `/v1/sessions/${duo.session_id}/timeline`;
  const stranger = await newAgent("timeline-stranger");
  await expectProblem(await ask(path, tlsOf(stranger.fingerprint)), "session_unknown");
  const elsewhere = await newAgent(duo.a.name, "elsewhere");
  await expectProblem(await ask(path, tlsOf(elsewhere.fingerprint)), "session_unknown");
  await expectProblem(await ask(path, undefined), "credentials_required");
  for (const query of ["limit=201", "limit=0", "after=1", "after=1.2.3", "payloads=yes"]) {
    const problem = await expectProblem(await ask(`${path}?${query}`, duo.a.tls), "invalid_request");
    expect(problem.issues?.map(({ path: member }) => member)).toEqual([query.split("=")[0]]);
  }
});
