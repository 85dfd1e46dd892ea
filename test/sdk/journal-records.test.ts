// What a journal remembers, record by record, and every way in which a file of records can be broken.
import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import type { AgentworksError } from "../../sdk/typescript/src/error.ts";
import { Journal } from "../../sdk/typescript/src/journal.ts";
import { JournalMemory, type JournalRecord, lineOf, type TaskOrder } from "../../sdk/typescript/src/journal-records.ts";
import { mint } from "../../sdk/typescript/src/mint.ts";
import { withRoom } from "./journal-lives.ts";

const owner = { agent: "analyst", account: "local" };
const head = `${JSON.stringify({ journal: 1, ...owner })}\n`;
const session = mint();
const opened: JournalRecord = { session, peer: "planner", epoch: "e" };
const line = (type: string, seq: number, data: object) =>
  JSON.stringify({ type, id: mint(), session_id: session, seq, data });
const message = (seq: number): JournalRecord => ({ session, line: line("MESSAGE", seq, { content: seq }) });
const request = (task_id: string, seq = 1): TaskOrder => ({
  type: "TASK_REQUEST",
  id: mint(),
  session_id: session,
  seq,
  from: "planner",
  data: { task_id, capability: "c", input: { n: 1 } },
});
const cancel = (task_id: string, seq: number): TaskOrder => ({
  type: "TASK_CANCEL",
  id: mint(),
  session_id: session,
  seq,
  from: "planner",
  data: { task_id },
});

const read = (text: string) => JournalMemory.read(Buffer.from(text), "journal");
const textOf = (...records: JournalRecord[]) => head + records.map(lineOf).join("");
/** What is remembered of the session, also after it was written anew. */
function remember(...records: JournalRecord[]) {
  const memory = read(textOf(...records));
  const again = read([...memory.text()].join(""));
  expect(again).toEqual(memory);
  const one = memory.sessions.get(session);
  if (one === undefined) throw new Error("nothing is remembered");
  return one;
}

describe("what is remembered", () => {
  test("its own lines, until they are stored; how many messages there were", () => {
    const [first, second, third] = [message(1), message(2), message(3)];
    const memory = remember(opened, first, second, third, { session, stored: 2 });
    expect(memory.remembered).toEqual({
      session_id: session,
      peer: "planner",
      epoch: "e",
      taken: 0,
      stored: 2,
      lines: [third.line],
      isClosing: false,
    });
    expect([memory.messages, memory.next]).toEqual([3, 4]);
  });
  test("where a session stood that was found again without a journal", () => {
    const task_id = mint();
    const base = { taken: 4, stored: 7, redelivered: 6, requested: [task_id] };
    const memory = remember({ ...opened, ...base }, message(8));
    expect(memory).toMatchObject({ taken: 4, stored: 7, redelivered: 6, next: 9, messages: 1 });
    expect([...memory.requested]).toEqual([task_id]);
  });
  test("what was taken, also ahead of what was not", () => {
    const taken = [{ taken: 1 }, { ahead: 3 }, { ahead: 5 }, { taken: 3 }].map((one) => ({ session, ...one }));
    const memory = remember(opened, ...taken);
    expect([memory.taken, [...memory.ahead]]).toEqual([3, [5]]);
  });
  test("a task from the start of its handler to its response, and that it was cancelled", () => {
    const [a, b, c] = [mint(), mint(), mint()];
    const response = { session, line: line("TASK_RESPONSE", 1, { task_id: a, status: "succeeded" }) };
    const orders = [request(a), request(b, 2), request(c, 3), cancel(c, 4), cancel(mint(), 5)];
    const memory = remember(opened, ...orders.map((task, i) => ({ session, taken: i + 1, task })), response);
    expect([...memory.tasks]).toEqual([
      [b, { request: orders[1] }],
      [c, { request: orders[2], cancel: orders[3] }],
    ]);
  });
  test("tasks of its own, until they are answered", () => {
    const [a, b] = [mint(), mint()];
    const asked = [a, b].map((task_id, i) => ({
      session,
      line: line("TASK_REQUEST", i + 1, { task_id, capability: "c", input: 1 }),
    }));
    const memory = remember(opened, ...asked, { session, taken: 1, answered: a });
    expect([...memory.requested]).toEqual([b]);
  });
  test.each<[string, JournalRecord, object]>([
    ["this side", { session, line: line("SESSION_CLOSE", 2, { reason: "done" }) }, { reason: "done", own: true }],
    ["the peer", { session, taken: 2, closed: "bye" }, { reason: "bye", own: false }],
  ])("that %s closed: nothing can be finished any more", (_who, closes, closing) => {
    const [task_id, mine] = [mint(), mint()];
    const asked = { session, line: line("TASK_REQUEST", 1, { task_id: mine, capability: "c", input: 1 }) };
    const memory = remember(opened, asked, { session, taken: 1, task: request(task_id) }, closes);
    expect(memory).toMatchObject({ closing });
    expect([memory.tasks.size, memory.requested.size]).toEqual([0, 0]);
  });
  test("nothing of a session that has ended", () => {
    expect(read(textOf(opened, message(1), { session, ended: true })).sessions.size).toBe(0);
    const memory = new JournalMemory();
    expect(memory.apply({ session, taken: 1 })).toBe(false);
  });
});

