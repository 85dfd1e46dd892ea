// The oracle's book of one direction: what is durable in it, what was acknowledged, and so what the broker may promise.
import type { Row } from "../../protocol/session/effects.ts";
import { limits } from "../../protocol/wire/limits.ts";

/** One envelope as its application said it; `data` as JSON text. */
export interface Sent {
  id: string;
  type: string;
  data: string;
}

interface Kept {
  slot: number;
  first: number;
  last: number;
  bytes: number;
}

type Complain = (detail: string) => never;

export class Ledger {
  /** What is stored for the receiver; the first has `seq` 1. */
  out: (Sent & { own: boolean })[] = [];
  /** What was stored once, before older storage came back. */
  lost = new Map<string, Sent & { seq: number }>();
  /** The sender's `seq` through which everything is durable. */
  accepted = 0;
  /** The highest `limit` that the sender may ever have been told. */
  granted = 0;
  /** The acknowledgement that is stored with the rows: what no loss of memory can undo. */
  known = 0;
  /** The receiver said that it has taken everything through this. */
  #acked = 0;
  /** For each `seq` of the sender's: the last `seq` towards the receiver that it and those before it became. */
  #through: number[] = [0];
  #rows = new Map<number, Kept>();
  /** Which row is in a slot. */
  #slots = new Map<number, number>();
  /** Those of the broker's own that are not acknowledged, by `seq`. */
  #own: number[] = [];
  #waitingBytes = 0;
  /** A broker with older storage forgot what it had promised, and may promise as much again. */
  #slack = 0;
  #bytes = 0;

  get #ackedHere(): number {
    return Math.min(this.#acked, this.out.length);
  }

  /** Of the broker's own, those that are not acknowledged. */
  get ownWaiting(): number {
    return this.#own.length;
  }

