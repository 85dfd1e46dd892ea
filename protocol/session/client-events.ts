// The words between the client half and whoever drives it: its states, what the application hears, what must outlive the process.
import type { Capability, DeliveredEnvelope, FromBroker, FromClient } from "../wire/envelope.ts";
import type { AgentId, Uuid } from "../wire/ids.ts";

/**
 * offering, accepting: waiting for the broker's SESSION_ACCEPT · ready: accepted, and this connection is attached ·
 * resuming: accepted, SESSION_RESUME sent or to be sent · recovering: the same, without a memory of it · ended: no work will flow again.
 */
export type ClientState =
  | { name: "offering"; offer: FromClient<"SESSION_INIT">; asked: boolean }
  | { name: "accepting"; accept: FromClient<"SESSION_ACCEPT">; asked: boolean }
  | { name: "ready" }
  | { name: "resuming"; asked: boolean }
  | { name: "recovering"; asked: boolean }
  | { name: "ended"; reason: string; detail: string };

/** What the application hears. `work` comes in order and once. */
export type ClientEvent =
  | { kind: "accepted"; capabilities: Capability[] }
  | { kind: "resumed" }
  /**
   * The `data` of TASK_REQUESTs that were stored while nothing the broker said was heard: if it refused one of them (T9), that is
   * lost. Ask again for those that are open (A11).
   */
  | { kind: "unheard"; requests: readonly string[] }
  /**
   * Work through `sent` may have been taken in an earlier life; `requested` are tasks that this agent asked for then. closing: that
   * life or the peer has closed the session; nothing more is to be said in it.
   */
  | { kind: "recovered"; sent: number; requested: readonly Uuid[]; closing: boolean }
  | { kind: "work"; envelope: DeliveredEnvelope }
  | { kind: "receipts"; stored: number; delivered: number }
  | { kind: "flow"; paused: boolean }
  | { kind: "fault"; fault: FromBroker<"ERROR"> }
  | { kind: "ended"; reason: string; detail: string };

/** What must outlive a client's process, so that the next one goes on with the session as after any disconnect (A2). */
export interface Remembered {
  session_id: Uuid;
  peer: AgentId;
  epoch: string;
  /** The application has taken everything through this: nothing at or below it comes again. */
  taken: number;
  /** Of this end's own, the broker has stored everything through this … */
  stored: number;
  /** … and these are the exact lines of all that was queued after it, in order. */
  lines: readonly string[];
  /** Either side has closed it. */
  isClosing: boolean;
}
