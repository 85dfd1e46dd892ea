// What broker.json says: one session at the broker, what comes to it when, and what it must say. README.md has the same in words.
type Json = Record<string, unknown>;

/** What leaves: answers to who sent the frame, frames to a connection, a close of it, an offer to the responder's agent. */
export type Said = { to: string; envelopes: Json[]; reply?: true } | { close: string; code: number } | { offer: Json };

interface Answer {
  said: Said[];
  /** When the session wants to be woken next (milliseconds), or null. */
  wake_at: number | null;
}

export type BrokerStep =
  | ({ do: "frame"; at: number; agent: string; on: string; envelopes: Json[] } & Answer)
  | ({ do: "wake"; at: number } & Answer)
  | ({ do: "unoffered"; at: number; reason: string } & Answer)
  | ({ do: "gone"; at: number; agent: string; on: string } & Answer);

export interface BrokerCase {
  name: string;
  rules: string[];
  steps: BrokerStep[];
}
