// Reading command lines: Node's parser, with a sentence instead of a stack. Each command has one usage text, which is what
// `--help` prints.

import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { Failure, messageOf } from "./failure.ts";

/** Parsed flags and positionals; prints the usage and exits 0 on `--help`. Throws a Failure for anything unknown. */
export function readCommandLine<const Options extends ParseArgsOptionsConfig>(usage: string, options: Options) {
  const all = { ...options, help: { type: "boolean", short: "h" } } as const;
  try {
    const parsed = parseArgs({ options: all, allowPositionals: true, strict: true });
    // A script's unset variable, most often: never what was meant, and for --state it would be this very folder.
    const empty = Object.entries(parsed.values).find(([, value]) => value === "");
    if (empty !== undefined) throw new Error(`--${empty[0]} needs a value`);
    if ((parsed.values as { help?: boolean }).help === true) {
      console.log(usage);
      process.exit(0);
    }
    return parsed;
  } catch (error) {
    throw new Failure(`${messageOf(error).split(". ")[0]}.\n\n${usage}`);
  }
}

/** A TCP port from a flag; 0 means any free one. */
export function portOf(flag: string, text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new Failure(`${flag} takes a port from 0 (any free one) to 65535, not "${text}".`);
}
