"""What came in and is not wholly taken, in the order of ``seq``. Acknowledgement is cumulative, so a number is taken only when everything
before it is: a message that nobody reads holds back the acknowledgement of all behind it, and nothing else."""

from __future__ import annotations

from collections import deque
from typing import Callable, Deque


class Slot:
    """One number of the peer's stream. Whoever handles it says ``done``."""

    __slots__ = ("seq", "taken")

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.taken = False


class Inbox:
    """:param take: is told the highest number through which everything is taken"""

    def __init__(self, take: Callable[[int], None]) -> None:
        self._open: Deque[Slot] = deque()
        self._take = take

    def arrived(self, slot: Slot) -> None:
        """Numbers must come in order."""
        self._open.append(slot)

    def done(self, slot: Slot) -> None:
        if slot.taken:
            return
        slot.taken = True
        slots = self._open
        through = 0
        while slots and slots[0].taken:
            through = slots.popleft().seq
        if through > 0:
            self._take(through)
