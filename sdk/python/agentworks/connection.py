"""A WebSocket that comes back: dials, dials again with jitter after every loss, and stops for good after a final one.
It knows frames as text and nothing of what they say."""

from __future__ import annotations

import asyncio
from typing import Callable, List, NamedTuple, Optional, Protocol, Sequence
from urllib.parse import SplitResult

from .backoff import Backoff, backoff_ms
from .credentials import Credentials
from .error import AgentworksError, client_error
from .heartbeat import Timing
from .protocol.errors import CloseCode, is_final_close
from .socket import Socket, SocketEnd


class ConnectionOptions(NamedTuple):
    """How to connect, and how to come back."""

    url: SplitResult
    #: As they are at the moment of a dial: they may be renewed.
    credentials: Credentials
    timing: Timing
    #: None: one loss is the end.
    reconnect: Optional[Backoff]
    #: In [0, 1).
    random: Callable[[], float]
    #: A close code that is final by its number, and not for this connection.
    not_final: Optional[int] = None


class ConnectionEvents(Protocol):
    """What a connection tells its owner."""

    def opened(self) -> Sequence[str]:
        """It is up: what is returned is sent as its first frames."""

    def frame(self, text: str) -> None:
        ...

    def lost(self, end: SocketEnd, will_reconnect: bool) -> None:
        """It was up, or was being dialled, and is not any more."""

    def retrying(self, attempt: int, delay_ms: int) -> None:
        ...

    def stopped(self, error: AgentworksError) -> None:
        """It will not come back. Last of all events."""


class Connection:
    """Dials with ``start``."""

    def __init__(self, options: ConnectionOptions, events: ConnectionEvents) -> None:
        self._options = options
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._socket: Optional[Socket] = None
        #: Sockets that are over, and may not be gone yet.
        self._leaving: List[Socket] = []
        self._timer: Optional[asyncio.TimerHandle] = None
        self._attempt = 0
        #: It has worked at least once: what looks like a wrong set-up is then a passing failure.
        self._proven = False
        self._stopped = False
        #: Why the latest attempt failed.
        self.failure: Optional[AgentworksError] = None

    @property
    def is_open(self) -> bool:
        return self._socket is not None and self._socket.is_open

    @property
    def is_gone(self) -> bool:
        """After ``stop``: nothing of it is left."""
        return all(socket.is_gone for socket in self._leaving)

    def start(self) -> None:
        """Dials for the first time."""
        self._dial()

    def settled(self) -> None:
        """The broker spoke sense: the next loss starts with the shortest wait again."""
        self._attempt = 0
        self._proven = True

    def send(self, frames: Sequence[str]) -> None:
        if self._socket is not None:
            for frame in frames:
                self._socket.send(frame)

    def renew(self, reason: str) -> None:
        """The broker asks the client to come anew, or its certificate is a new one: this connection ends, or its dial
        does, and the next one is dialled after one short wait."""
        socket = self._socket
        if socket is None:
            return
        socket.close(1000, "asked to connect anew")
        self._attempt = 0
        self.socket_ended(socket, SocketEnd(CloseCode.DRAINING, reason))

    def stop(self, code: int, reason: str) -> None:
        """Ends it; no event follows."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            self._socket.close(code, reason)
            self._leaving.append(self._socket)
            self._socket = None

    async def wait_closed(self) -> None:
        """After ``stop``: nothing of it is left then."""
        leaving, self._leaving = self._leaving, []
        for socket in leaving:
            await socket.wait_closed()

    def _dial(self) -> None:
        self._socket = Socket(self._options.url, self._options.credentials.tls, self._options.timing, self)

    def socket_opened(self, socket: Socket) -> None:
        for frame in self._events.opened():
            socket.send(frame)

    def socket_frame(self, text: str) -> None:
        self._events.frame(text)

    def socket_ended(self, socket: Socket, end: SocketEnd) -> None:
        self._leaving = [one for one in self._leaving if not one.is_gone]
        self._leaving.append(socket)
        self._socket = None
        error = _error_of(end)
        self.failure = error
        closed = is_final_close(end.code) and end.code != self._options.not_final
        final = closed or (end.refused is not None and not self._is_passing(end.refused))
        reconnect = None if final else self._options.reconnect
        self._events.lost(end, reconnect is not None)
        if self._stopped:
            return
        if reconnect is None:
            self._stopped = True
            return self._events.stopped(error)
        delay_ms = backoff_ms(reconnect, self._attempt, self._options.random())
        self._attempt += 1
        self._events.retrying(self._attempt, delay_ms)
        if not self._stopped:
            self._timer = self._loop.call_later(delay_ms / 1000, self._dial)

    def _is_passing(self, refused: AgentworksError) -> bool:
        """A failed TLS handshake is a wrong CA at first, and something on the way later."""
        return refused.retryable and (refused.reason != "broker_untrusted" or self._proven)


def _error_of(end: SocketEnd) -> AgentworksError:
    if end.refused is not None:
        return end.refused
    why = f"{end.code}, {end.reason}" if end.reason else f"{end.code}"
    if end.code == CloseCode.SUPERSEDED:
        return client_error("superseded")
    if is_final_close(end.code):
        return client_error("connection_refused", f"The broker closed the connection for good ({why}).")
    return client_error("connection_failed", f"The connection was lost or could not be made ({why}).", end.cause)
