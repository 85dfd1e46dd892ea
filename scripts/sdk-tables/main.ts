// npm run sdk:tables: writes the tables of errors, limits and types that the Python and the Ruby SDK have of their own.
// With --check it writes nothing, and fails where a file is not what it would write.
import { readCommandLine } from "../command-line.ts";
import { runCommand } from "../failure.ts";
import { keepGenerated } from "../generated.ts";
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

if (import.meta.main) {
  await runCommand(async () => {
    const { values } = readCommandLine(usage, { check: { type: "boolean", default: false } });
    const fresh = "The tables of the SDKs are those of protocol/wire.";
    keepGenerated(sdkTables(), { check: values.check, command: "npm run sdk:tables", fresh });
  });
}
