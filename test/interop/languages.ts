// The languages that take part, and how the driver of each is started. A fourth one is one more entry, and its driver.
import { fileURLToPath } from "node:url";
import { interpreterOf } from "../../scripts/languages.ts";

export interface Language {
  readonly name: string;
  /** As it stands in the table. */
  readonly short: string;
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
}

interface Entry extends Omit<Language, "command"> {
  /** The program that runs the driver, or what must be installed first. */
  readonly interpreter: { command: string } | { install: string };
  readonly arguments: readonly string[];
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const entries = (): Entry[] => [
  { name: "typescript", short: "ts", interpreter: { command: process.execPath }, arguments: [here("agent.ts")] },
  {
    name: "python",
    short: "py",
    interpreter: interpreterOf("python"),
    // Warnings, as of what was not closed, are complaints.
    arguments: ["-W", "default", here("agent.py")],
    env: { PYTHONPATH: here("../../sdk/python"), PYTHONDONTWRITEBYTECODE: "1" },
  },
  {
    name: "ruby",
    short: "rb",
    interpreter: interpreterOf("ruby"),
    arguments: ["-w", "-I", here("../../sdk/ruby/lib"), here("agent.rb")],
  },
];

/** One that this machine cannot run as it is. */
export interface Missing {
  readonly name: string;
  readonly short: string;
  /** What must be installed. */
  readonly install: string;
}

export function findLanguages(): { found: Language[]; missing: Missing[] } {
  const found: Language[] = [];
  const missing: Missing[] = [];
  for (const { interpreter, arguments: rest, ...language } of entries()) {
    if ("command" in interpreter) found.push({ ...language, command: [interpreter.command, ...rest] });
    else missing.push({ name: language.name, short: language.short, install: interpreter.install });
  }
  return { found, missing };
}
