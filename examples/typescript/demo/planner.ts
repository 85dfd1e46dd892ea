// The planner: a process of its own. It has the documents, and asks the analyst about each. While a task runs it answers the
// analyst's questions (`read`), and it counts what it saw: everything is numbered, so loss, repetition and disorder would show.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { connect, type Session } from "../../../sdk/typescript/src/index.ts";
import {
  type Analysis,
  type AnalyzeInput,
  credentialsOf,
  type Note,
  report,
  type Step,
  say,
  type Tally,
  watch,
} from "./report.ts";

// Whoever started this process is gone: so is the reason for it.
process.once("disconnect", () => process.exit());

const [, , credentials, ...files] = process.argv;
const agent = await connect(credentialsOf(credentials));
const documents = new Map<string, { text: string; partLength: number; parts: number }>();

/** At least three parts, so that even a small task takes a moment; and no part that could be too large for an envelope. */
function documentOf(text: string): { text: string; partLength: number; parts: number } {
  const partLength = Math.max(1, Math.min(text.length > 1_000_000 ? 32_768 : 4096, Math.ceil(text.length / 3)));
  return { text, partLength, parts: Math.max(3, Math.ceil(text.length / partLength)) };
}
const tally: Tally = { tasks: 0, succeeded: 0, messages: 0, lost: 0, duplicated: 0, outOfOrder: 0 };

/** Judges one more number of a sequence that must be 1, 2, 3 …; answers the number to expect next. */
function judge(number: number, expected: number): number {
  tally.messages++;
  if (number === expected) return expected + 1;
  if (number > expected) {
    tally.lost += number - expected;
    return number + 1;
  }
  tally.duplicated++;
  return expected;
}

/** Parts that were asked for, by task: each once, in order. */
const asked = new Map<string, number>();

await agent.handle("read", (input): string => {
  const { name, part } = input as { name: string; part: number };
  const expected = asked.get(name) ?? 1;
  asked.set(name, judge(part, expected));
  say("planner", `TASK_REQUEST read ${name} part ${part} answered, while its own task waits`);
  const { text = "", partLength = 1 } = documents.get(name) ?? {};
  return text.slice((part - 1) * partLength, part * partLength);
});

let nextNote = 1;
async function readNotes(session: Session): Promise<void> {
  for await (const { content, seq } of session.messages()) {
    const { note, about } = content as Note;
    if (note < nextNote) tally.outOfOrder++;
    nextNote = judge(note, nextNote);
    say("planner", `MESSAGE note ${note} (${about}) arrived · seq ${seq}`);
  }
}

async function analyze(session: Session, name: string): Promise<void> {
  const parts = documents.get(name)?.parts ?? 0;
  const input: AnalyzeInput = { name, parts };
  tally.tasks++;
  const task = session.request<Analysis, Step>("analyze", input);
  const { seq, delivered } = await task.stored;
  tally.messages++;
  say("planner", `TASK_REQUEST analyze ${name} · seq ${seq} · stored`);
  void delivered.then(() => say("planner", `TASK_REQUEST analyze ${name} · seq ${seq} · delivered`));
  let expected = 1;
  for await (const { step, of, words } of task.progress) {
    if (step < expected) tally.outOfOrder++;
    expected = judge(step, expected);
    say("planner", `TASK_PROGRESS ${name} ${step}/${of}, ${words} words so far`);
  }
  const analysis = await task.result;
  tally.messages++;
  tally.lost += parts + 1 - expected;
  tally.duplicated += analysis.runs - 1;
  if (analysis.name === name && analysis.runs === 1) tally.succeeded++;
  const theme = analysis.theme === "" ? "" : `, about “${analysis.theme}”`;
  say("planner", `TASK_RESPONSE ${name}: ${analysis.words} words, ${analysis.headings} headings${theme}`);
  lastNote = analysis.notes;
}
let lastNote = 0;

async function work(): Promise<void> {
  void watch("planner", agent);
  const session = await agent.open("analyst", { waitMs: 10_000 });
  say(
    "planner",
    `session ${session.id} with ${session.peer}, who can ${session.capabilities.map((c) => c.name).join(", ")}`,
  );
  const notes = readNotes(session);
  for (const [index, file] of files.entries()) {
    const name = `${index + 1}-${basename(file)}`;
    documents.set(name, documentOf(await readFile(file, "utf8")));
    await analyze(session, name);
    report({ kind: "task_done", done: index + 1, total: files.length });
  }
  await session.close("the work is done");
  await notes;
  tally.lost += lastNote + 1 - nextNote;
  await agent.drain();
  report({ kind: "finished", tally });
}

await work();
