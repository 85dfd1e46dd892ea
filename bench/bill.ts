// The bill: what a million messages cost at Cloudflare's list prices, from what the runtime counted.
//
//   requests  = calls between objects + incoming WebSocket frames ÷ 20
//   GB-s      = seconds awake × objects awake × 128 MB; each object counts as awake all the while: an upper bound, for a session
//               that does nothing but this, one frame at a time
//   dollars   = requests × price + rows written × price + rows read × price + GB-s × price
//
// Not in it: the upgrade of each connection (one request), storage ($0.20 per GB and month), and what is included in the plan.
import type { Counted, Usage } from "./cost.ts";
import { row } from "./places.ts";

/** Dollars a million, developers.cloudflare.com/durable-objects/platform/pricing, as of November 2026. */
export const prices = {
  request: 0.15,
  framesPerRequest: 20,
  rowWritten: 1.0,
  rowRead: 0.001,
  gbSecond: 12.5,
} as const;

const objectGb = 0.128;
/** Both agents and the session; on the direct path the session alone. */
const objectsAwake = { multiplexed: 3, direct: 1 };

/** For a million messages: how many millions of each, and dollars. */
export interface Bill {
  requests: number;
  rowsWritten: number;
  rowsRead: number;
  gbSeconds: number;
  dollars: number;
}

export type Bills = Record<keyof Counted, Record<keyof Counted["direct"], Bill>>;

const rounded = (value: number) => Number(value.toFixed(4));

function billOf({ calls, frames, rowsWritten, rowsRead, seconds }: Usage, awake: number): Bill {
  const requests = calls + frames / prices.framesPerRequest;
  const gbSeconds = seconds * awake * objectGb;
  const dollars =
    requests * prices.request +
    rowsWritten * prices.rowWritten +
    rowsRead * prices.rowRead +
    gbSeconds * prices.gbSecond;
  return {
    requests: rounded(requests),
    rowsWritten: rounded(rowsWritten),
    rowsRead: rounded(rowsRead),
    gbSeconds: rounded(gbSeconds),
    dollars: rounded(dollars),
  };
}

export function billsOf(counted: Counted): Bills {
  const both = (path: keyof Counted) => ({
    frame1: billOf(counted[path].frame1, objectsAwake[path]),
    frame16: billOf(counted[path].frame16, objectsAwake[path]),
  });
  return { multiplexed: both("multiplexed"), direct: both("direct") };
}

export function billTable(bills: Bills): string {
  const lines = [row("", "in frames of", "requests", "rows written", "rows read", "GB-s", "dollars")];
  for (const [path, { frame1, frame16 }] of Object.entries(bills)) {
    for (const [n, bill] of [
      ["1", frame1],
      ["16", frame16],
    ] as const) {
      const { requests, rowsWritten, rowsRead, gbSeconds, dollars } = bill;
      lines.push(row(path, n, requests, rowsWritten, rowsRead, gbSeconds, `$${dollars.toFixed(2)}`));
    }
  }
  return lines.join("\n");
}
