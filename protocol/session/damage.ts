// Whether what a session is restored from can be the whole of what was stored. Pure.
import type { Saved } from "./effects.ts";

/**
 * A ring is one unbroken run of rows: the oldest ones were overwritten after they were acknowledged, nothing else is ever taken
 * out. A row that is missing, or cursors that speak of rows that are not there, mean that something else wrote to the storage, or
 * that it was damaged; going on would lose or repeat something.
 */
export function isWhole({ rows, cursors }: Saved): boolean {
  return ([0, 1] as const).every((side) => {
    const [oldest, ...later] = rows[side];
    const { acked, sent } = { acked: cursors?.acked[side] ?? 0, sent: cursors?.sent[side] ?? 0 };
    if (oldest === undefined) return acked === 0 && sent === 0;
    let before = oldest;
    for (const row of later) {
      if (row.row <= before.row || row.first !== before.last + 1 || row.origin < before.origin) return false;
      before = row;
    }
    return oldest.first <= acked + 1 && acked <= before.last && sent <= before.last;
  });
}
