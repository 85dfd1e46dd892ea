// A folder, and those that it is in.
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/**
 * Makes the folder, readable by its owner alone, and those above it that are missing. Part by part: Node's recursive mkdir never
 * ends where a folder that is there answers ENOENT, as /proc does.
 * @returns whether it was not there before
 * @throws what `mkdir` throws: EEXIST where it is something else, ENOTDIR where what it is in is no folder
 */
export async function makeFolder(dir: string): Promise<boolean> {
  if (await isFolder(dir)) return false;
  const parent = dirname(dir);
  const isMissing = await stat(parent).then(
    () => false,
    () => true,
  );
  if (isMissing && parent !== dir) await makeFolder(parent);
  try {
    await mkdir(dir, { mode: 0o700 });
    return true;
  } catch (error) {
    // Two that start at once make the same parts.
    if (await isFolder(dir)) return false;
    throw error;
  }
}
