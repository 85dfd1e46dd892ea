// What a control frame of the broker's promises, and whether that goes beyond what is durable. Pure.
import type { Effect } from "../../protocol/session/effects.ts";
import { limits } from "../../protocol/wire/limits.ts";
import type { Told } from "./diary.ts";
import type { Ledger } from "./ledger.ts";

interface Control {
  type: string;
  ack?: number;
  limit?: number;
  data?: { outcome?: string } & Told;
}

/** The frame as an envelope with receipts in it, or undefined: it is work, or an ERROR. Control frames hold one envelope. */
export function readControl(frame: string): Control | undefined {
  const isControl = frame.startsWith('{"type":"MESSAGE_ACK"') || frame.startsWith('{"type":"SESSION_');
  return isControl && !frame.startsWith('{"type":"SESSION_CLOSE"') ? (JSON.parse(frame) as Control) : undefined;
}

/** What it says beyond the truth of the ledger of its receiver, if it does. */
export function beyond(
  { ack, limit = 0, data }: Control,
  ledger: Ledger,
): { invariant: string; claim: string } | undefined {
  const stored = ack ?? data?.received ?? 0;
  const { accepted, granted } = ledger;
  if (stored > accepted)
    return { invariant: "an acknowledgement never passes what is durable", claim: `${stored}, not ${accepted}` };
  if (data?.outcome === "resumed" && stored !== accepted)
    return { invariant: "who resumes learns what is stored", claim: `${stored}, not ${accepted}` };
  const delivered = data?.delivered ?? 0;
  if (!ledger.isDelivered(delivered))
    return { invariant: "delivered means acknowledged", claim: `delivered ${delivered}` };
  const claim = `limit ${limit}, not ${granted}; window ${limits.windowMessages}`;
  return limit > granted ? { invariant: "in flight ≤ window", claim } : undefined;
}

/** Ids of the task requests that an event refuses for want of room. */
export function refusedRequests(effects: readonly Effect[]): ReadonlySet<string> {
  const lines = effects.flatMap((effect) => (effect.do === "reply" ? effect.lines : []));
  return new Set(lines.filter((line) => line.includes("too_many_tasks")).map((line) => JSON.parse(line).in_reply_to));
}
