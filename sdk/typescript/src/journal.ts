// The journal of an agent as a file: what is noted is remembered at once and written with the next commit, before anything that
// depends on it leaves the process. Until the broker has said who this is the file is only read: it may be another process's.
// What the records mean is in `journal-records.ts`; when they are made, in `session-journal.ts`.
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { limits } from "../../../protocol/wire/limits.ts";
import { noop } from "./deferred.ts";
import { AgentworksError, clientError } from "./error.ts";
import { JournalMemory, type JournalRecord, lineOf, type Owner } from "./journal-records.ts";

const nobodyElse = 0o600;
const chunkCharsMax = 1024 * 1024;

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);

/** All of it, or it throws: a short write is not an error to the operating system. */
function writeAll(file: number, text: string): number {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
  return bytes.length;
}

/** Where the file is, or would be made: a link to it stays one, and leads to the file that is written. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
  const folder = realpathSync(dirname(path));
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  return isLink ? realPathOf(resolve(folder, readlinkSync(path))) : join(folder, basename(path));
}

export class Journal {
  /** Told once, when the file fails: from then on nothing may leave the process. */
  onFailure: (error: AgentworksError) => void = noop;
  readonly #path: string;
  #memory = new JournalMemory();
  /** Tells the file that was read from what came of it; "": there was none. */
  #read: string | undefined;
  /** undefined: not claimed yet, closed, or failed. */
  #file: number | undefined;
  #isOver = false;
  #bytes = 0;
  /** It is looked at whether rewriting it is worth while when it has grown past this. */
  #bytesMax = 0;
  #unwritten: string[] = [];

  /** Reads what earlier lives wrote, and changes nothing. Throws journal_damaged, journal_failed. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#path = realPathOf(path);
      accessSync(dirname(this.#path), constants.W_OK);
      this.#refresh();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** What the file said when it was claimed, and all that was noted since. */
  get memory(): JournalMemory {
    return this.#memory;
  }

  /** Reads the file, where it is not as it was read before. */
  #refresh(): void {
    const there = statSync(this.#path, { throwIfNoEntry: false });
    const read = there === undefined ? "" : [there.dev, there.ino, there.size, there.mtimeMs].join(" ");
    if (read === this.#read) return;
    this.#memory = JournalMemory.read(read === "" ? new Uint8Array() : readFileSync(this.#path), this.#path);
    this.#read = read;
  }

  #failure(cause: unknown): AgentworksError {
    if (cause instanceof AgentworksError) return cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    const detail = `The journal ${this.#path} cannot be read or written (${why}). Its folder must exist and have room.`;
    return clientError("journal_failed", detail, { cause });
  }

  /**
   * The broker has said who this is: now the file is this process's, and begun anew with what is left of what it says.
   * @returns why it cannot be: journal_mismatch when it is another agent's, journal_damaged, journal_failed
   */
  claim(owner: Owner): AgentworksError | undefined {
    if (this.#isOver) return clientError("agent_closed");
    try {
      if (this.#file === undefined) this.#refresh();
      else this.#beInPlace(this.#file);
      this.#own(owner);
      if (this.#file === undefined) this.#rewrite();
      return undefined;
    } catch (error) {
      return this.#failure(error);
    }
  }

  #own({ agent, account }: Owner): void {
    const { owner } = this.#memory;
    if (owner !== undefined && (owner.agent !== agent || owner.account !== account)) {
      const detail = `The journal ${this.#path} is that of ${owner.agent} (account ${owner.account}), and this is ${agent} (account ${account}). Give each agent a journal of its own.`;
      throw clientError("journal_mismatch", detail);
    }
    this.#memory.owner = { agent, account };
  }

  /** It is remembered, and written with the next commit. */
  note(record: JournalRecord): void {
    if (this.#file !== undefined && this.#memory.apply(record)) this.#unwritten.push(lineOf(record));
  }

  /** Writes what was noted. @returns false: it is not written, and nothing that depends on it may happen */
  commit(): boolean {
    if (this.#file === undefined) return false;
    if (this.#unwritten.length === 0) return true;
    try {
      this.#bytes += writeAll(this.#file, this.#unwritten.join(""));
      this.#unwritten = [];
      // What was written to a file that has no name any more, no life after this one reads.
      if (fstatSync(this.#file).nlink === 0) this.#beInPlace(this.#file);
      if (this.#bytes > this.#bytesMax) this.#compact();
      return true;
    } catch (error) {
      this.#release();
      this.onFailure(this.#failure(error));
      return false;
    }
  }

  /** What was noted is written; what comes later is not kept. */
  close(): void {
    this.commit();
    this.#isOver = true;
    this.#release();
  }

  #release(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #compact(): void {
    let live = 0;
    for (const text of this.#memory.text()) live += Buffer.byteLength(text);
    if (live * 2 <= this.#bytes) this.#rewrite();
    this.#bytesMax = Math.max(limits.journalBytesMin, live * 2);
  }

  /** Renaming leaves the whole old file or the whole new one, and another process that still has the old one alone with it. */
  #rewrite(): void {
    if (this.#file !== undefined) this.#beInPlace(this.#file);
    const fresh = `${this.#path}.new`;
    const file = openSync(fresh, "w", nobodyElse);
    let bytes = 0;
    try {
      let chunk = "";
      for (const text of this.#memory.text()) {
        chunk += text;
        if (chunk.length < chunkCharsMax) continue;
        bytes += writeAll(file, chunk);
        chunk = "";
      }
      bytes += writeAll(file, chunk);
      fsyncSync(file);
      renameSync(fresh, this.#path);
    } catch (error) {
      closeSync(file);
      throw error;
    }
    this.#release();
    this.#file = file;
    this.#bytes = bytes;
    this.#bytesMax = Math.max(limits.journalBytesMin, bytes * 2);
  }

  /** Throws where the file by that name is not the one that is open here. */
  #beInPlace(file: number): void {
    const there = statSync(this.#path, { throwIfNoEntry: false });
    const here = fstatSync(file);
    if (there?.ino === here.ino && there.dev === here.dev) return;
    const detail = `The journal ${this.#path} was replaced or taken away while this process wrote it. A journal belongs to one process at a time.`;
    throw clientError("journal_failed", detail);
  }
}