  acknowledge(ack: number): void {
    // One beyond what is stored was for a history that an older storage has undone.
    if (ack <= this.#acked || ack > this.out.length) return;
    this.#acked = ack;
    this.#own = this.#own.filter((seq) => seq > ack);
    this.#waitingBytes = 0;
    for (const row of this.#rows.values()) if (row.last > ack) this.#waitingBytes += row.bytes;
    this.grant();
  }

  /** W1: accepted plus what is left of the window. The most it ever was is the most that may be said. */
  grant(): void {
    const room =
      this.#waitingBytes >= limits.windowBytes ? 0 : limits.windowMessages - (this.out.length - this.#ackedHere);
    this.granted = Math.max(this.granted, this.accepted + Math.max(0, room));
  }

  store(row: Row, own: boolean, complain: Complain): void {
    for (let seq = this.accepted + 1; seq <= row.origin; seq++) this.#through[seq] = row.last - (row.origin - seq);
    if (row.last < row.first)
      for (let seq = this.accepted + 1; seq <= row.origin; seq++)
        this.#through[seq] = this.#through[this.accepted] ?? 0;
    this.accepted = row.origin;
    if (own) this.#own.push(row.last);
    const overwritten = this.#slots.get(row.slot);
    if (overwritten !== undefined) this.forget(overwritten, complain);
    this.#slots.set(row.slot, row.row);
    this.#rows.set(row.row, { slot: row.slot, first: row.first, last: row.last, bytes: row.bytes });
    this.#bytes += row.bytes;
    if (row.last > this.#acked) this.#waitingBytes += row.bytes;
  }

  forget(number: number, complain: Complain): void {
    const row = this.#rows.get(number);
    if (row === undefined) return;
    if (row.last > this.#acked)
      complain(`row ${number} (${row.first}…${row.last}), acknowledged through ${this.#acked}`);
    this.#rows.delete(number);
    if (this.#slots.get(row.slot) === number) this.#slots.delete(row.slot);
    this.#bytes -= row.bytes;
  }

  /** Whether the receiver has acknowledged everything of the sender's through `seq`. */
  isDelivered(seq: number): boolean {
    return seq <= this.accepted && (this.#through[seq] ?? 0) <= this.#acked;
  }

  /**
   * What is still missing of everything.
   * @param said how many the sender said
   * @param heard how many of what is stored the receiver heard
   * @param receipts what the sender knows; `delivered` only where it must know all. A receipt may be forgotten with the broker's
   *   memory (S7), its last word knows them all
   */
  missing(
    said: number,
    heard: number,
    receipts: { stored: number; delivered: number | undefined },
  ): string | undefined {
    const { stored, delivered = said } = receipts;
    if (this.accepted !== said) return `${said} were said, ${this.accepted} are stored`;
    if (heard !== this.out.length) return `${this.out.length} are stored for its peer, ${heard} were heard`;
    if (stored !== said) return `it knows of ${stored} stored, not ${said}`;
    return delivered === said ? undefined : `it knows of ${delivered} delivered, not ${said}`;
  }

  /** What is stored beyond the bounds, if anything is. */
  overflow(): string | undefined {
    const waiting = this.out.length - this.#ackedHere - this.#own.length;
    if (waiting > limits.windowMessages + this.#slack)
      return `${waiting} messages wait, the window is ${limits.windowMessages}`;
    if (this.#own.length > limits.brokerRowsMax) return `${this.#own.length} of the broker's own wait`;
    if (this.#rows.size > limits.ringRowsMax) return `${this.#rows.size} rows, the ring has ${limits.ringRowsMax}`;
    const { ringBytesMax, windowBytes, windowMessages, brokerRowsMax, envelopeBytesMax } = limits;
    const bytesMax = ringBytesMax + windowBytes + (windowMessages + brokerRowsMax) * envelopeBytesMax * 2;
    return this.#bytes <= bytesMax ? undefined : `${this.#bytes} bytes of rows`;
  }

  /**
   * Of a row that has just been stored: whether acknowledged history beside it is beyond its bound.
   * @param known the acknowledgement that was stored before
   */
  history(known: number): string | undefined {
    if (this.#bytes <= limits.ringBytesMax) return undefined;
    const [oldest] = this.#rows.values();
    if (oldest === undefined || oldest.last > known || this.#rows.size === 1) return undefined;
    return `${this.#bytes} bytes of rows, the oldest (${oldest.first}…${oldest.last}) is acknowledged`;
  }

  /** A copy of this older book that remembers what was stored after it, and is lost. */
  restoredAfter(later: Ledger): Ledger {
    const copy = this.copy();
    copy.#slack = limits.windowMessages;
    copy.lost = new Map(later.lost);
    for (const [i, one] of later.out.entries()) if (i >= this.out.length) copy.lost.set(one.id, { ...one, seq: i + 1 });
    return copy;
  }

  /** Whether the sender knows of more that is stored than is. */
  forgot(stored: number): string | undefined {
    return stored <= this.accepted ? undefined : `${stored} were acknowledged, ${this.accepted} are stored`;
  }

  /** Whether the receiver heard something else than what is stored, by ids. */
  contradicts(heard: readonly string[]): string | undefined {
    const i = heard.findIndex((id, at) => this.out[at]?.id !== id);
    return i < 0 ? undefined : `it heard ${heard[i]} as number ${i + 1}, stored is ${this.out[i]?.id}`;
  }

  copy(): Ledger {
    const copy = new Ledger();
    copy.out = [...this.out];
    copy.accepted = this.accepted;
    copy.granted = this.granted;
    copy.known = this.known;
    copy.#acked = this.#acked;
    copy.#slack = this.#slack;
    copy.#through = [...this.#through];
    copy.#rows = new Map(this.#rows);
    copy.#slots = new Map(this.#slots);
    copy.#own = [...this.#own];
    copy.#waitingBytes = this.#waitingBytes;
    copy.#bytes = this.#bytes;
    return copy;
  }
}
