"""The client half's own stream of work: queued in order, sent a frame at a time and within the limit, kept until the
broker has stored it (S5, S8, B1, B2), and what of it may have been refused unheard (A11). It knows no state of the
session and no connection. A port of protocol/session/client-outgoing.ts."""

from __future__ import annotations

from typing import List, Optional

from .codec import units
from .limits import FRAME_BYTES_MAX, FRAME_ENVELOPES_MAX
from .streams import Outgoing, SendStream

_request_head = '{"type":"TASK_REQUEST"'
_data_mark = ',"data":'


def _data_of(line: str) -> str:
    """The ``data`` of a line of this end's own."""
    return line[line.index(_data_mark) + len(_data_mark) : -1]


class OutgoingWork(SendStream):
    """What this end says in one session."""

    __slots__ = ("delivered", "_limit", "_close_seq", "_flying", "_unheard")

    def __init__(self) -> None:
        super().__init__()
        #: The peer has taken everything through this.
        self.delivered = 0
        #: The broker takes nothing beyond this.
        self._limit = 0
        self._close_seq: Optional[int] = None
        #: The last ``seq`` of the frame that is on its way, or 0. Only one is: what queues up meanwhile shares the next
        #: (B1).
        self._flying = 0
        #: What is acknowledged before an attachment is made again: its ERRORs may be lost.
        self._unheard: List[Outgoing] = []

    @property
    def is_closing(self) -> bool:
        """This end has queued SESSION_CLOSE."""
        return self._close_seq is not None

    @property
    def has_sent_close(self) -> bool:
        """… and has sent it."""
        return self._close_seq is not None and self.sent >= self._close_seq

    def queue(self, kind: str, line: str) -> None:
        """Takes the line of ``next``."""
        if kind == "SESSION_CLOSE":
            self._close_seq = self.next
        self.append(units(line), line)

    def frame(self) -> List[str]:
        """The lines of the next frame, which are sent by that; none while one is on its way."""
        lines: List[str] = []
        if self._flying > self.acked or self.sent + 1 >= self.next:
            return lines
        size = 0
        for outgoing in self.waiting_lines:
            if outgoing.seq <= self.sent:
                continue
            size += outgoing.size * 3 + 1
            # Half of a frame stays free for acknowledgements and other sessions (B2).
            full = len(lines) >= FRAME_ENVELOPES_MAX // 2 or size > FRAME_BYTES_MAX // 2
            if outgoing.seq > self._limit or (full and lines):
                break
            lines.append(outgoing.line)
        if lines:
            self.sent += len(lines)
            self._flying = self.sent
        return lines

    def receipt(self, stored: int, delivered: int, limit: int, is_attached: bool) -> bool:
        """The broker has stored, the peer has taken, the broker takes: everything through these. Lower ones change
        nothing.

        :param is_attached: False: what it said of the work that it stored may be lost
        :returns: whether more is stored or delivered than before
        """
        before = self.acked + self.delivered
        done = self.acknowledge(stored)
        if not is_attached:
            self._unheard.extend(done)
        if delivered > self.delivered:
            self.delivered = delivered
        if limit > self._limit:
            self._limit = limit
        return self.acked + self.delivered != before

    def rewind(self, received: int) -> None:
        """The session is attached again, and the broker has everything through ``received``."""
        super().rewind(received)
        self._flying = 0

    def tell_unheard(self) -> List[str]:
        """The ``data`` of the TASK_REQUESTs that were stored unheard: told once."""
        unheard, self._unheard = self._unheard, []
        return [_data_of(outgoing.line) for outgoing in unheard if outgoing.line.startswith(_request_head)]

    def recover(self, stored: int, delivered: int, limit: int) -> None:
        """Goes on where an earlier life had come to, of which nothing is left here."""
        self.start_after(stored)
        self.delivered = delivered
        self._limit = limit
