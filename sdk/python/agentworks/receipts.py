"""What was sent and waits for its receipts, in the order of ``seq``: receipts are cumulative, so settling them is a
walk along a queue."""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, Generator, Optional

from .deferred import Deferred, rejected, resolved


class Receipt:
    """One sent envelope. Awaiting it waits until the broker has it durably, and gives it back; nobody must await it.

    Raises, when the session ends before: why it did.
    """

    __slots__ = ("id", "seq", "_is_stored", "_is_delivered", "_error", "_stored", "_delivered")

    def __init__(self, id: str, seq: int) -> None:
        self.id = id
        self.seq = seq
        self._is_stored = False
        self._is_delivered = False
        self._error: Optional[BaseException] = None
        # Made when somebody asks: most senders never do.
        self._stored: Optional[Deferred[Receipt]] = None
        self._delivered: Optional[Deferred[None]] = None

    def __await__(self) -> Generator[Any, None, Receipt]:
        if self._is_stored:
            return self
        if self._stored is None:
            self._stored = Deferred() if self._error is None else rejected(self._error)
        return (yield from self._stored.__await__())

    @property
    def delivered(self) -> Deferred[None]:
        """Awaits that the peer's application has taken it; raises when the session ends before."""
        if self._delivered is None:
            if self._is_delivered:
                self._delivered = resolved(None)
            else:
                self._delivered = Deferred() if self._error is None else rejected(self._error)
        return self._delivered

    def mark_stored(self) -> None:
        self._is_stored = True
        if self._stored is not None:
            self._stored.resolve(self)

    def mark_delivered(self) -> None:
        self._is_delivered = True
        if self._delivered is not None:
            self._delivered.resolve(None)

    def fail(self, error: BaseException) -> None:
        self._error = error
        if self._stored is not None:
            self._stored.reject(error)
        if self._delivered is not None:
            self._delivered.reject(error)


class Receipts:
    """The queues of those that are not stored, and of those that are not delivered."""

    __slots__ = ("_unstored", "_undelivered")

    def __init__(self) -> None:
        self._unstored: Deque[Receipt] = deque()
        self._undelivered: Deque[Receipt] = deque()

    def add(self, receipt: Receipt) -> None:
        self._unstored.append(receipt)

    def settle(self, stored: int, delivered: int) -> None:
        """Everything through ``stored`` is stored, everything through ``delivered`` was taken by the peer's
        application."""
        unstored, undelivered = self._unstored, self._undelivered
        while unstored and unstored[0].seq <= stored:
            receipt = unstored.popleft()
            undelivered.append(receipt)
            receipt.mark_stored()
        while undelivered and undelivered[0].seq <= delivered:
            undelivered.popleft().mark_delivered()

    def fail(self, error: BaseException) -> None:
        """The session ended: no further receipt will come."""
        for queue in (self._unstored, self._undelivered):
            while queue:
                queue.popleft().fail(error)
