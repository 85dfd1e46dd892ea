"""A value that comes later, awaited by any number of asyncio tasks. Cancelling one that waits touches neither the value
nor the others, and an error that nobody awaits is no complaint in the log: callers may ignore what they like."""

from __future__ import annotations

import asyncio
from typing import Any, Generator, Generic, List, Optional, TypeVar, cast

T = TypeVar("T")


class Deferred(Generic[T]):
    """Settled once, by ``resolve`` or ``reject``; awaitable before and after."""

    __slots__ = ("_waiters", "_settled", "_value", "_error")

    def __init__(self) -> None:
        self._waiters: List["asyncio.Future[None]"] = []
        self._settled = False
        self._value: Optional[T] = None
        self._error: Optional[BaseException] = None

    @property
    def is_settled(self) -> bool:
        return self._settled

    def resolve(self, value: T) -> None:
        if not self._settled:
            self._value = value
            self._settle()

    def reject(self, error: BaseException) -> None:
        if not self._settled:
            self._error = error
            self._settle()

    def _settle(self) -> None:
        self._settled = True
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def __await__(self) -> Generator[Any, None, T]:
        if not self._settled:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                yield from waiter
            except asyncio.CancelledError:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                raise
        if self._error is not None:
            # One error for all who wait: the way that it took to each of them is not the business of the next.
            raise self._error.with_traceback(None)
        return cast(T, self._value)


def resolved(value: T) -> Deferred[T]:
    """One that is settled already."""
    deferred: Deferred[T] = Deferred()
    deferred.resolve(value)
    return deferred


def rejected(error: BaseException) -> Deferred[Any]:
    """One that is settled already."""
    deferred: Deferred[Any] = Deferred()
    deferred.reject(error)
    return deferred
