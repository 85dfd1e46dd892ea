// What workerd keeps in a state folder: a tree of SQLite files. Nobody reads them here but to say why a broker does not start.

import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Failure, messageOf } from "../failure.ts";

const header = "SQLite format 3\0";

/** Whether it begins as SQLite's files do. One that is empty is a database without tables. */
async function isDatabase(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(header.length), 0, header.length, 0);
    return bytesRead === 0 || buffer.toString("latin1", 0, bytesRead) === header;
  } finally {
    await handle.close();
  }
}

async function damagedFiles(dir: string): Promise<string[]> {
  const found = await readdir(dir, { recursive: true }).catch(() => []);
  const files = found.filter((path) => path.endsWith(".sqlite")).map((path) => join(dir, path));
  const sound = await Promise.all(files.map((file) => isDatabase(file).catch(() => false)));
  return files.filter((_, i) => !sound[i]);
}

/** SQLite's own words, those of workerd about an object that broke, and those of a file where a folder has to be. */
const ofStorage = /SQLITE_(NOTADB|CORRUPT|CANTOPEN|IOERR)|internal error; reference|ENOTDIR|EEXIST/;

/**
 * Why a broker does not start on its storage, in a sentence that says what to do; the error itself where the storage is not
 * to blame.
 * @param dir where D1 and the objects are kept
 */
export async function storageFailure(dir: string, error: unknown): Promise<unknown> {
  const files = await damagedFiles(dir);
  if (files.length === 0 && !ofStorage.test(messageOf(error))) return error;
  const which = files.length === 0 ? "" : ` (${files.slice(0, 3).join(", ")}${files.length > 3 ? ", …" : ""})`;
  return new Failure(
    `The broker's data in ${dir} is damaged${which}. Restore that folder from a copy, or remove it to begin anew: ` +
      "agents must then be certified again, and what was in sessions is lost.",
  );
}
