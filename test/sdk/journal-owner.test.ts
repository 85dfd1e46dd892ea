// Whose file a journal is: nobody's who was refused or never heard, then one process's, and no longer than it is in its place.
import { type BigIntStats, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Journal } from "../../sdk/typescript/src/journal.ts";
import { contentsOf, next, numbers, reasonOf, Stage, sessionBetween } from "./fixtures.ts";
import { Lives } from "./journal-lives.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.set();
});
afterEach(() => stage.clear());
afterAll(() => stage[Symbol.asyncDispose]());

const planner = { agent: "planner", account: "local" };
const session = "01a1ee56-5e03-7000-8000-000000000000";
const begin = { session, peer: "analyst", epoch: "e" };

/** The file as it lies there: any write, and any other file in its place, makes it another. */
function asItIs(path: string): Pick<BigIntStats, "ino" | "mtimeNs"> & { text: string } {
  const { ino, mtimeNs } = statSync(path, { bigint: true });
  return { ino, mtimeNs, text: readFileSync(path, "utf8") };
}

test("who is refused, or never reaches the broker, leaves a running owner its journal: killed later, it loses nothing", async () => {
  const peer = await stage.connect("sender-1");
  await using lives = await Lives.of(await stage.options("reader-1"));
  await lives.begin({ readMs: 0 });
  await lives.until("up");
  const open = await peer.open("reader-1");
  for (const n of numbers(1, 5)) await open.send(n);
  await lives.until("got", 5);
  await lives.written(/"taken":5\b/);
  const before = asItIs(lives.journal);
  const { journal } = lives;
  expect(await reasonOf(stage.connect("carol-1", { journal, recover: true }))).toBe("journal_mismatch");
  const nowhere = { journal, recover: true, url: "wss://localhost:1", reconnect: false } as const;
  expect(await reasonOf(stage.connect("reader-1", nowhere))).toBe("connection_failed");
  expect(asItIs(journal)).toEqual(before);
  for (const n of numbers(6, 10)) await open.send(n);
  await lives.until("got", 10);
  await lives.kill();
  await lives.begin({ readMs: 0 });
  await open.send(11);
  expect(await lives.until("got", 11)).toEqual(numbers(1, 11).map((n) => `${n} false`));
  expect(lives.noted("over")).toEqual([]);
});

test("a journal that is a link stays one, and the file that it leads to is the journal", async () => {
  const folder = join(stage.dir, "elsewhere");
  mkdirSync(folder);
  const [journal, file] = [join(stage.dir, "link-2"), join(folder, "journal-2")];
  symlinkSync(join("elsewhere", "journal-2"), journal);
  const peer = await stage.connect("peer-2");
  const agent = await stage.connect("agent-2", { journal, recover: true });
  const { there } = await sessionBetween(peer, agent);
  await there.send(1);
  await agent.close();
  expect(readFileSync(file, "utf8")).toContain(there.id);
  const again = await stage.connect("agent-2", { journal, recover: true });
  expect(await next(again.sessions())).toMatchObject({ id: there.id, sent: 1 });
  expect(readFileSync(journal, "utf8")).toBe(readFileSync(file, "utf8"));
  expect(statSync(journal).ino).toBe(statSync(file).ino);
});

test("an agent whose journal was removed ends with journal_failed, and what is not written does not leave", async () => {
  const journal = join(stage.dir, "journal-3");
  const peer = await stage.connect("peer-3");
  const agent = await stage.connect("agent-3", { journal, recover: true });
  const { here, there } = await sessionBetween(peer, agent);
  await there.send("kept");
  rmSync(journal);
  expect(await reasonOf(there.send("not kept"))).toBe("journal_failed");
  expect((await there.closed).error?.message).toMatch(/replaced or taken away .*one process at a time/);
  const again = await stage.connect("agent-3", { journal: `${journal}.new life`, recover: true });
  await (await next(again.sessions())).send("by the next life");
  expect(await contentsOf(here, 2)).toEqual(["kept", "by the next life"]);
});

test("one that was moved away is missed at the next connection, and a file in its place is left alone", async () => {
  const journal = join(stage.dir, "journal-4");
  const first = new Journal(journal);
  expect(first.claim(planner)).toBeUndefined();
  renameSync(journal, `${journal}.moved`);
  expect(first.claim(planner)).toMatchObject({ reason: "journal_failed" });
  const second = new Journal(journal);
  expect(second.claim(planner)).toBeUndefined();
  const before = asItIs(journal);
  expect(first.claim(planner)).toMatchObject({ reason: "journal_failed" });
  first.close();
  expect(first.claim(planner)).toMatchObject({ reason: "agent_closed" });
  expect(asItIs(journal)).toEqual(before);
  second.close();
});

test("a successor goes on with all that was written before it was registered, and from then on nobody else writes", () => {
  const journal = join(stage.dir, "journal-5");
  const first = new Journal(journal);
  const failures: string[] = [];
  first.onFailure = (error) => void failures.push(error.reason);
  first.claim(planner);
  first.note(begin);
  expect(first.commit()).toBe(true);
  const second = new Journal(journal);
  first.note({ session, taken: 1 });
  expect(first.commit()).toBe(true);
  expect(second.claim(planner)).toBeUndefined();
  expect(second.memory.sessions.get(session)?.taken).toBe(1);
  first.note({ session, taken: 2 });
  expect([first.commit(), failures]).toEqual([false, ["journal_failed"]]);
  second.note({ session, taken: 3 });
  expect(second.commit()).toBe(true);
  second.close();
  expect(new Journal(journal).memory.sessions.get(session)?.taken).toBe(3);
});
