// What a row must be, seen from what the applications said: each envelope that is to be passed on, as it was said, in order and
// without a hole; or a frame of the broker's own that the rules of tasks allow. What it holds is entered into the ledger.
import type { Row } from "../../protocol/session/effects.ts";
import type { Side } from "../../protocol/session/tasks.ts";
import type { Ledger, Sent } from "./ledger.ts";
import type { Letters } from "./letters.ts";
import type { Tally } from "./meter.ts";
import type { TaskBooks } from "./task-books.ts";

interface Books {
  side: Side;
  /** Of the agent that sends in this direction. */
  name: string;
  ledger: Ledger;
  tasks: TaskBooks;
  tally: Tally;
  /** What its application said. */
  said: readonly Sent[];
  /** Dead letters that this event may take, of another session of the two. */
  letters: Letters | undefined;
  /** The side that asks in this event what it has forgotten (A8), if one does. */
  asked: Side | undefined;
}

interface Wrong {
  invariant: string;
  detail: string;
}

/** Reads a row that became durable. @returns what is wrong with it */
export function readRow(row: Row, books: Books, now: number, refused: ReadonlySet<string>): Wrong | undefined {
  const { side, name, ledger, tasks, tally, said, letters, asked } = books;
  const lines = row.last < row.first ? [] : row.body.split("\n").map((line) => JSON.parse(line));
  if (row.first !== ledger.out.length + 1 || row.last - row.first + 1 !== lines.length)
    return { invariant: "streams have no holes", detail: `row ${row.first}…${row.last} after ${ledger.out.length}` };
  if (row.origin > said.length)
    return { invariant: "nothing is stored that was not said", detail: `seq ${row.origin}` };
  const taken = said.slice(ledger.accepted, row.origin);
  for (const one of taken) tally.accept(one);
  const passes = taken.filter((one) => tasks.passes(side, one, now, refused));
  const own = taken.length === 0;
  for (const [i, { id, type, seq, from, data, in_reply_to }] of lines.entries()) {
    const text = JSON.stringify(data);
    if (seq !== row.first + i || from !== name)
      return { invariant: "the broker stamps what it passes on", detail: JSON.stringify(lines[i]) };
    const one = passes[i];
    if (own) {
      const isLetter = letters !== undefined && (type === "MESSAGE" || type === "TASK_REQUEST");
      const detail = isLetter
        ? letters.take({ id, type, data: text }, tasks, now)
        : tasks.own(side, { id, type, data, in_reply_to }, now, asked);
      if (isLetter && detail !== undefined) return { invariant: "a dead letter goes once, in order", detail };
      if (detail !== undefined) return { invariant: "a task is given once and answered once", detail };
      if (isLetter && type === "TASK_REQUEST") tasks.redriven(side, text);
    } else if (one?.id !== id || one?.type !== type || one?.data !== text) {
      return { invariant: "what is stored is what was said", detail: `${text}, not ${JSON.stringify(one)}` };
    }
    if (type === "TASK_REQUEST") tasks.sent(data.task_id, seq);
    ledger.out.push({ id, type, data: text, own });
  }
  if (own || passes.length === lines.length) return undefined;
  return { invariant: "nothing accepted is dropped", detail: `${passes.length} to pass on, ${lines.length} stored` };
}
