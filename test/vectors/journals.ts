// A journal as the vectors see it: its text, and what it remembers, or the line that cannot be read.
import { JournalMemory, type SessionMemory } from "../../sdk/typescript/src/journal-records.ts";

type Json = Record<string, unknown>;

export interface JournalCase {
  name: string;
  text: string;
  /** undefined: it was never said. */
  owner?: { agent: string; account: string };
  sessions?: Json[];
  /** The number of the line that cannot be read, from 1: `journal_damaged`. */
  damaged?: number;
}

const sessionOf = (memory: SessionMemory): Json => {
  const { session_id, lines, isClosing: _, ...remembered } = memory.remembered;
  const { messages, redelivered, closing } = memory;
  return {
    session_id,
    ...remembered,
    lines: lines.map((line) => JSON.parse(line)),
    messages,
    redelivered,
    ahead: [...memory.ahead].sort((a, b) => a - b),
    requested: [...memory.requested],
    tasks: [...memory.tasks.values()].map(({ request, cancel }) => ({ request, ...(cancel && { cancel }) })),
    ...(closing && { closing }),
  };
};

/** What the reader makes of it today. */
export function readJournal({ name, text }: Pick<JournalCase, "name" | "text">): JournalCase {
  const read = (journal: string): Pick<JournalCase, "owner" | "sessions"> => {
    const { owner, sessions } = JournalMemory.read(Buffer.from(journal), "journal");
    return { ...(owner && { owner }), sessions: Array.from(sessions.values(), sessionOf) };
  };
  try {
    const memory = read(text);
    // Written anew it says the same.
    const again = read([...JournalMemory.read(Buffer.from(text), "journal").text()].join(""));
    if (JSON.stringify(again) !== JSON.stringify(memory))
      throw new Error(`${name}: written anew it says something else`);
    return { name, text, ...memory };
  } catch (error) {
    const [, line] = /^journal_damaged: Line (\d+)/.exec(error instanceof Error ? error.message : "") ?? [];
    if (line === undefined) throw error;
    return { name, text, damaged: Number(line) };
  }
}
