// What else an application has to keep in order to go on after its own crash: which session carries which link, and which tasks
// it has asked for and not seen the end of. Lines in files that only grow.
import { appendFileSync, readFileSync } from "node:fs";
import type { Work } from "./rules.ts";

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").slice(0, -1);
  } catch {
    // The first incarnation has none.
    return [];
  }
}

export class Links {
  readonly #file: string;
  readonly #links = new Map<string, string>();

  constructor(file: string) {
    this.#file = file;
    for (const line of linesOf(file)) {
      const [session = "", link = ""] = line.split(" ");
      this.#links.set(session, link);
    }
  }

  note(session: string, link: string): void {
    this.#links.set(session, link);
    appendFileSync(this.#file, `${session} ${link}\n`);
  }

  /** The link that a session carries; `undefined` for one of which an earlier incarnation could not even note that. */
  of(session: string): string | undefined {
    return this.#links.get(session);
  }

  has(link: string): boolean {
    return [...this.#links.values()].includes(link);
  }
}

export interface Asked {
  task_id: string;
  session: string;
  work: Work;
}

export class Tasks {
  readonly #file: string;
  readonly #before: Map<string, Asked>;

  constructor(file: string) {
    this.#file = file;
    this.#before = new Map();
    for (const line of linesOf(file)) {
      const fact = JSON.parse(line) as { asked: Asked } | { over: string };
      if ("asked" in fact) this.#before.set(fact.asked.task_id, fact.asked);
      else this.#before.delete(fact.over);
    }
  }

  asked(asked: Asked): void {
    appendFileSync(this.#file, `${JSON.stringify({ asked })}\n`);
  }

  over(task_id: string): void {
    appendFileSync(this.#file, `${JSON.stringify({ over: task_id })}\n`);
  }

  /** What earlier incarnations asked for in a session and saw no end of, in their order. Each is given out once. */
  takeOpen(session: string): Asked[] {
    const open = [...this.#before.values()].filter((asked) => asked.session === session);
    for (const { task_id } of open) this.#before.delete(task_id);
    return open;
  }
}
