// What an end without memory must be told (A8), and what must come to it again (T12); seen from what the lives before it did.
import { otherSide, type Side } from "../../protocol/session/tasks.ts";
import type { Diary, Standing } from "./diary.ts";
import type { Ledger } from "./ledger.ts";
import type { TaskBooks } from "./task-books.ts";

interface Books {
  side: Side;
  diary: Diary;
  ledgers: readonly [Ledger, Ledger];
  tasks: TaskBooks;
}

/** What is wrong with what a side is told of its own past; the rows of the same event are durable by now. */
export function misremembered({ taken, sent, requested }: Standing, books: Books): string | undefined {
  const { side, diary, ledgers, tasks } = books;
  const towards = ledgers[otherSide(side)];
  if (taken < towards.known) return `work after ${taken} comes again, it had taken everything through ${towards.known}`;
  if (taken > diary.taken) return `it took everything through ${diary.taken}, it is told ${taken}`;
  if (sent < diary.heardMost) return `through ${sent} it may know what comes, it heard ${diary.heardMost} before`;
  if (sent > towards.out.length) return `it is told that ${sent} were sent, ${towards.out.length} are stored`;
  const open = tasks.requestedBy(side);
  const isSame = open.length === requested.length && open.every((task_id) => requested.includes(task_id));
  if (!isSame) return `its open tasks are ${open.join(" ")}, it is told ${requested.join(" ")}`;
  const missing = tasks.unheard(side, taken);
  return missing === undefined ? undefined : `task ${missing} is open and does not come again`;
}
