"""A session's own WebSocket, straight to the object that keeps it. The agent's connection stays for everything else."""

from __future__ import annotations

from typing import Callable, Sequence

from .connection import Connection, ConnectionOptions
from .error import AgentworksError
from .protocol.codec import pack_frames
from .protocol.errors import CloseCode
from .session import Session
from .session_end import ended_by
from .socket import SocketEnd
from .statuses import Disconnected, Reconnecting, Status


class _Direct:
    """Until it is up the session works over the agent's connection; from then on over this one only. A refusal for
    good, or a final close, ends the session."""

    def __init__(self, session: Session, frame: Callable[[str], None], tell: Callable[[Status], None]) -> None:
        self._session = session
        self._frame = frame
        self._tell = tell
        self.connection: Connection

    def opened(self) -> Sequence[str]:
        self._session.route = self.connection
        self._session.connected()
        return pack_frames(self._session.lines())

    def frame(self, text: str) -> None:
        self._frame(text)

    def lost(self, end: SocketEnd, will_reconnect: bool) -> None:
        self._tell(Disconnected(end.code, end.reason, will_reconnect, self._session))

    def retrying(self, attempt: int, delay_ms: int) -> None:
        self._tell(Reconnecting(attempt, delay_ms, self._session))

    def stopped(self, error: AgentworksError) -> None:
        self._session.end(ended_by(error))


def open_direct(
    session: Session, options: ConnectionOptions, frame: Callable[[str], None], tell: Callable[[Status], None]
) -> Connection:
    """Dials it."""
    url = options.url._replace(path=f"/v1/sessions/{session.id}")
    events = _Direct(session, frame, tell)
    # When the agent's connection is made anew in the same moment, its attachment may overtake this one: that is no
    # other process. One that really takes the agent over closes the agent's connection, and that ends everything.
    events.connection = Connection(options._replace(url=url, not_final=CloseCode.SUPERSEDED), events)
    events.connection.start()
    return events.connection
