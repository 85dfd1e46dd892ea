// What the broker's refusals mean to the client half, as values: how a session goes on after an ERROR, and what is said of one
// that cannot go on. Nothing here changes anything.
import type { FromBroker, ResumeOutcome } from "../wire/envelope.ts";
import type { ClientState } from "./client-events.ts";

/**
 * ask: whatever was asked is asked again · attach: the session is attached again, where that is not under way · recover: asks
 * where an earlier life came to (A8) · end: the session has ended · none: it goes on as it was.
 */
export type Remedy = "ask" | "attach" | "recover" | "end" | "none";

export function remedyFor(reason: FromBroker<"ERROR">["data"]["reason"], state: ClientState["name"]): Remedy {
  switch (reason) {
    case "too_many_lookups":
    case "relay_lost":
      // The question itself may be what was lost.
      return "ask";
    case "session_not_attached":
    case "sequence_gap":
    case "ack_beyond":
    case "flow_control":
      // All of them say the same: what is on the way is not what the broker expects.
      return "attach";
    case "session_exists":
    case "self_session":
    case "too_many_sessions":
      // They refuse INIT or ACCEPT. Once the session is open the question was a late copy, and its answer is about nothing.
      return state === "offering" || state === "accepting" ? "end" : "none";
    case "session_not_pending":
      // An earlier life of this agent had accepted it already.
      return state === "accepting" ? "recover" : "none";
    case "session_unknown":
    case "session_closed":
    case "session_damaged":
    // An envelope that the broker cannot take stops the stream: nothing after it would ever be in sequence.
    case "invalid_envelope":
    case "envelope_too_large":
    case "too_deep":
    case "from_mismatch":
      return "end";
    default:
      return "none";
  }
}

export const mismatchDetail =
  "The broker repeated a number with another envelope: its storage is an older one; the session cannot go on.";

/** Of a SESSION_RESUMED. */
export const outcomeDetail: Record<ResumeOutcome, string> = {
  resumed: "",
  closed: "The session is closed. What was acknowledged before is stored.",
  unknown: "The broker does not know the session.",
  gap: "The broker and this client do not agree on what was sent; the session cannot go on without losing something.",
  epoch_mismatch: "The session was restored from older storage; it cannot go on without losing something.",
};
