// What an ended session left undelivered, over HTTP: listed with its reason, and forgotten at last. Sent again: redriving.test.ts.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";
import { limits } from "../../../protocol/wire/limits.ts";
import { Session } from "../../../schema/http.ts";
import { ask, newAgent, tlsOf } from "../worker/fixtures.ts";
import { expectProblem } from "../worker/problem.ts";
import { everyWay, plain, uuid } from "./agents.ts";
import { counting } from "./counters.ts";
import { Duo } from "./duo.ts";
import { another, expire, letters, redrive, ring } from "./letters.ts";

afterEach(() => {
  vi.useRealTimers();
});

everyWay("[D1] lists what was accepted and never acknowledged, of both sides, with the reason", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  const [waits, cancelled, answered] = [uuid(), uuid(), uuid()];
  await a.say(...duo.messages(1, 3), duo.task("REQUEST", 4, waits), duo.task("REQUEST", 5, cancelled));
  await a.say(duo.task("CANCEL", 6, cancelled, { reason: "no need" }), duo.task("REQUEST", 7, answered));
  await b.socket.next("TASK_REQUEST", ({ data }) => data.task_id === answered);
  // Answered before it acknowledged: it has the task.
  await b.say(duo.ack(2), duo.message(1, "back"), duo.task("RESPONSE", 2, answered, { status: "succeeded" }));
  await a.socket.next("TASK_RESPONSE");
  expect(await letters(duo)).toEqual({ dead_letters: [] });
  await expire(duo);

  const { dead_letters } = await letters(duo);
  expect(dead_letters.map(({ type, from, sender_seq, redrivable }) => [type, from, sender_seq, redrivable])).toEqual([
    ["MESSAGE", a.name, 3, true],
    ["TASK_REQUEST", a.name, 4, true],
    ["TASK_REQUEST", a.name, 5, false],
    ["TASK_CANCEL", a.name, 6, false],
    ["TASK_REQUEST", a.name, 7, false],
    ["MESSAGE", b.name, 1, true],
    ["TASK_RESPONSE", b.name, 2, false],
    // The broker's own: nobody answered the cancel.
    ["TASK_RESPONSE", b.name, null, false],
  ]);
  for (const { reason, receipts, redriven_to, ...rest } of dead_letters) {
    expect({ reason, receipts, redriven_to }).toEqual({
      reason: "session_expired",
      receipts: { stored: true, delivered: false },
      redriven_to: null,
    });
    expect(rest).not.toHaveProperty("data");
  }
  const whole = await letters(duo, "?payloads=true&limit=2", b);
  expect(whole.dead_letters.map(({ data }) => data)).toEqual([
    { content: 3 },
    { task_id: waits, capability: "analyze", input: { of: waits } },
  ]);
  expect((await letters(duo, `?after=${whole.next}`, b)).dead_letters).toEqual(dead_letters.slice(2));
  const shown = await ask(`/v1/sessions/${duo.session_id}`, a.tls);
  expect(Session.parse(await shown.json())).toMatchObject({
    state: "expired",
    streams: [{ waiting: 5 }, { waiting: 3 }],
  });
  const stranger = await newAgent(`stranger-of-${duo.session_id}`);
  const path = `/v1/sessions/${duo.session_id}/dead-letters`;
  await expectProblem(await ask(path, tlsOf(stranger.fingerprint)), "session_unknown");
});

it("a dead letter costs no row, and redriving it one", async () => {
  const duo = await Duo.open(plain);
  await duo.a.say(...duo.messages(1, 50));
  await duo.b.socket.contents(50);
  await duo.indexed("active");
  using counter = await counting(duo.object);
  await expire(duo);
  const ended = counter.counts.rows;
  expect(ended).toBeLessThanOrEqual(6);
  const target = await another(duo);
  await target.indexed("active");
  const before = counter.counts.rows;
  await letters(duo);
  expect(counter.counts.rows).toBe(before);
  await redrive(duo, target);
  // The letters, the note of them with its table, where they go.
  expect(counter.counts.rows - before).toBeLessThanOrEqual(50 + 6);
});

everyWay("[D5, L27] an ended session is forgotten, and its id is free again", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  await a.say(duo.message(1), duo.close(2));
  await b.socket.next("SESSION_CLOSE");
  await b.say(duo.ack(2));
  await a.socket.next("SESSION_CLOSED");
  await duo.indexed("closed");
  await ring(duo, limits.tombstoneMs - 60_000);
  expect((await ask(`/v1/sessions/${duo.session_id}`, a.tls)).status).toBe(200);

  await ring(duo, limits.tombstoneMs + 60_000);
  await vi.waitFor(async () => {
    await expectProblem(await ask(`/v1/sessions/${duo.session_id}`, a.tls), "session_unknown");
  });
  for (const path of ["timeline", "dead-letters"]) {
    await expectProblem(await ask(`/v1/sessions/${duo.session_id}/${path}`, a.tls), "session_unknown");
  }
  expect(await env.DB.prepare("SELECT * FROM sessions WHERE id = ?").bind(duo.session_id).first()).toBeNull();
  const left = await runInDurableObject(duo.object, async (_, { storage }) => [
    storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('session', 'ring', 'tasks')").toArray(),
    await storage.getAlarm(),
  ]);
  expect(left).toEqual([[], null]);
  // Both come back after a week.
  for (const agent of [a, b]) {
    agent.direct = undefined;
    await agent.register();
  }
  await a.tell(duo.resume(0, 3));
  expect((await a.connection.next("SESSION_RESUMED")).data.outcome).toBe("unknown");

  await duo.begin();
  if (way.direct) for (const agent of [a, b]) await duo.goDirect(agent);
  await duo.expectAlive(1, 1);
});
