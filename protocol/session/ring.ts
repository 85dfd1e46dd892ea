// Which rows of a direction are kept, and in which slots of its storage: numbers and sizes only, never bodies. A row is written over
// the oldest that is of no more use, so that history is bounded and a row costs no delete: deletes are billed as writes are. Pure state.
import { limits } from "../wire/limits.ts";

/** A row, and where it is stored: a slot below `limits.ringRowsMax`. */
export interface Slotted {
  row: number;
  slot: number;
}

export class Ring {
  /** The number of the next row: rows are numbered as they come, whatever their slots. */
  next = 0;
  #kept: (Slotted & { bytes: number })[] = [];
  #bytes = 0;
  /** Slots that hold nothing any more … */
  #free: number[] = [];
  /** … and the first of those that never held anything. */
  #fresh = 0;

  /** Rebuilds the bookkeeping from rows read in ascending order. */
  restore(rows: Iterable<Slotted & { bytes: number }>): void {
    for (const { row, slot, bytes } of rows) {
      this.#kept.push({ row, slot, bytes });
      this.#bytes += bytes;
      this.next = row + 1;
    }
    const taken = new Set(this.#kept.map(({ slot }) => slot));
    this.#fresh = Math.max(-1, ...taken) + 1;
    for (let slot = 0; slot < this.#fresh; slot++) if (!taken.has(slot)) this.#free.push(slot);
  }

  /**
   * Room for one more row.
   * @param firstWaiting the oldest row that is not acknowledged: it and later ones are never forgotten
   * @returns its number and slot, and the older rows that must be deleted beside the one that it overwrites, if any
   */
  place(bytes: number, firstWaiting: number): Slotted & { forget: Slotted[] } {
    const row = this.next++;
    this.#bytes += bytes;
    const left: Slotted[] = [];
    for (let oldest = this.#kept[0]; oldest !== undefined; oldest = this.#kept[0]) {
      const isFull = this.#kept.length === limits.ringRowsMax;
      if (!isFull && (this.#bytes <= limits.ringBytesMax || oldest.row >= firstWaiting)) break;
      this.#bytes -= oldest.bytes;
      left.push({ row: oldest.row, slot: oldest.slot });
      this.#kept.shift();
    }
    const [overwritten, ...forget] = left;
    const slot = overwritten?.slot ?? this.#free.pop() ?? this.#fresh++;
    for (const one of forget) this.#free.push(one.slot);
    this.#kept.push({ row, slot, bytes });
    return { row, slot, forget };
  }
}
