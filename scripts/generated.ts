// Files that scripts make and the repository keeps: written, or with --check only compared.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errorCode, Failure } from "./failure.ts";
import { root } from "./sources.ts";

function textOf(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Writes what is stale and says so; with `check` it writes nothing and throws a Failure instead.
 * @param files path below the repository → text
 * @param how the command that writes them, and what is said when all are as they should be
 */
export function keepGenerated(
  files: Record<string, string>,
  { check, command, fresh }: { check: boolean; command: string; fresh: string },
): void {
  const stale = Object.entries(files).filter(([path, text]) => textOf(path) !== text);
  if (check) {
    const paths = stale.map(([path]) => `  ${path}`);
    if (paths.length > 0) throw new Failure(`Stale: run ${command}.\n${paths.join("\n")}`);
    console.log(fresh);
    return;
  }
  for (const [path, text] of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    console.log(`Wrote ${path}`);
  }
  if (stale.length === 0) console.log("Nothing to write.");
}
