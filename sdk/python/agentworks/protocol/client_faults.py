"""What the broker's refusals mean to the client half, as values: how a session goes on after an ERROR, and what is said
of one that cannot go on. Nothing here changes anything. A port of protocol/session/client-faults.ts."""

from __future__ import annotations

from typing import Dict, Literal

from .client_events import StateName

#: ask: whatever was asked is asked again · attach: the session is attached again, where that is not under way ·
#: recover: asks where an earlier life came to (A8) · end: the session has ended · none: it goes on as it was.
Remedy = Literal["ask", "attach", "recover", "end", "none"]

#: The question itself may be what was lost.
_lost = frozenset({"too_many_lookups", "relay_lost"})
#: All of them say the same: what is on the way is not what the broker expects.
_out_of_step = frozenset({"session_not_attached", "sequence_gap", "ack_beyond", "flow_control"})
#: They refuse INIT or ACCEPT. Once the session is open the question was a late copy, and its answer is about nothing.
_never_opened = frozenset({"session_exists", "self_session", "too_many_sessions"})
#: The session is gone; or an envelope that the broker cannot take stops the stream: nothing after it would ever be in
#: sequence.
_fatal = frozenset(
    {
        "session_unknown",
        "session_closed",
        "session_damaged",
        "invalid_envelope",
        "envelope_too_large",
        "too_deep",
        "from_mismatch",
    }
)


def remedy_for(reason: str, state: StateName) -> Remedy:
    """How a session in ``state`` goes on after an ERROR."""
    if reason in _lost:
        return "ask"
    if reason in _out_of_step:
        return "attach"
    if reason in _never_opened:
        return "end" if state in ("offering", "accepting") else "none"
    if reason == "session_not_pending":
        # An earlier life of this agent had accepted it already.
        return "recover" if state == "accepting" else "none"
    return "end" if reason in _fatal else "none"


mismatch_detail = (
    "The broker repeated a number with another envelope: its storage is an older one; the session cannot go on."
)

#: Of a SESSION_RESUMED.
outcome_details: Dict[str, str] = {
    "closed": "The session is closed. What was acknowledged before is stored.",
    "unknown": "The broker does not know the session.",
    "gap": "The broker and this client do not agree on what was sent; the session cannot go on without loss.",
    "epoch_mismatch": "The session was restored from older storage; it cannot go on without losing something.",
}
