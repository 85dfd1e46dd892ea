// npm run sdk:tables: writes the tables of errors, limits and types that the Python and the Ruby SDK have of their own.
// With --check it writes nothing, and fails where a file is not what it would write.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readCommandLine } from "../command-line.ts";
import { errorCode, Failure, runCommand } from "../failure.ts";
import { root } from "../sources.ts";
import { pythonModules } from "./python.ts";
import { rubyFiles } from "./ruby.ts";
import { readTables } from "./tables.ts";

const usage = `Usage: npm run sdk:tables -- [--check]

Writes errors, limits and the names of types for the SDKs of other languages, from protocol/wire.

  --check  writes nothing; exits 1 where a file is stale
  --help   this text`;

/** Path below the repository → text. */
export function sdkTables(): Record<string, string> {
  const tables = readTables();
  const placed = (folder: string, files: Record<string, string>) =>
    Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text] as const);
  return Object.fromEntries([
    ...placed("sdk/python/agentworks/protocol", pythonModules(tables)),
    ...placed("sdk/ruby/lib/agentworks/protocol", rubyFiles(tables)),
  ]);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

if (import.meta.main) {
  await runCommand(async () => {
    const { values } = readCommandLine(usage, { check: { type: "boolean", default: false } });
    const stale = Object.entries(sdkTables()).filter(([path, text]) => textOf(path) !== text);
    if (values.check) {
      const paths = stale.map(([path]) => `  ${path}`);
      if (paths.length > 0) throw new Failure(`Stale: run npm run sdk:tables.\n${paths.join("\n")}`);
      console.log("The tables of the SDKs are those of protocol/wire.");
      return;
    }
    for (const [path, text] of stale) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
      console.log(`Wrote ${path}`);
    }
    if (stale.length === 0) console.log("Nothing to write.");
  });
}
