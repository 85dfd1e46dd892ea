// Which rows of a direction's ring are kept: numbers and sizes only, never bodies. A row is written once per inbound frame
// into a slot that is then overwritten; large rows leave earlier, so that history has a bound in bytes too. Pure state.
import { limits } from "../wire/limits.ts";

export class Ring {
  /** The number of the next row; its slot is that number modulo `limits.ringRowsMax`. */
  next = 0;
  #kept: { row: number; bytes: number }[] = [];
  #bytes = 0;

  /** Rebuilds the bookkeeping from rows read in ascending order. */
  restore(rows: Iterable<{ row: number; bytes: number }>): void {
    for (const { row, bytes } of rows) {
      this.#kept.push({ row, bytes });
      this.#bytes += bytes;
      this.next = row + 1;
    }
  }

  /**
   * Room for one more row.
   * @param firstWaiting the oldest row that is not acknowledged: it and later ones are never forgotten
   * @returns its number, and the older rows that must be deleted to stay within `limits.ringBytesMax`
   */
  place(bytes: number, firstWaiting: number): { row: number; forget: number[] } {
    const row = this.next++;
    const forget: number[] = [];
    this.#kept.push({ row, bytes });
    this.#bytes += bytes;
    for (let oldest = this.#kept[0]; oldest !== undefined && oldest.row < row; oldest = this.#kept[0]) {
      const overwritten = oldest.row <= row - limits.ringRowsMax;
      if (!overwritten && (this.#bytes <= limits.ringBytesMax || oldest.row >= firstWaiting)) break;
      if (!overwritten) forget.push(oldest.row);
      this.#bytes -= oldest.bytes;
      this.#kept.shift();
    }
    return { row, forget };
  }
}
