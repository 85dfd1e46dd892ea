// Bugs planted around the core, outside production code, that the oracle must find: it is worth no more than what it catches.
import type { Effect, Saved, SessionRecord } from "../../protocol/session/effects.ts";
import { isOpen, type TaskTable } from "../../protocol/session/tasks.ts";
import type { JournalRecord } from "../../sdk/typescript/src/journal-records.ts";
import { isRowEffect } from "../protocol/store.ts";

export interface Plant {
  name: string;
  /** What the interpreter of effects is given instead. */
  effects?(effects: Effect[]): Effect[];
  /** What the core is restored from instead. */
  restored?(saved: Saved): Saved;
  /** What a journal notes instead. */
  noted?(record: JournalRecord): JournalRecord;
  /** A journal is not written before anything leaves. */
  isJournalLate?: boolean;
  /** Where the core looks tasks up instead. */
  tasks?(table: TaskTable): TaskTable;
}

const withCursors = (saved: Saved, change: Partial<NonNullable<Saved["cursors"]>>): Saved => ({
  ...saved,
  cursors: saved.cursors && { ...saved.cursors, ...change },
});

const withLines = (effect: Effect, change: (line: string) => string): Effect => {
  if (effect.do === "reply") return { ...effect, lines: effect.lines.map(change) };
  if (effect.do === "send") return { ...effect, frames: effect.frames.map(change) };
  return effect;
};

const withRecords = (effects: Effect[], change: (record: SessionRecord) => SessionRecord): Effect[] =>
  effects.map((effect) => (effect.do === "record" ? { ...effect, record: change(effect.record) } : effect));

export const plants: readonly Plant[] = [
  {
    name: "ack before persist",
    effects: (effects) => [
      ...effects.filter((effect) => effect.do === "reply"),
      ...effects.filter((effect) => effect.do !== "reply"),
    ],
  },
  {
    name: "forward before persist",
    effects: (effects) => [
      ...effects.filter((effect) => effect.do === "send"),
      ...effects.filter((effect) => effect.do !== "send"),
    ],
  },
  { name: "cursor not restored: acked", restored: (saved) => withCursors(saved, { acked: [0, 0] }) },
  { name: "cursor not restored: granted", restored: (saved) => withCursors(saved, { granted: [0, 0] }) },
  { name: "cursor not restored: sent", restored: (saved) => withCursors(saved, { sent: [0, 0] }) },
  { name: "cursors not restored at all", restored: (saved) => ({ ...saved, cursors: undefined }) },
  {
    name: "window off by one",
    effects: (effects) =>
      effects.map((effect) =>
        withLines(effect, (line) => line.replace(/("limit":)(\d+)/, (_, name, n) => `${name}${Number(n) + 1}`)),
      ),
  },
  {
    name: "a task answered twice",
    tasks: (table) => ({
      find: (task_id) => {
        const task = table.find(task_id);
        return task === undefined || isOpen(task.state) ? task : { ...task, state: "open" };
      },
      open: () => table.open(),
    }),
  },
  {
    name: "a row is lost when memory is",
    restored: (saved) => ({ ...saved, rows: [saved.rows[0].slice(0, -1), saved.rows[1]] }),
  },
  {
    name: "an empty row is not stored",
    effects: (effects) =>
      effects.filter((effect) => !(effect.do === "store" && isRowEffect(effect) && effect.row.last < effect.row.first)),
  },
  {
    name: "taken work is given again",
    effects: (effects) => {
      const isAnswer = (line: string) => line.includes('"taken":') && !line.includes('"taken":0');
      if (!effects.some((effect) => effect.do === "send" && effect.frames.some(isAnswer))) return effects;
      return effects.map((effect) => {
        if (effect.do === "replay") return { ...effect, first: effect.first - 1 };
        return withLines(effect, (line) => line.replace(/("taken":)(\d+)/, (_, name, n) => `${name}${Number(n) - 1}`));
      });
    },
  },
  {
    name: "what comes again is not marked",
    effects: (effects) =>
      effects.map((effect) =>
        withLines(effect, (line) => line.replace(/("taken":)(\d+),("sent":)\d+/, (_, a, n, b) => `${a}${n},${b}${n}`)),
      ),
  },
  {
    name: "an open task is not given again",
    tasks: (table) => ({
      find: (task_id) => {
        const { request: _, ...task } = table.find(task_id) ?? {};
        return "task_id" in task ? task : undefined;
      },
      open: () => table.open(),
    }),
  },
  {
    name: "a task given again is not marked",
    effects: (effects) =>
      effects.map((effect) => {
        const plain = (text: string) => text.replace(',"redelivered":true', "");
        if (effect.do === "store") return { ...effect, row: { ...effect.row, body: plain(effect.row.body) } };
        return withLines(effect, plain);
      }),
  },
  {
    name: "metered again after a crash",
    restored: (saved) => {
      const usage = saved.cursors?.usage;
      return usage === undefined ? saved : withCursors(saved, { usage: { ...usage, messages: usage.messages + 1 } });
    },
  },
  {
    name: "usage is not restored",
    restored: (saved) => withCursors(saved, { usage: { messages: 0, bytes: 0, tasks: 0 } }),
  },
  {
    name: "reports without numbers",
    effects: (effects) =>
      effects.map((effect) =>
        effect.do === "index" ? { ...effect, report: { ...effect.report, number: 1 } } : effect,
      ),
  },
  {
    name: "a dead letter is not noted",
    effects: (effects) => effects.filter((effect) => effect.do !== "redriven"),
  },
  {
    name: "a dead letter is noted that did not go",
    effects: (effects) =>
      withRecords(effects, ({ redrives = [], ...record }) => ({
        ...record,
        redrives: redrives.map((redrive) => ({ ...redrive, through: redrive.through + 1 })),
      })),
  },
  {
    name: "a session is forgotten at its end",
    effects: (effects) => {
      const ended = effects.find((effect) => effect.do === "record" && effect.record.ended !== undefined);
      return ended?.do === "record" ? [...effects, { do: "erase", session_id: ended.record.session_id }] : effects;
    },
  },
  { name: "what was said is not written", isJournalLate: true },
  {
    name: "what was taken is not written",
    noted: ({ taken: _, ahead: __, ...record }) => record,
  },
  {
    name: "a task that was begun is not written",
    noted: ({ task: _, ...record }) => record,
  },
];
