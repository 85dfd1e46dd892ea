"""Gathers what the sessions of an agent and the agent itself have to send, and sends it once per turn of the event
loop: all that one turn brings shares frames."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Dict, Iterable, List, Optional

from .connection import Connection
from .protocol.client import WhenReceipts
from .protocol.codec import pack_frames
from .protocol.limits import RATE_WARNINGS_WITHIN_MS, RECEIPT_DELAY_MS

if TYPE_CHECKING:
    from .session import Session

#: Between frames while the broker finds them too many, in seconds.
_slow_flush_s = 0.005


class Outlet:
    """:param connection: the agent's own: for everything that has no route of its own"""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.connection: Optional[Connection] = None
        # Dicts, for they keep their order.
        self._sessions: Dict[Session, None] = {}
        #: They have taken what came, and have not said so yet.
        self._owing: Dict[Session, None] = {}
        self._timer: Optional[asyncio.TimerHandle] = None
        self._flush_handle: Optional[asyncio.Handle] = None
        self._lines: List[str] = []
        self._slow_until = 0.0

    def wake(self, session: Session) -> None:
        """The session has lines."""
        self._sessions[session] = None
        if self._flush_handle is None:
            self._flush_soon()

    def forget(self, session: Session) -> None:
        self._sessions.pop(session, None)
        self._owing.pop(session, None)

    def line(self, line: str) -> None:
        """A line that is no session's: sent once, lost with the connection."""
        self._lines.append(line)
        if self._flush_handle is None:
            self._flush_soon()

    def drop_lines(self) -> None:
        """A new connection begins with lines of its own making."""
        self._lines = []

    def slow_down(self) -> None:
        """The broker says that frames come too fast: for a while they wait for company."""
        self._slow_until = self._loop.time() + RATE_WARNINGS_WITHIN_MS / 1000

    def _flush_soon(self) -> None:
        if self._slow_until > 0 and self._loop.time() < self._slow_until:
            self._flush_handle = self._loop.call_later(_slow_flush_s, self._flush)
        else:
            self._flush_handle = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_handle = None
        sessions, self._sessions = self._sessions, {}
        lines, self._lines = self._lines, []
        self._send(sessions, "later", lines)
        if self._owing and self._timer is None:
            self._timer = self._loop.call_later(RECEIPT_DELAY_MS / 1000, self._settle_owing)

    def _settle_owing(self) -> None:
        """L17: receipts that found no company in time go alone."""
        self._timer = None
        owing, self._owing = self._owing, {}
        self.settle(owing)

    def settle(self, sessions: Iterable[Session]) -> None:
        """What these sessions have goes at once, their receipts too."""
        self._send(sessions, "now", [])

    def _send(self, sessions: Iterable[Session], receipts: WhenReceipts, lines: List[str]) -> None:
        connection = self.connection
        if connection is None:
            return
        for session in sessions:
            route = session.route
            # What waits for a connection that is down is asked for again when it is up.
            if not session.keep() or not (route or connection).is_open:
                continue
            if route is None:
                lines.extend(session.lines(receipts))
            else:
                route.send(pack_frames(session.lines(receipts)))
            if session.owes_receipt:
                self._owing[session] = None
        if lines and connection.is_open:
            connection.send(pack_frames(lines))

    def stop(self) -> None:
        for handle in (self._timer, self._flush_handle):
            if handle is not None:
                handle.cancel()