describe("a broken file", () => {
  const whole = textOf(opened, message(1), { session, taken: 1, task: request(mint()) });
  test("that ends anywhere within a line says what is before it", () => {
    for (let end = 0; end < whole.length; end++) {
      const cut = Buffer.from(whole).subarray(0, end);
      const memory = JournalMemory.read(cut, "journal");
      const lines = cut.toString().split("\n").length - 1;
      expect([memory.owner !== undefined, memory.sessions.size]).toEqual([lines > 0, lines > 1 ? 1 : 0]);
    }
  });
  test.each<[string, string]>([
    ["no JSON", `${head}{\n`],
    ["an empty line", `${head}\n`],
    ["no object", `${head}1\n`],
    ["no UTF-8", "latin"],
    ["no first line", lineOf(opened)],
    ["another version", `${JSON.stringify({ journal: 2, ...owner })}\n`],
    ["a session that never began", textOf(message(1))],
    ["a session that begins twice", textOf(opened, opened)],
    ["a hole in its lines", textOf(opened, message(2))],
    ["another session's line", textOf(opened, { session, line: line("MESSAGE", 1, {}).replace(session, mint()) })],
    ["a line that is no work", textOf(opened, { session, line: line("MESSAGE_ACK", 1, {}) })],
    ["stored what was never queued", textOf(opened, { session, stored: 1 })],
    ["a number that is none", textOf(opened, { session, taken: -1 })],
    ["a task that is none", textOf(opened).concat(`{"session":"${session}","task":{"type":"MESSAGE"}}\n`)],
    ["what this version does not know", textOf(opened).concat(`{"session":"${session}","news":1}\n`)],
  ])("is refused: %s", (what, text) => {
    const bytes =
      what === "no UTF-8" ? Buffer.concat([Buffer.from(head), Buffer.from([0xff, 0x0a])]) : Buffer.from(text);
    expect(() => JournalMemory.read(bytes, "journal")).toThrow(/^journal_damaged: Line \d+ of the journal/);
  });
});

describe("the file", () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "agentworks-records-"));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  function begun(name: string): { journal: Journal; path: string; failures: AgentworksError[] } {
    const path = join(dir, name);
    const journal = new Journal(path);
    const failures: AgentworksError[] = [];
    journal.onFailure = (error) => failures.push(error);
    expect(journal.claim(owner)).toBeUndefined();
    journal.note(opened);
    return { journal, path, failures };
  }
  const pad = "x".repeat(64 * 1024);
  const big = (seq: number) => ({ session, line: line("MESSAGE", seq, { content: pad }) });

  test("has what was noted after a commit, not before", () => {
    const { journal, path } = begun("commits");
    expect(readFileSync(path, "utf8")).toBe(textOf());
    expect(journal.commit()).toBe(true);
    expect(readFileSync(path, "utf8")).toBe(textOf(opened));
    journal.close();
    journal.note(message(1));
    expect(journal.commit()).toBe(false);
    expect(new Journal(path).memory.sessions.get(session)?.next).toBe(1);
  });
  test("is written anew when twice of what is needed is in it, and not before", () => {
    const { journal, path } = begun("grows");
    let seq = 0;
    const write = (count: number) => {
      for (const through = seq + count; seq < through; ) {
        journal.note(big(++seq));
        expect(journal.commit()).toBe(true);
      }
    };
    const { ino } = statSync(path);
    write(100);
    expect([statSync(path).ino, statSync(path).size > limits.journalBytesMin]).toEqual([ino, true]);
    journal.note({ session, stored: 90 });
    write(120);
    expect(statSync(path).ino).not.toBe(ino);
    journal.close();
    const memory = new Journal(path).memory.sessions.get(session);
    expect([memory?.stored, memory?.next, memory?.messages]).toEqual([90, 221, 220]);
  });
  test("that finds no more room fails once, and for good; what was committed is in it", () => {
    const path = join(dir, "full");
    const program = fileURLToPath(new URL("./journal-full-program.ts", import.meta.url));
    const ran = spawnSync(...withRoom(4096, process.execPath, program, path), { encoding: "utf8" });
    const { commits, again, failures } = JSON.parse(ran.stdout);
    expect([again, failures]).toEqual([false, [expect.stringMatching(/journal_failed: .*EFBIG.* have room/)]]);
    expect(statSync(path).size).toBe(4096);
    expect(new Journal(path).memory.sessions.size).toBe(commits);
  });
});
