// What the demo's processes tell each other over IPC, and what a task is about.
import type { Agent } from "../../../sdk/typescript/src/index.ts";

export interface AnalyzeInput {
  name: string;
  /** The analyst asks for the document part by part: so many there are. */
  parts: number;
}

/** One step of the analyst's work, numbered from 1 within its task. */
export interface Step {
  step: number;
  of: number;
  words: number;
}

export interface Analysis {
  name: string;
  words: number;
  headings: number;
  /** The longest word that comes at least twice. */
  theme: string;
  /** The last note that the analyst had sent when it finished: notes are MESSAGEs of the same session. */
  notes: number;
  /** How often the analyst's code ran this very task. */
  runs: number;
}

export interface Note {
  /** Numbered from 1 over the whole session. */
  note: number;
  about: string;
}

/** What the agents' own code saw. */
export interface Tally {
  tasks: number;
  succeeded: number;
  /** Everything that the two exchanged and checked: requests, steps, answers, notes. */
  messages: number;
  lost: number;
  duplicated: number;
  outOfOrder: number;
}

/** From an agent's process to the demo. */
export type Report =
  | { kind: "line"; who: string; text: string }
  | { kind: "ready" }
  | { kind: "reconnected" }
  | { kind: "task_done"; done: number; total: number }
  | { kind: "finished"; tally: Tally };

export const report = (message: Report): void => void process.send?.(message);

/** One line of the transcript. */
export const say = (who: string, text: string): void => report({ kind: "line", who, text });

/** Where to connect, and as whom. */
export interface Credentials {
  url: string;
  caFile: string;
  certFile: string;
  keyFile: string;
}

/** The arguments that the demo starts an agent with. */
export const credentialsOf = (text: string | undefined): Credentials => JSON.parse(text ?? "{}") as Credentials;

/** Tells of losing and finding the connection again: one line each, however many attempts it takes. */
export async function watch(who: string, agent: Agent): Promise<void> {
  let connected = true;
  for await (const status of agent.status()) {
    if (status.type === "disconnected" && connected) {
      connected = false;
      say(who, `lost its connection (${status.code}), and tries again`);
    }
    if (status.type !== "connected") continue;
    connected = true;
    say(who, "connected again; its session resumes where it stood");
    report({ kind: "reconnected" });
  }
}
