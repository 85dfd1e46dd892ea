// Where the interpreters of the other languages' SDKs are, and what to install where one is missing. Nothing else.
import { spawnSync } from "node:child_process";
import { Failure } from "./failure.ts";

interface Need {
  /** A program that exits 0 where the interpreter has this. */
  probe: string;
  /** What it is, and how to install it. */
  install: string;
}

interface Language {
  /** Interpreters to try, in order; the first is what the environment names. */
  candidates: (string | undefined)[];
  /** The flag before a program on the command line. */
  flag: string;
  version: Need;
  /** For programs over the SDK. */
  library: Need;
}

const languages = {
  python: {
    candidates: [process.env.PYTHON, "/usr/bin/python3", "python3"],
    flag: "-c",
    version: {
      probe: "import sys; assert sys.version_info >= (3, 9)",
      install: "Python 3.9 or newer (Debian: apt-get install python3), or name one by PYTHON=…",
    },
    library: {
      probe: "import websockets",
      install: "websockets for Python (Debian: apt-get install python3-websockets; else pip install websockets)",
    },
  },
  ruby: {
    candidates: [process.env.RUBY, "ruby"],
    flag: "-e",
    version: {
      probe: 'exit RUBY_VERSION >= "3.0"',
      install: "Ruby 3.0 or newer (Debian: apt-get install ruby), or name one by RUBY=…",
    },
    library: {
      probe: 'require "websocket"',
      install: "the gem websocket (gem install websocket; Debian: apt-get install ruby-websocket)",
    },
  },
} satisfies Record<string, Language>;

export type LanguageName = keyof typeof languages;
export const languageNames = Object.keys(languages) as LanguageName[];

/** The interpreter that can run programs over the SDK; or what must be installed first. */
export function interpreterOf(name: LanguageName): { command: string } | { install: string } {
  const { candidates, flag, version, library }: Language = languages[name];
  const runs = (command: string, { probe }: Need) =>
    spawnSync(command, [flag, probe], { stdio: "ignore" }).status === 0;
  const found = candidates.filter((one) => one !== undefined).filter((one) => runs(one, version));
  if (found.length === 0) return { install: version.install };
  const command = found.find((one) => runs(one, library));
  return command === undefined ? { install: library.install } : { command };
}

/** The same for who cannot go on without it. */
export function needInterpreter(name: LanguageName): string {
  const found = interpreterOf(name);
  if ("command" in found) return found.command;
  throw new Failure(`Install ${found.install}.`);
}
