"""What happened to a connection or a session, for everyone who reads ``agent.status()``: each reader has a queue of its
own, bounded, so that one that stopped reading costs little."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, AsyncIterator, Optional, Union
from weakref import WeakKeyDictionary

from .channel import Channel
from .error import AgentworksError

if TYPE_CHECKING:
    from .session import Session

_unread_max = 1024


@dataclass(frozen=True)
class Connected:
    """The broker has registered the agent on a new connection."""

    agent: str


@dataclass(frozen=True)
class Disconnected:
    """A connection was lost, or could not be made; with ``session`` the direct one of that session."""

    code: int
    reason: str
    will_reconnect: bool
    session: Optional[Session] = None


@dataclass(frozen=True)
class Reconnecting:
    """It will be dialled again after that wait."""

    attempt: int
    delay_ms: int
    session: Optional[Session] = None


@dataclass(frozen=True)
class GoingAway:
    """The broker asked for a new connection, as before a deploy; it is made at once."""

    reason: str


@dataclass(frozen=True)
class Superseded:
    """A newer connection with the same certificate took over: this agent has ended."""


@dataclass(frozen=True)
class CertificateRenewed:
    """With ``renew``: the new certificate is in its files, and the agent connects anew with it."""

    not_after: datetime


@dataclass(frozen=True)
class SessionOpened:
    """A session is open, or goes on after a crash."""

    session: Session


@dataclass(frozen=True)
class SessionClosed:
    """A session has ended; ``error`` unless it was by ``close``."""

    session: Session
    reason: str
    error: Optional[AgentworksError] = None


@dataclass(frozen=True)
class Paused:
    """The broker asks to send no more for a while, for the peer is slow. Advice: ``session.ready()`` obeys it by
    itself."""

    session: Session


@dataclass(frozen=True)
class Resumed:
    """The broker asks to go on."""

    session: Session


@dataclass(frozen=True)
class Fault:
    """Something went wrong. One whose error is retryable is told for the record: the SDK deals with it."""

    error: AgentworksError
    session: Optional[Session] = None


Status = Union[
    Connected,
    Disconnected,
    Reconnecting,
    GoingAway,
    Superseded,
    CertificateRenewed,
    SessionOpened,
    SessionClosed,
    Paused,
    Resumed,
    Fault,
]


class Statuses:
    """Says each status to every reader. A reader that nobody holds any more is forgotten."""

    def __init__(self) -> None:
        self._readers: "WeakKeyDictionary[AsyncIterator[Status], Channel[Status]]" = WeakKeyDictionary()
        self._ended = False

    def say(self, status: Status) -> None:
        for channel in list(self._readers.values()):
            channel.push(status)

    def read(self) -> AsyncIterator[Status]:
        """Everything from now on."""
        channel: Channel[Status] = Channel(size_max=_unread_max)
        reader = channel.__aiter__()
        if self._ended:
            channel.end()
        else:
            self._readers[reader] = channel
        return reader

    def end(self) -> None:
        self._ended = True
        for channel in list(self._readers.values()):
            channel.end()
        self._readers.clear()
