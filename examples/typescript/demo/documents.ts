// What the demos' agents work on.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Failure } from "../../../scripts/failure.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** The project's own documents: what there is to analyze when nothing is given. */
export async function ownDocuments(): Promise<string[]> {
  const docs = (await readdir(join(root, "docs"))).filter((name) => name.endsWith(".md")).sort();
  return ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
    .map((name) => join(root, name))
    .concat(docs.map((name) => join(root, "docs", name)));
}

/** The files as they were given. Throws a Failure for one that cannot be read. */
export async function readable(files: string[]): Promise<string[]> {
  for (const file of files) {
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile())
      throw new Failure(`Cannot read ${file}: give files that exist, or none for the project's own documents.`);
  }
  return files;
}
