// The state folder: who holds it, and what the running broker says about itself in it. One broker at a time.

import { chmod, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setInterval } from "node:timers/promises";
import { z } from "zod";
import { makeFolder } from "../../sdk/typescript/src/folders.ts";
import { errorCode, Failure, messageOf } from "../failure.ts";
import { isAlive, killStaleWorkerd, markOf, ProcessMark } from "./process.ts";

/** `lock`: the holder, and its workerd, so that the next holder can end one that was left behind. */
const Lock = z.object({ holder: ProcessMark, workerd: ProcessMark.optional() });
type Lock = z.infer<typeof Lock>;

/** `broker.json` (0600): how to reach and to administer the running broker. */
const BrokerRecord = z.object({
  pid: z.int(),
  started: z.string(),
  stateDir: z.string(),
  agentsUrl: z.string(),
  apiUrl: z.string(),
  adminToken: z.string(),
  /** With every scope in the account `local`. */
  apiKey: z.string().optional(),
  /** PEM: the CAs whose agents the edge lets in. */
  clientCas: z.array(z.string()),
});
export type BrokerRecord = z.infer<typeof BrokerRecord>;

export const defaultStateDir = ".agentworks";

const lookEveryMs = 2_000;

/** Replaces a file whole: a reader sees the old text or the new. */
export async function replaceFile(file: string, text: string, mode: number): Promise<void> {
  const draft = `${file}.${process.pid}.new`;
  await writeFile(draft, text, { mode });
  await chmod(draft, mode);
  await rename(draft, file);
}

async function makeStateFolder(dir: string): Promise<void> {
  const found = await stat(dir).catch(() => undefined);
  if (found !== undefined && !found.isDirectory()) {
    throw new Failure(`${dir} is not a directory: name another state folder with --state.`);
  }
  await makeFolder(dir).catch((error: unknown) => {
    throw new Failure(
      `Cannot make the state folder ${dir} (${errorCode(error) ?? messageOf(error)}): name another with --state.`,
    );
  });
}

/** The lock that is there, "damaged" when nobody can have meant it, `undefined` when there is none. */
async function readLock(file: string): Promise<{ text: string; lock: Lock | undefined } | undefined> {
  try {
    const text = await readFile(file, "utf8");
    try {
      return { text, lock: Lock.parse(JSON.parse(text)) };
    } catch {
      return { text, lock: undefined };
    }
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw new Failure(
      `Cannot read the lock ${file}: ${messageOf(error)}. Remove it, if no broker runs on this folder.`,
    );
  }
}

async function create(file: string, text: string): Promise<boolean> {
  try {
    const handle = await open(file, "wx", 0o600);
    await handle.writeFile(text);
    await handle.close();
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw new Failure(`The state folder is not writable (${errorCode(error)}, ${file}): name another with --state.`);
  }
}

/** Takes the lock of a dead holder away, unless somebody else was quicker. */
async function clear(file: string, text: string, lock: Lock | undefined): Promise<void> {
  if (lock?.workerd !== undefined) await killStaleWorkerd(lock.workerd);
  const aside = `${file}.${process.pid}.stale`;
  await rename(file, aside).catch(() => undefined);
  const taken = await readFile(aside, "utf8").catch(() => text);
  // What was renamed is a new holder's lock: give it back.
  if (taken !== text) await rename(aside, file);
  else await rm(aside, { force: true });
}

/** A folder that this process holds. */
export class StateFolder {
  readonly dir: string;
  readonly #lockFile: string;
  readonly #lock: Lock;
  #noting: Promise<void> = Promise.resolve();

  private constructor(dir: string, lockFile: string, lock: Lock) {
    this.dir = dir;
    this.#lockFile = lockFile;
    this.#lock = lock;
  }

  /**
   * Makes the folder if need be and locks it; a lock whose holder is dead is taken over, its workerd ended.
   * Throws a Failure when the path is no directory, is not writable, or a living process holds it.
   */
  static async hold(path: string): Promise<StateFolder> {
    const dir = resolve(path);
    await makeStateFolder(dir);
    const lockFile = join(dir, "lock");
    const lock: Lock = { holder: markOf(process.pid) ?? { pid: process.pid, started: "" } };
    for (let tries = 0; tries < 5; tries++) {
      if (await create(lockFile, JSON.stringify(lock))) return new StateFolder(dir, lockFile, lock);
      const found = await readLock(lockFile);
      if (found === undefined) continue;
      if (found.lock !== undefined && isAlive(found.lock.holder)) {
        throw new Failure(
          `The state folder ${dir} is in use by a running broker (pid ${found.lock.holder.pid}): stop it, or name another folder with --state.`,
        );
      }
      await clear(lockFile, found.text, found.lock);
    }
    throw new Failure(
      `The state folder ${dir} is being taken by another broker: try again, or name another with --state.`,
    );
  }

  /** Notes the workerd of this broker for whoever comes after a crash. */
  noteWorkerd(pid: number): Promise<void> {
    this.#noting = this.#noting.then(async () => {
      const workerd = markOf(pid);
      if (workerd === undefined) return;
      this.#lock.workerd = workerd;
      await replaceFile(this.#lockFile, JSON.stringify(this.#lock), 0o600);
    });
    return this.#noting;
  }

  /** Resolves when the folder is this process's no more: removed, moved away, taken, or released. What is written then is lost. */
  async untilLost(): Promise<void> {
    const { pid, started } = this.#lock.holder;
    for await (const _ of setInterval(lookEveryMs, undefined, { ref: false })) {
      const holder = (await readLock(this.#lockFile).catch(() => undefined))?.lock?.holder;
      if (holder?.pid !== pid || holder.started !== started) return;
    }
  }

  async publish(record: Omit<BrokerRecord, "pid" | "started" | "stateDir">): Promise<void> {
    const { pid, started } = this.#lock.holder;
    const file = join(this.dir, "broker.json");
    const text = `${JSON.stringify({ pid, started, stateDir: this.dir, ...record })}\n`;
    await replaceFile(file, text, 0o600).catch((error: unknown) => {
      throw new Failure(`Cannot write ${file}: ${messageOf(error)}. Remove what is in its place, and start again.`);
    });
  }

  async release(): Promise<void> {
    // A note that is still being written would put the lock back.
    await this.#noting.catch(() => undefined);
    // One that stays behind names a process that has ended: nobody believes it.
    await rm(join(this.dir, "broker.json"), { force: true }).catch(() => undefined);
    await rm(this.#lockFile, { force: true });
  }
}

/** The record of the broker that runs on a state folder. Throws a Failure when none does. */
export async function runningBroker(stateDir: string): Promise<BrokerRecord> {
  const dir = resolve(stateDir);
  const none = new Failure(
    `No broker is running on ${dir}: start one with \`npm start\`, or name its folder with --state.`,
  );
  const text = await readFile(join(dir, "broker.json"), "utf8").catch((error: unknown) => {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") throw none;
    throw new Failure(`Cannot read ${join(dir, "broker.json")}: ${messageOf(error)}.`);
  });
  let record: BrokerRecord;
  try {
    record = BrokerRecord.parse(JSON.parse(text));
  } catch {
    throw new Failure(`${join(dir, "broker.json")} is damaged: restart the broker of this folder.`);
  }
  if (!isAlive(record)) throw none;
  return record;
}
