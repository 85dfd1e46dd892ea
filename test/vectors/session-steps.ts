// What sessions.json says: one client half, what is done to it, and what must come of it. README.md has the same in words.
import type { DeliveredEnvelope } from "../../protocol/wire/envelope.ts";

type Json = Record<string, unknown>;

/** How the half begins. */
export type Start =
  | { as: "offer"; session_id: string; to?: string; metadata?: unknown; capability?: string; ttl_ms?: number }
  | { as: "accept"; offer: Json }
  | { as: "recover"; session_id: string; peer: string }
  | ({ as: "recall"; session_id: string } & Memory);

/** What a journal keeps of a session. */
export interface Memory {
  peer: string;
  epoch: string;
  taken: number;
  stored: number;
  /** Everything queued after `stored`, as it is on the wire. */
  lines: Json[];
  is_closing: boolean;
}

export type HeardEvent =
  | { kind: "accepted"; capabilities: unknown[] }
  | { kind: "resumed" }
  | { kind: "unheard"; requests: readonly Json[] }
  | { kind: "recovered"; sent: number; requested: readonly string[]; closing: boolean }
  | { kind: "work"; seq: DeliveredEnvelope["seq"] }
  | { kind: "receipts"; stored: number; delivered: number }
  | { kind: "flow"; paused: boolean }
  | { kind: "fault"; reason: string }
  | { kind: "ended"; reason: string };

export interface Facts {
  state: string;
  peer: string;
  /** Messages that the broker has not stored. */
  backlog: number;
  paused: boolean;
  oldest_in_flight: number | null;
  owes_receipt: boolean;
  /** It waits for something else while it is attached (L28). */
  awaits: boolean;
}

export type Step =
  | { do: "connected" }
  | { do: "reattach" }
  | { do: "lines"; receipts: "now" | "later"; lines: Json[] }
  | { do: "receive"; envelope: Json; events: HeardEvent[] }
  | { do: "send"; type: string; id: string; data: Json; in_reply_to?: string; traceparent?: string; seq: number }
  | { do: "take"; seq: number }
  | ({ do: "facts" } & Facts)
  | ({ do: "memory" } & Memory);

export interface SessionCase {
  name: string;
  rules: string[];
  /** What the half's dice give, in order. */
  ids: string[];
  start: Start;
  steps: Step[];
}
