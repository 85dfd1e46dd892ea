"""How a session ended, and how the broker's last word on it reads for the application. Pure."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .error import AgentworksError, client_error, said_error
from .protocol.envelope import Envelope


class SessionEnd(NamedTuple):
    """``error`` is None when it was by ``close``, here or by the peer."""

    reason: str
    error: Optional[AgentworksError] = None


def ended_by(error: AgentworksError) -> SessionEnd:
    return SessionEnd(error.reason, error)


def session_end_of(envelope: Envelope, close_reason: str) -> SessionEnd:
    """:param close_reason: what was given to ``close``, here or by the peer"""
    kind, data = envelope["type"], envelope.get("data", {})
    if kind in ("ERROR", "SESSION_REJECT"):
        return ended_by(said_error(data))
    if kind in ("SESSION_RESUMED", "SESSION_CLOSED"):
        if data.get("outcome", "closed") != "closed":
            return ended_by(client_error("session_lost"))
        if data.get("state") == "expired":
            return ended_by(client_error("session_expired"))
        return SessionEnd(close_reason)
    # Work that contradicts what came before.
    return ended_by(client_error("session_lost"))
