"""The sending half of a session: what may still be queued, the receipts of what was, and when there is room for
more."""

from __future__ import annotations

from typing import Any, Callable, Generator, Optional

from .deferred import Deferred, rejected, resolved
from .error import AgentworksError, client_error, wire_error
from .mint import mint
from .protocol.client import ClientSession
from .protocol.codec import encode
from .protocol.limits import OUTBOX_BYTES_MAX, OUTBOX_MESSAGES_MAX, WINDOW_BYTES, WINDOW_MESSAGES
from .receipts import Receipt, Receipts
from .session_journal import SessionJournal

_close_reason_chars_max = 1024


class Closing:
    """Awaits that SESSION_CLOSE is stored, or that the peer's close was faster."""

    __slots__ = ("_said",)

    def __init__(self, said: Receipt) -> None:
        self._said = said

    def __await__(self) -> Generator[Any, None, None]:
        try:
            yield from self._said.__await__()
        except AgentworksError as error:
            if error.reason != "session_closed":
                raise


class Outgoing:
    """:param wake: is told that there are lines to send"""

    def __init__(self, core: ClientSession, wake: Callable[[], None], journal: Optional[SessionJournal]) -> None:
        self._core = core
        self._wake = wake
        self._journal = journal
        #: Messages that were queued.
        self.messages = 0
        self._receipts = Receipts()
        self._ready: Optional[Deferred[None]] = None
        self._storing: Optional[Deferred[None]] = None
        self._shut: Optional[AgentworksError] = None

    @property
    def is_stored(self) -> bool:
        """Everything queued is stored at the broker."""
        return self._core.waiting == 0

    def stored(self) -> Deferred[None]:
        """Awaits that everything that is queued now is stored, or never will be because the session ended."""
        if self.is_stored:
            return resolved(None)
        if self._storing is None:
            self._storing = Deferred()
        return self._storing

    def say(self, kind: str, data: str, bounded: bool = True) -> Receipt:
        """Queues one envelope of a session. ``data`` is JSON text of an object.

        :param bounded: what the outbox has no room for is refused; answers are not bounded by it, there are never more
            of them than open tasks

        Raises AgentworksError: resource_exhausted, or why the session takes nothing any more.
        """
        if self._shut is not None:
            raise self._shut.with_traceback(None)
        core = self._core
        if bounded and (core.waiting >= OUTBOX_MESSAGES_MAX or core.waiting_size + len(data) > OUTBOX_BYTES_MAX):
            raise client_error("resource_exhausted")
        id = mint()
        receipt = Receipt(id, core.send(kind, id, data))
        self._receipts.add(receipt)
        if kind == "MESSAGE":
            self.messages += 1
        if self._journal is not None:
            self._journal.queued(core.newest_line)
        self._wake()
        return receipt

    def close(self, reason: str) -> Closing:
        """Says SESSION_CLOSE, the last that can be said."""
        said = self.say("SESSION_CLOSE", encode({"reason": reason[:_close_reason_chars_max]}), False)
        self.shut(wire_error("session_closed"))
        return Closing(said)

    def ready(self) -> Deferred[None]:
        if self._shut is not None:
            return rejected(self._shut)
        if self._has_room:
            return resolved(None)
        if self._ready is None:
            self._ready = Deferred()
        return self._ready

    @property
    def _has_room(self) -> bool:
        return self._core.waiting < WINDOW_MESSAGES and self._core.waiting_size < WINDOW_BYTES

    @property
    def is_shut(self) -> bool:
        """Nothing more can be queued."""
        return self._shut is not None

    def shut(self, error: AgentworksError) -> None:
        """Nothing more can be queued; what is queued still goes."""
        if self._shut is None:
            self._shut = error
        if self._ready is not None:
            self._ready.reject(self._shut)
            self._ready = None

    def settle(self, stored: int, delivered: int) -> None:
        """Receipts came."""
        self._receipts.settle(stored, delivered)
        if self._storing is not None and self.is_stored:
            self._storing.resolve(None)
        if self._ready is not None and self._has_room:
            self._ready.resolve(None)
            self._ready = None

    def fail(self, error: AgentworksError) -> None:
        """The session ended: no receipt will come any more."""
        self.shut(error)
        if self._storing is not None:
            self._storing.resolve(None)
        self._receipts.fail(error)
