// The client half's own stream of work: queued in order, sent a frame at a time and within the limit, kept until the broker has
// stored it (S5, S8, B1, B2), and what of it may have been refused unheard (A11). It knows no state of the session and no connection.
import type { WorkType } from "../wire/envelope.ts";
import { limits } from "../wire/limits.ts";
import { SendStream, type Span } from "./streams.ts";

/** Half of a frame stays free for receipts and other sessions (B2). */
const linesMax = limits.frameEnvelopesMax / 2;
const bytesMax = limits.frameBytesMax / 2;

interface Outgoing extends Span {
  line: string;
}

export class OutgoingWork extends SendStream<Outgoing> {
  /** The peer has taken everything through this. */
  delivered = 0;
  /** The broker takes nothing beyond this. */
  #limit = 0;
  #closeSeq: number | undefined;
  /** What is acknowledged before an attachment is made again: its ERRORs may be lost. */
  #unheard: Outgoing[] = [];

  /** This end has queued SESSION_CLOSE. */
  get isClosing(): boolean {
    return this.#closeSeq !== undefined;
  }

  /** … and has sent it. */
  get hasSentClose(): boolean {
    return this.#closeSeq !== undefined && this.sent >= this.#closeSeq;
  }

  /** Takes the line of number `seq`, which is `next`. */
  queue(type: WorkType, seq: number, line: string): void {
    this.append({ first: seq, last: seq, bytes: line.length, line });
    if (type === "SESSION_CLOSE") this.#closeSeq = seq;
  }

  /**
   * The lines of the next frame, which are sent by that: whatever there is while nothing is on its way, else only a full frame (B1).
   */
  frame(): string[] {
    const { lines, isFull } = this.#next();
    if (this.sent > this.acked && !isFull) return [];
    this.sent += lines.length;
    return lines;
  }

  /** A full frame may go now, whatever is on its way. */
  get hasFullFrame(): boolean {
    return this.#next().isFull;
  }

  /** What the next frame would have, as far as the limit allows. */
  #next(): { lines: string[]; isFull: boolean } {
    const lines: string[] = [];
    let bytes = 0;
    // Here each span is one envelope, and the first of them is the oldest that is not stored.
    for (const { first, line } of this.spans.slice(this.sent - this.acked, this.sent - this.acked + linesMax)) {
      bytes += line.length * 3 + 1;
      if (first > this.#limit) break;
      if (bytes > bytesMax && lines.length > 0) return { lines, isFull: true };
      lines.push(line);
    }
    return { lines, isFull: lines.length >= linesMax };
  }

  /**
   * The broker has stored, the peer has taken, the broker takes: everything through these. Lower ones change nothing.
   * @param isAttached false: what it said of the work that it stored may be lost
   * @returns whether more is stored or delivered than before
   */
  receipt(stored: number, delivered: number, limit: number, isAttached: boolean): boolean {
    const before = this.acked + this.delivered;
    const done = this.acknowledge(stored);
    if (!isAttached) this.#unheard.push(...done);
    this.delivered = Math.max(this.delivered, delivered);
    this.#limit = Math.max(this.#limit, limit);
    return this.acked + this.delivered !== before;
  }

  /** The `data` of the TASK_REQUESTs that were stored unheard: told once. */
  tellUnheard(): string[] {
    const requests = this.#unheard.flatMap(({ line }) => requestIn(line));
    this.#unheard = [];
    return requests;
  }

  /** Goes on where an earlier life had come to, of which nothing is left here. */
  recover(stored: number, delivered: number, limit: number): void {
    this.startAfter(stored);
    this.delivered = delivered;
    this.#limit = limit;
  }
}

const requestHead = '{"type":"TASK_REQUEST"';

/** The `data` of a TASK_REQUEST as this end wrote it, or nothing. */
const requestIn = (line: string): string[] =>
  line.startsWith(requestHead) ? [line.slice(line.indexOf(',"data":') + ',"data":'.length, -1)] : [];
