// Journals, good and bad, of the format that every SDK shares.
import { type JournalCase, readJournal } from "../journals.ts";
import { epoch, own, session_id, task, theirs } from "./script.ts";

const head = { journal: 1, agent: "planner", account: "local" };
const session = session_id;
const opened = { session, peer: "analyst", epoch };
const other = { session: theirs(700), peer: "writer", epoch: "another" };

const line = (type: string, seq: number, data: object) =>
  JSON.stringify({ type, id: own(seq), session_id: session, seq, data });
const said = (seq: number) => ({ session, line: line("MESSAGE", seq, { content: `${seq} 😀` }) });
const asked = (seq: number, n: number) => ({
  session,
  line: line("TASK_REQUEST", seq, { task_id: task(n), capability: "summarize", input: n }),
});
const order = (type: string, seq: number, data: object) => ({
  task: { type, id: theirs(seq), session_id: session, seq, from: "analyst", data },
});
const begun = (seq: number, n: number) => ({
  session,
  taken: seq,
  ...order("TASK_REQUEST", seq, { task_id: task(n), capability: "summarize", input: n }),
});

type Lines = readonly (object | string)[];
const textOf = (lines: Lines): string =>
  lines.map((one) => `${typeof one === "string" ? one : JSON.stringify(one)}\n`).join("");

const good: [name: string, lines: Lines][] = [
  ["nothing was ever written", []],
  ["an agent without sessions", [head]],
  ["a session that is open", [head, opened]],
  ["its own lines, until they are stored", [head, opened, said(1), said(2), said(3), { session, stored: 2 }]],
  [
    "a receipt that says less than one before",
    [head, opened, said(1), said(2), { session, stored: 2 }, { session, stored: 1 }, said(3)],
  ],
  ["everything is stored", [head, opened, said(1), { session, stored: 1 }]],
  [
    "where a session stood that was found again without a journal",
    [head, { ...opened, taken: 4, stored: 7, messages: 5, redelivered: 6, requested: [task(1)] }, said(8)],
  ],
  ["what was taken", [head, opened, { session, taken: 1 }, { session, taken: 3 }, { session, taken: 2 }]],
  [
    "what was taken ahead of what was not",
    [head, opened, { session, ahead: 3 }, { session, ahead: 5 }, { session, taken: 3 }],
  ],
  ["a record that says several things", [head, opened, { ...said(1), taken: 4 }]],
  ["a task whose handler has started", [head, opened, begun(1, 1)]],
  [
    "a task that was cancelled since",
    [
      head,
      opened,
      begun(1, 1),
      { session, taken: 2, ...order("TASK_CANCEL", 2, { task_id: task(1), reason: "late" }) },
    ],
  ],
  [
    "a cancel of a task that is not there",
    [head, opened, { session, taken: 1, ...order("TASK_CANCEL", 1, { task_id: task(1) }) }],
  ],
  [
    "a task that was answered",
    [
      head,
      opened,
      begun(1, 1),
      begun(2, 2),
      { session, line: line("TASK_RESPONSE", 1, { task_id: task(1), status: "succeeded" }) },
    ],
  ],
  [
    "tasks of its own, until they are answered",
    [head, opened, asked(1, 1), asked(2, 2), { session, taken: 1, answered: task(1) }],
  ],
  ["the same task asked for twice", [head, opened, asked(1, 1), asked(2, 1)]],
  [
    "its own close: nothing can be finished any more",
    [head, opened, asked(1, 1), begun(1, 2), { session, line: line("SESSION_CLOSE", 2, { reason: "done" }) }],
  ],
  ["its own close without a reason", [head, opened, { session, line: line("SESSION_CLOSE", 1, {}) }]],
  ["the peer's close", [head, opened, asked(1, 1), begun(1, 2), { session, taken: 2, closed: "bye" }]],
  [
    "the first close counts",
    [
      head,
      opened,
      { session, taken: 1, closed: "bye" },
      { session, line: line("SESSION_CLOSE", 1, { reason: "late" }) },
    ],
  ],
  ["a session that was closing when it was found", [head, { ...opened, closing: { reason: "closed", own: false } }]],
  ["a session that has ended", [head, opened, said(1), { session, ended: true }]],
  ["two sessions", [head, opened, other, said(1), { session: other.session, taken: 7 }]],
  [
    "a session that has ended, and another of the same id",
    [head, opened, said(1), { session, ended: true }, opened, said(1)],
  ],
];

const bad: [name: string, lines: Lines][] = [
  ["no JSON", [head, "{"]],
  ["an empty line", [head, ""]],
  ["no object", [head, "1"]],
  ["a list", [head, "[]"]],
  ["no first line", [opened]],
  ["another version", [{ ...head, journal: 2 }]],
  ["nobody's", [{ journal: 1 }]],
  ["a second first line", [head, head]],
  ["a session that never began", [head, said(1)]],
  ["a session that begins twice", [head, opened, opened]],
  ["a session without its peer", [head, { session, epoch }]],
  ["a session that begins with a line", [head, { ...opened, ...said(1) }]],
  ["a hole in its lines", [head, opened, said(1), said(3)]],
  ["a line twice", [head, opened, said(1), said(1)]],
  [
    "another session's line",
    [head, opened, other, { session: other.session, line: line("MESSAGE", 1, { content: 1 }) }],
  ],
  ["a line that is no work", [head, opened, { session, line: line("MESSAGE_ACK", 1, {}) }]],
  ["a line that is no JSON", [head, opened, { session, line: "{" }]],
  ["stored what was never queued", [head, opened, said(1), { session, stored: 2 }]],
  ["a number that is none", [head, opened, { session, taken: -1 }]],
  ["a number with a fraction", [head, opened, { session, taken: 1.5 }]],
  ["a session that is no UUID", [head, { ...opened, session: "one" }]],
  ["an agent that is none", [head, { ...opened, peer: "No Agent" }]],
  ["a task that is none", [head, opened, { session, task: { type: "MESSAGE" } }]],
  ["a task without its id", [head, opened, { session, ...order("TASK_REQUEST", 1, { capability: "a", input: 1 }) }]],
  ["ended: false", [head, opened, { session, ended: false }]],
  ["what this version does not know", [head, opened, { session, taken: 1, news: 1 }]],
];

const whole = textOf([head, opened, said(1), { session, taken: 1 }]);
const torn: [name: string, text: string][] = [
  ["torn: the last line lacks its end", whole.slice(0, -10)],
  ["torn: only the line break is missing", whole.slice(0, -1)],
  ["torn: within the first line", whole.slice(0, 10)],
];

/** The cases, with what the reader makes of them; throws where good and bad are mistaken for each other. */
export function journaling(): JournalCase[] {
  const cases = (list: readonly [string, Lines][], isBad: boolean) =>
    list.map(([name, lines]) => {
      const read = readJournal({ name, text: textOf(lines) });
      if ((read.damaged !== undefined) !== isBad) throw new Error(`${name}: ${isBad ? "is read" : "is damaged"}`);
      return read;
    });
  return [...cases(good, false), ...cases(bad, true), ...torn.map(([name, text]) => readJournal({ name, text }))];
}
