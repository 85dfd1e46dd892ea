"""What came in and is not wholly taken, in the order of ``seq``. Acknowledgement is cumulative, so a number is taken
only when everything before it is: a message that nobody reads holds back the acknowledgement of all behind it, and
nothing else."""

from __future__ import annotations

from collections import deque
from typing import Callable, Collection, Deque, Optional

from .protocol.envelope import Envelope


class Slot:
    """One number of the peer's stream. Whoever handles it says ``done``.

    :param envelope: what came, where more than its number is to be remembered
    """

    __slots__ = ("seq", "taken", "envelope")

    def __init__(self, seq: int, envelope: Optional[Envelope] = None, taken: bool = False) -> None:
        self.seq = seq
        self.envelope = envelope
        self.taken = taken


#: Is told of each number before it is taken, and through where everything then is (0: nothing more than before). False:
#: it must not be.
Note = Callable[[Slot, int], bool]


class Inbox:
    """:param take: is told the highest number through which everything is taken"""

    def __init__(self, take: Callable[[int], None], note: Optional[Note] = None) -> None:
        self._open: Deque[Slot] = deque()
        self._take = take
        self._note = note
        #: Numbers that an earlier life took before what precedes them.
        self._before: "frozenset[int]" = frozenset()

    def recall(self, taken: Collection[int]) -> None:
        """These were taken already, and come again because something before them was not."""
        self._before = frozenset(taken)

    def had_before(self, seq: int) -> bool:
        """Whether it was taken in an earlier life: then it only keeps its place. Instead of ``arrived``."""
        if seq not in self._before:
            return False
        self._open.append(Slot(seq, taken=True))
        return True

    def arrived(self, slot: Slot) -> None:
        """Numbers must come in order."""
        self._open.append(slot)

    def done(self, slot: Slot) -> bool:
        """False: the application must not have it."""
        if slot.taken:
            return True
        slot.taken = True
        slots = self._open
        through = 0
        while slots and slots[0].taken:
            through = slots.popleft().seq
        if self._note is not None and not self._note(slot, through):
            return False
        if through > 0:
            self._take(through)
        return True
