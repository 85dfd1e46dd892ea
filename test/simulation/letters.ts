// The dead letters that a session left, as the oracle knows them; and what became of each: taken by one session, left out there for
// a reason, or still listed where it is. Kept with the session that left them, whoever takes them.
import { redriveOf } from "../../protocol/session/redrive.ts";
import { limits } from "../../protocol/wire/limits.ts";
import type { Ledger, Sent } from "./ledger.ts";
import type { TaskBooks } from "./task-books.ts";
import type { World } from "./world.ts";

export interface DeadLetter extends Sent {
  seq: number;
}

/** Those of one side that go on, in their order. */
function lettersOf(ledger: Ledger, tasks: TaskBooks): DeadLetter[] {
  const left = ledger.out.map((one, i) => ({ ...one, seq: i + 1 })).slice(ledger.known);
  const taskOf = ({ data }: Sent): string => (JSON.parse(data) as { task_id: string }).task_id;
  const cancelled = new Set(left.filter(({ type }) => type === "TASK_CANCEL").map(taskOf));
  return left.filter((one) => {
    if (one.type === "MESSAGE") return true;
    return one.type === "TASK_REQUEST" && !tasks.isAnswered(taskOf(one)) && !cancelled.has(taskOf(one));
  });
}

export class Letters {
  readonly #letters: readonly DeadLetter[];
  /** The first with which nothing was done. */
  #next = 0;

  /** How many went. */
  taken = 0;
  /** Everything through this was delivered, as far as the broker knows. */
  readonly #delivered: number;

  constructor(ledger: Ledger, tasks: TaskBooks) {
    this.#letters = lettersOf(ledger, tasks);
    this.#delivered = ledger.known;
  }

  get left(): readonly DeadLetter[] {
    return this.#letters.slice(this.#next);
  }

  /** Something was done with any of them. */
  get went(): boolean {
    return this.#next > 0;
  }

  /** Everything through this `seq` is dealt with. */
  get through(): number {
    return this.#letters[this.#next - 1]?.seq ?? this.#delivered;
  }

  /**
   * One was stored elsewhere as the broker's own frame.
   * @param tasks of that session: what it knows already is left out
   * @returns what is wrong with that
   */
  take({ id, type, data }: Sent, tasks: TaskBooks, now: number): string | undefined {
    for (; ; this.#next++) {
      const due = this.#letters[this.#next];
      if (due === undefined) return `${type} ${id} is no dead letter, or went before`;
      if (due.id === id && due.type === type && due.data === data) break;
      if (!isLeftOut(due, tasks, now)) return `${type} ${id} went, due is ${due.type} ${due.id}`;
    }
    this.#next++;
    this.taken++;
    return undefined;
  }

  /** The taker notes that everything through `seq` is dealt with. @returns what is wrong with that */
  note(seq: number, tasks: TaskBooks, now: number): string | undefined {
    for (; ; this.#next++) {
      const due = this.#letters[this.#next];
      if (due === undefined || due.seq > seq) break;
      if (!isLeftOut(due, tasks, now)) return `through ${seq} is noted, ${due.type} ${due.id} did not go`;
    }
    return this.through > seq ? `through ${this.through} went, ${seq} is noted` : undefined;
  }
}

function isLeftOut({ type, data }: Sent, tasks: TaskBooks, now: number): boolean {
  if (type !== "TASK_REQUEST") return false;
  const { task_id, deadline } = JSON.parse(data) as { task_id: string; deadline?: string };
  return tasks.knows(task_id) || (deadline !== undefined && Date.parse(deadline) <= now);
}

/**
 * Whether more of them wait in a direction than may. Restored from rows whose oldest is the first that waits, the broker cannot
 * tell whether that one is its own: it may count one too few.
 */
export const isCrowded = (ledger: Ledger): boolean => ledger.ownWaiting > limits.redriveRowsMax + 1;

/** What is wrong with what a session says of the dead letters that it still has, if anything is. */
export function lostLetter({ letters, host: { store }, names }: World): string | undefined {
  const { record } = store;
  if (record === undefined || letters === undefined) return undefined;
  for (const side of [0, 1] as const) {
    const { left, through } = letters[side];
    const noted = redriveOf(record, side)?.through ?? 0;
    if (noted > through) return `${names[side]}'s through ${noted} are noted to be gone, ${through} are`;
    const [first] = left;
    if (first === undefined) continue;
    const stored = new Set(store.frames(side, first.seq, left.at(-1)?.seq ?? 0).flatMap((frame) => idsIn(frame)));
    const missing = left.find(({ id }) => !stored.has(id));
    if (missing !== undefined) return `${missing.type} ${missing.id} is neither gone nor listed`;
  }
  return undefined;
}

const idsIn = (frame: string): string[] => frame.split("\n").map((line) => (JSON.parse(line) as { id: string }).id);
