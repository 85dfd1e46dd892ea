// The journal of an agent as a file: what is noted is remembered at once and written with the next commit, before anything that
// depends on it leaves the process. What the records mean is in `journal-records.ts`; when they are made, in `session-journal.ts`.
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from "node:fs";
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

export class Journal {
  readonly memory: JournalMemory;
  /** Told once, when the file fails: from then on nothing may leave the process. */
  onFailure: (error: AgentworksError) => void = noop;
  readonly #path: string;
  /** undefined: closed, or failed. */
  #file: number | undefined;
  #bytes = 0;
  /** It is looked at whether rewriting it is worth while when it has grown past this. */
  #bytesMax = 0;
  #unwritten: string[] = [];

  /**
   * Reads what earlier lives wrote, and begins a file of its own with what is left of that.
   * Throws journal_damaged, journal_failed.
   */
  constructor(path: string) {
    this.#path = path;
    this.memory = JournalMemory.read(this.#read(), path);
    try {
      this.#rewrite();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #read(): Uint8Array {
    try {
      return readFileSync(this.#path);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return new Uint8Array();
      throw this.#failure(error);
    }
  }

  #failure(cause: unknown): AgentworksError {
    if (cause instanceof AgentworksError) return cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    const detail = `The journal ${this.#path} cannot be read or written (${why}). Its folder must exist and have room.`;
    return clientError("journal_failed", detail, { cause });
  }

  /** The broker has said who this is. @returns journal_mismatch when the journal is another's */
  claim({ agent, account }: Owner): AgentworksError | undefined {
    const { owner } = this.memory;
    if (owner === undefined) {
      this.memory.owner = { agent, account };
      this.#unwritten.push(this.memory.head);
    } else if (owner.agent !== agent || owner.account !== account) {
      const detail = `The journal ${this.#path} is that of ${owner.agent} (account ${owner.account}), and this is ${agent} (account ${account}). Give each agent a journal of its own.`;
      return clientError("journal_mismatch", detail);
    }
    return undefined;
  }

  /** It is remembered, and written with the next commit. */
  note(record: JournalRecord): void {
    if (this.#file !== undefined && this.memory.apply(record)) this.#unwritten.push(lineOf(record));
  }

  /** Writes what was noted. @returns false: it is not written, and nothing that depends on it may happen */
  commit(): boolean {
    if (this.#file === undefined) return false;
    if (this.#unwritten.length === 0) return true;
    try {
      this.#bytes += writeAll(this.#file, this.#unwritten.join(""));
      this.#unwritten = [];
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
    this.#release();
  }

  #release(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #compact(): void {
    let live = 0;
    for (const text of this.memory.text()) live += Buffer.byteLength(text);
    if (live * 2 <= this.#bytes) this.#rewrite();
    this.#bytesMax = Math.max(limits.journalBytesMin, live * 2);
  }

  /** Renaming leaves the whole old file or the whole new one, and another process that still has the old one alone with it. */
  #rewrite(): void {
    if (this.#isTaken()) throw clientError("superseded", `Another process has opened the journal ${this.#path}.`);
    const fresh = `${this.#path}.new`;
    const file = openSync(fresh, "w", nobodyElse);
    let bytes = 0;
    try {
      let chunk = "";
      for (const text of this.memory.text()) {
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

  /** Whether the file by that name is not the one that is open here. One that is gone is made again. */
  #isTaken(): boolean {
    if (this.#file === undefined) return false;
    const there = statSync(this.#path, { throwIfNoEntry: false });
    return there !== undefined && there.ino !== fstatSync(this.#file).ino;
  }
}
