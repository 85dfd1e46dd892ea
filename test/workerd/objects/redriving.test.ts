// Dead letters that are sent again into another session: each exactly once, whoever asks how often, and whatever fails in between.
import { runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Letter } from "../../../protocol/session/redrive.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import { Timeline } from "../../../schema/http.ts";
import { ask } from "../worker/fixtures.ts";
import { expectProblem } from "../worker/problem.ts";
import { Agent, everyWay, plain, uuid } from "./agents.ts";
import { Duo } from "./duo.ts";
import { another, expire, left, letters, post, redrive } from "./letters.ts";

afterEach(() => {
  vi.useRealTimers();
});

everyWay("[D2, D3] go into another session, each once, whoever asks how often", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  const task_id = uuid();
  const sent = [...duo.messages(1, 3), duo.task("REQUEST", 4, task_id)];
  await a.say(...sent);
  await b.socket.next("TASK_REQUEST");
  await b.say(duo.ack(1), duo.message(1, "of b"));
  await a.socket.contents(1);
  await expire(duo);
  const target = await another(duo);
  await a.say(target.message(1, "fresh"));
  await b.socket.next("MESSAGE", ({ data }) => data.content === "fresh");

  expect(await redrive(duo, target)).toEqual({ session_id: target.session_id, redriven: 3, skipped: 0, remaining: 0 });
  const request = await b.socket.next("TASK_REQUEST", ({ session_id }) => session_id === target.session_id);
  const ids = sent.map(({ id }) => id);
  expect(request).toMatchObject({ id: ids[3], seq: 4, from: a.name, data: { task_id, input: { of: task_id } } });
  for (let again = 0; again < 2; again++)
    expect(await redrive(duo, target)).toMatchObject({ redriven: 0, remaining: 0 });
  // The other side's letters are its own to send.
  expect(await redrive(duo, target, b)).toMatchObject({ redriven: 1 });
  expect((await a.socket.next("MESSAGE", ({ session_id }) => session_id === target.session_id)).data.content).toBe(
    "of b",
  );

  await b.say(target.task("RESPONSE", 1, task_id, { status: "succeeded", result: "late, but once" }), target.ack(4));
  expect((await a.socket.next("TASK_RESPONSE")).data.result).toBe("late, but once");
  const path = `/v1/sessions/${target.session_id}/timeline`;
  const { envelopes } = Timeline.parse(await (await ask(path, a.tls)).json());
  expect(envelopes.map(({ id, sender_seq, receipts }) => [id, sender_seq, receipts.delivered]).slice(1, 4)).toEqual([
    [ids[1], null, true],
    [ids[2], null, true],
    [ids[3], null, true],
  ]);
  const { dead_letters } = await letters(duo);
  expect(dead_letters.map(({ redriven_to }) => redriven_to)).toEqual(Array(4).fill(target.session_id));
  await target.expectAlive(2, 2, 3, 5);
});

