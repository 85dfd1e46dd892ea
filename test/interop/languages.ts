// The languages that take part: how the driver of each is started, and what must be installed for it. A fourth one is one
// more entry, and its driver.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Language {
  readonly name: string;
  /** As it stands in the table. */
  readonly short: string;
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
}

interface Entry extends Omit<Language, "command"> {
  /** Programs that may run it, best first. */
  readonly programs: readonly string[];
  /** Arguments that make such a program exit with 0 when it has what the SDK needs. */
  readonly probe: readonly string[];
  readonly arguments: readonly string[];
  /** What to do when none has. */
  readonly install: string;
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const entries: readonly Entry[] = [
  {
    name: "typescript",
    short: "ts",
    programs: [process.execPath],
    probe: ["--version"],
    arguments: [here("agent.ts")],
    install: "Node.js runs this very command",
  },
  {
    name: "python",
    short: "py",
    // The system's own too: another one that comes first in PATH may lack what Debian's packages bring.
    programs: ["python3", "/usr/bin/python3"],
    probe: ["-c", "import websockets"],
    arguments: [here("agent.py")],
    env: { PYTHONPATH: here("../../sdk/python"), PYTHONDONTWRITEBYTECODE: "1" },
    install: "apt-get install python3-websockets (or pip install websockets)",
  },
  {
    name: "ruby",
    short: "rb",
    programs: ["ruby", "/usr/bin/ruby"],
    probe: ["-e", 'require "websocket"'],
    arguments: ["-I", here("../../sdk/ruby/lib"), here("agent.rb")],
    install: "apt-get install ruby ruby-websocket (or gem install websocket)",
  },
];

export const languageNames: readonly string[] = entries.map(({ name }) => name);

export interface Missing {
  readonly name: string;
  readonly short: string;
  readonly install: string;
}

/** The languages that this machine can run, and what to install for the others. */
export function findLanguages(): { found: Language[]; missing: Missing[] } {
  const found: Language[] = [];
  const missing: Missing[] = [];
  for (const { programs, probe, arguments: rest, install, ...entry } of entries) {
    const program = programs.find((one) => spawnSync(one, probe, { stdio: "ignore" }).status === 0);
    if (program === undefined) missing.push({ name: entry.name, short: entry.short, install });
    else found.push({ ...entry, command: [program, ...rest] });
  }
  return { found, missing };
}
