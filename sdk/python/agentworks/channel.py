"""A queue that is read by ``async for``. Each value goes to one reader; readers know nothing of each other. ``on_take``
is told when a value is about to leave the queue for the application: acknowledgement hangs on that."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import AsyncIterator, Callable, Deque, Generic, Optional, TypeVar
from weakref import WeakSet

T = TypeVar("T")


class Channel(Generic[T]):
    """
    :param on_take: answers False when the value must not leave: whoever says so has ended the channel
    :param size_max: beyond it the oldest value is dropped: only for values that may be
    :param on_leave: is told when a reader is about to leave, by whichever thread lets go of it
    """

    def __init__(
        self,
        on_take: Optional[Callable[[T], bool]] = None,
        size_max: Optional[int] = None,
        on_leave: Callable[[], None] = lambda: None,
    ) -> None:
        self._values: Deque[T] = deque(maxlen=size_max)
        self._waiting: Deque["asyncio.Future[None]"] = deque()
        self._on_take = on_take
        self.on_leave = on_leave
        self._ended = False
        self._error: Optional[BaseException] = None
        self._readers: "WeakSet[Reader[T]]" = WeakSet()

    @property
    def size(self) -> int:
        return len(self._values)

    @property
    def readers(self) -> int:
        """Readers that have started and not left. One that nobody holds any more has left."""
        return len(self._readers)

    def push(self, value: T) -> None:
        if not self._ended:
            self._values.append(value)
            self._wake_one()

    def end(self, error: Optional[BaseException] = None) -> None:
        """No more values. What is queued can still be read; then readers end, or raise ``error``."""
        if self._ended:
            return
        self._ended = True
        self._error = error
        while self._waiting:
            self._wake_one()

    def discard(self) -> None:
        """Takes everything that is queued, for nobody."""
        while self._values:
            value = self._values.popleft()
            if self._on_take is not None:
                self._on_take(value)

    def remove(self, value: T) -> None:
        """Forgets a value that nobody has taken."""
        if value in self._values:
            self._values.remove(value)

    def _wake_one(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def next(self) -> T:
        """The oldest value. One that waits and is cancelled takes nothing with it."""
        while True:
            if self._values and (self._on_take is None or self._on_take(self._values[0])):
                return self._values.popleft()
            if self._ended:
                if self._error is None:
                    raise StopAsyncIteration
                raise self._error.with_traceback(None)
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake_one()  # It was this one's turn: the next one has it now.
                elif waiter in self._waiting:
                    self._waiting.remove(waiter)
                raise

    def __aiter__(self) -> AsyncIterator[T]:
        reader = Reader(self)
        self._readers.add(reader)
        return reader


class Reader(Generic[T]):
    """One ``async for``."""

    __slots__ = ("_channel", "__weakref__")

    def __init__(self, channel: Channel[T]) -> None:
        self._channel = channel

    def __del__(self) -> None:
        self._channel.on_leave()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        return await self._channel.next()
