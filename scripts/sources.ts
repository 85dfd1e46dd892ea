// Finding the project's own files, for the checks. Generated and installed files are nobody's to check.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder, without a slash at its end. */
export const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

const skipped = new Set(["node_modules", "dist", "coverage", "migrations"]);

/** Paths under `base`, relative to it, with `/`, sorted; hidden, installed and generated folders are left out. */
export function filesIn(base: string, wanted: (path: string) => boolean): string[] {
  const found: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(base, folder), { withFileTypes: true })) {
      if (entry.name.startsWith(".") || skipped.has(entry.name)) continue;
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) visit(path);
      else if (wanted(path)) found.push(path);
    }
  };
  visit("");
  return found.sort();
}
