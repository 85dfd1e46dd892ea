"""The two ends of one numbered stream (PROTOCOL S): SendStream gives out ``seq`` and waits for acknowledgements,
ReceiveStream judges what arrives. Pure state."""

from __future__ import annotations

from collections import deque
from typing import Deque, List, Literal


class Outgoing:
    """One line that waits for its acknowledgement."""

    __slots__ = ("seq", "size", "line")

    def __init__(self, seq: int, size: int, line: str) -> None:
        self.seq = seq
        self.size = size
        self.line = line


class SendStream:
    """Gives out ``seq``, and keeps what is not acknowledged."""

    __slots__ = ("next", "acked", "sent", "size", "waiting_lines")

    def __init__(self) -> None:
        #: The next number to give out.
        self.next = 1
        #: Everything through this was acknowledged.
        self.acked = 0
        #: Everything through this was handed to the present attachment.
        self.sent = 0
        #: Characters not yet acknowledged.
        self.size = 0
        #: What is not acknowledged, oldest first.
        self.waiting_lines: Deque[Outgoing] = deque()

    @property
    def waiting(self) -> int:
        """Numbers given out and not acknowledged."""
        return self.next - 1 - self.acked

    def append(self, size: int, line: str) -> None:
        """Takes the line of ``next``."""
        self.waiting_lines.append(Outgoing(self.next, size, line))
        self.next += 1
        self.size += size

    def acknowledge(self, seq: int) -> List[Outgoing]:
        """A cumulative acknowledgement; an older one changes nothing (S5). Gives what is acknowledged by it."""
        if seq < self.acked or seq >= self.next:
            return []
        self.acked = seq
        if self.sent < seq:
            self.sent = seq
        lines = self.waiting_lines
        done: List[Outgoing] = []
        while lines and lines[0].seq <= seq:
            outgoing = lines.popleft()
            self.size -= outgoing.size
            done.append(outgoing)
        return done

    def start_after(self, last: int) -> None:
        """Begins where another life of this end had come to: everything through ``last`` is done. Only while nothing is
        queued."""
        if self.waiting_lines:
            raise RuntimeError("a stream that holds something cannot begin anew")
        self.next = last + 1
        self.acked = last
        self.sent = last

    def rewind(self, received: int) -> None:
        """A new attachment has everything through ``received``: all after it is to be sent again (S8), but for what is
        acknowledged."""
        self.sent = max(received, self.acked)


Verdict = Literal["next", "duplicate", "gap"]


class ReceiveStream:
    """Judges what arrives."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        #: Everything through this was accepted.
        self.last = 0

    def judge(self, seq: int) -> Verdict:
        """S2, S3, S4: the next one is taken, an older one is a duplicate, anything beyond is a gap. Changes nothing."""
        if seq <= self.last:
            return "duplicate"
        return "next" if seq == self.last + 1 else "gap"
