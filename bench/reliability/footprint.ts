// What the broker takes of the machine: the files of its sessions, and workerd's memory. Read from outside, so that what is
// measured does not know of it.
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { limits } from "../../protocol/wire/limits.ts";

const pageBytes = 4096;
/** SQLite copies its log back into the database when it has grown to this many pages. */
const logPagesMax = 1000;

/**
 * What one session may take on disk, with one direction in use: its ring of history (16 MiB), the window that is kept beyond it
 * while nobody takes it (4 MiB), a page's rounding for each of its rows, and SQLite's log, which may be twice its
 * checkpoint's size while one is under way.
 */
export const storageBoundBytes =
  limits.ringBytesMax + limits.windowBytes + limits.ringRowsMax * pageBytes + 2 * logPagesMax * pageBytes;

/** Bytes of the largest session's files, log included; 0 while there is none. */
export async function largestSessionBytes(state: string): Promise<number> {
  const root = join(state, "workerd", "do");
  const classes = await readdir(root).catch(() => []);
  const sizes = new Map<string, number>();
  for (const name of classes.filter((one) => one.endsWith("SessionObject"))) {
    const folder = join(root, name);
    for (const file of await readdir(folder)) {
      const session = /^([0-9a-f]{64})\.sqlite(-wal)?$/.exec(file)?.[1];
      if (session === undefined) continue;
      const found = await stat(join(folder, file)).catch(() => undefined);
      sizes.set(session, (sizes.get(session) ?? 0) + (found?.size ?? 0));
    }
  }
  return Math.max(0, ...sizes.values());
}

/** Resident memory of a process in MiB; `undefined` where there is no /proc, or no such process any more. */
export async function residentMiB(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
}