it("[D2] once, by many calls at a time", async () => {
  const duo = await left(100);
  const target = await another(duo);
  const answers = await Promise.all(Array.from({ length: 6 }, () => redrive(duo, target)));
  expect(answers.reduce((sum, { redriven }) => sum + redriven, 0)).toBe(100);
  expect(await duo.b.socket.contents(100)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  await target.fence(duo.b);
  const arrived = duo.b.socket.all("MESSAGE");
  expect(arrived).toHaveLength(100);
});

it("[D2] once, though the source crashed before it heard what the target took", async () => {
  const duo = await left(5);
  const target = await another(duo);
  const lines = await runInDurableObject(duo.object, (_, { storage }) =>
    storage.sql.exec<{ body: string }>("SELECT body FROM ring ORDER BY row").one().body.split("\n"),
  );
  const handed: Letter[] = lines.slice(0, 3).map((line, i) => ({ seq: i + 1, line }));
  // The target took these three; its answer never came.
  expect(await target.object.takeLetters(duo.a.name, duo.session_id, handed)).toMatchObject({ taken: 3 });
  await Agent.forgetAll();
  expect(await redrive(duo, target)).toMatchObject({ redriven: 2, remaining: 0 });
  expect(await duo.b.socket.contents(5)).toEqual([1, 2, 3, 4, 5]);
});

it("[D2] once, though two targets are named at the same time", async () => {
  const duo = await left(20, plain);
  const targets = [await another(duo), await another(duo)];
  const answers = await Promise.all(targets.map(({ session_id }) => post(duo, session_id)));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
  for (const target of targets) await target.fence(duo.b);
  const arrived = duo.b.socket.all("MESSAGE").filter(({ session_id }) => session_id !== duo.session_id);
  expect(arrived.map(({ data }) => data.content)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
});

it("[D2] once, though the target took more than it could tell, and ended", async () => {
  const duo = await left(200, plain);
  const { a, b } = duo;
  const first = await another(duo);
  expect(await redrive(duo, first)).toMatchObject({ redriven: 128, remaining: 72 });
  await b.socket.contents(128);
  await b.say(first.ack(128));
  await first.fence(b);
  const { dead_letters } = await letters(duo, "?limit=200&payloads=true");
  const handed = dead_letters.slice(128, 150).map(({ seq, type, id, from, data }) => {
    return { seq, line: JSON.stringify({ type, id, session_id: duo.session_id, seq, from, data }) };
  });
  expect(await first.object.takeLetters(a.name, duo.session_id, handed)).toMatchObject({ taken: 22 });
  await a.say(first.close(1));
  await b.socket.next("SESSION_CLOSE");
  await b.say(first.ack(151));
  await a.socket.next("SESSION_CLOSED");
  await Agent.forgetAll();

  const second = await another(duo);
  expect(await redrive(duo, second)).toMatchObject({ redriven: 50, remaining: 0 });
  await second.fence(b);
  const arrived = b.socket.all("MESSAGE").filter(({ session_id }) => session_id !== duo.session_id);
  expect(arrived.map(({ data }) => data.content)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
  const after = (await letters(duo, "?limit=200")).dead_letters.map(({ redriven_to }) => redriven_to);
  expect(after).toEqual([...Array(150).fill(first.session_id), ...Array(50).fill(second.session_id)]);
});

it("[D4] what finds no room remains, and goes on later, into another session when that one has ended", async () => {
  const duo = await left(300, plain);
  const { a, b } = duo;
  const first = await another(duo);
  const second = await another(duo);
  const part = limits.redriveRowsMax;
  expect(await redrive(duo, first)).toMatchObject({ redriven: part, remaining: 300 - part });
  expect(await redrive(duo, first)).toMatchObject({ redriven: 0, remaining: 300 - part });
  await expectProblem(await post(duo, second.session_id), "redrive_conflict");
  await b.socket.contents(part);
  await b.say(first.ack(100));
  await first.fence(b);
  expect(await redrive(duo, first)).toMatchObject({ redriven: 100, remaining: 300 - part - 100 });

  await a.say(first.close(1));
  await b.socket.next("SESSION_CLOSE");
  await expectProblem(await post(duo, first.session_id), "session_closed");
  await b.say(first.ack(part + 101));
  await a.socket.next("SESSION_CLOSED");
  expect(await redrive(duo, second)).toMatchObject({ redriven: 72, remaining: 0 });
  expect(await redrive(duo, second)).toMatchObject({ redriven: 0, remaining: 0 });
  // The first has what it took, whatever is asked of it.
  expect(await redrive(duo, first)).toMatchObject({ redriven: 0, remaining: 0 });
  await second.fence(b);
  const all = Array.from({ length: 300 }, (_, i) => i + 1);
  const arrived = b.socket.all("MESSAGE").filter(({ session_id }) => session_id !== duo.session_id);
  expect(arrived.map(({ data }) => data.content)).toEqual(all);
  const { dead_letters } = await letters(duo, "?limit=200");
  expect(dead_letters[0]?.redriven_to).toBe(first.session_id);
  const rest = await letters(duo, `?limit=200&after=${dead_letters.at(-1)?.cursor}`);
  expect(rest.dead_letters.map(({ redriven_to }) => redriven_to)).toEqual([
    ...Array(28).fill(first.session_id),
    ...Array(72).fill(second.session_id),
  ]);
});

describe("redriving is refused", () => {
  it("while the session lives", async () => {
    const duo = await Duo.open(plain);
    const target = new Duo(duo.a, duo.b);
    await target.begin();
    await duo.a.say(duo.message(1));
    await expectProblem(await post(duo, target.session_id), "session_not_ended");
  });

  it("into a session that is not there, not accepted, closed, of other agents, or the same", async () => {
    const duo = await left(1, plain);
    const { a, b } = duo;
    const about = async (target: string, reason: Parameters<typeof expectProblem>[1]) => {
      const problem = await expectProblem(await post(duo, target), reason);
      expect(problem.issues?.map(({ path }) => path)).toEqual(["session_id"]);
    };
    await about(uuid(), "session_unknown");
    await about(duo.session_id, "redrive_mismatch");

    const pending = new Duo(a, b);
    await a.tell(pending.init());
    await b.connection.next("SESSION_INIT", ({ session_id }) => session_id === pending.session_id);
    await about(pending.session_id, "session_not_active");

    const closed = await another(duo);
    await a.say(closed.close(1));
    await b.socket.next("SESSION_CLOSE");
    await about(closed.session_id, "session_closed");

    const other = new Duo(a, await Agent.registered(plain, "other"));
    await other.begin();
    await about(other.session_id, "redrive_mismatch");
    // One between two others does not exist for this agent.
    const theirs = new Duo(b, other.b);
    await theirs.begin();
    await about(theirs.session_id, "session_unknown");

    const good = await another(duo);
    expect(await redrive(duo, good)).toMatchObject({ redriven: 1 });
  });

  it("to strangers, and without a session_id", async () => {
    const duo = await left(1, plain);
    const stranger = await Agent.registered(plain, "stranger");
    await expectProblem(await post(duo, uuid(), stranger), "session_unknown");
    const path = `/v1/sessions/${duo.session_id}/dead-letters/redrive`;
    const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
    await expectProblem(await ask(path, duo.a.tls, init), "invalid_request");
    await expectProblem(await ask(path, undefined, init), "credentials_required");
  });
});
