"""The client half's own stream of work: queued in order, sent a frame at a time and within the limit, kept until the
broker has stored it (S5, S8, B1, B2), and what of it may have been refused unheard (A11). It knows no state of the
session and no connection. A port of protocol/session/client-outgoing.ts."""

from __future__ import annotations

from typing import List, Optional, Tuple

from .codec import units
from .limits import FRAME_BYTES_MAX, FRAME_ENVELOPES_MAX
from .streams import Outgoing, SendStream

#: Half of a frame stays free for receipts and other sessions (B2).
_lines_max = FRAME_ENVELOPES_MAX // 2
_bytes_max = FRAME_BYTES_MAX // 2

_request_head = '{"type":"TASK_REQUEST"'
_data_mark = ',"data":'


def _data_of(line: str) -> str:
    """The ``data`` of a line of this end's own."""
    return line[line.index(_data_mark) + len(_data_mark) : -1]


class OutgoingWork(SendStream):
    """What this end says in one session."""

    __slots__ = ("delivered", "_limit", "_close_seq", "_unheard")

    def __init__(self) -> None:
        super().__init__()
        #: The peer has taken everything through this.
        self.delivered = 0
        #: The broker takes nothing beyond this.
        self._limit = 0
        self._close_seq: Optional[int] = None
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
        """The lines of the next frame, which are sent by that: whatever there is while nothing is on its way, else only
        a full frame (B1)."""
        lines, is_full = self._next()
        if self.sent > self.acked and not is_full:
            return []
        self.sent += len(lines)
        return lines

    @property
    def has_full_frame(self) -> bool:
        """A full frame may go now, whatever is on its way."""
        return self._next()[1]

    def _next(self) -> Tuple[List[str], bool]:
        """What the next frame would have, as far as the limit allows, and whether it has room for no more."""
        lines: List[str] = []
        waiting = self.next - 1 - self.sent
        # Most often there is nothing, or surely too little to go beside what is on its way: then no line is looked at.
        if waiting == 0 or (self.sent > self.acked and waiting < _lines_max and self.size * 3 + waiting <= _bytes_max):
            return lines, False
        size = 0
        for outgoing in self.waiting_lines:
            if outgoing.seq <= self.sent:
                continue
            if outgoing.seq > self._limit or len(lines) == _lines_max:
                break
            size += outgoing.size * 3 + 1
            if size > _bytes_max and lines:
                return lines, True
            lines.append(outgoing.line)
        return lines, len(lines) >= _lines_max

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

    def tell_unheard(self) -> List[str]:
        """The ``data`` of the TASK_REQUESTs that were stored unheard: told once."""
        unheard, self._unheard = self._unheard, []
        return [_data_of(outgoing.line) for outgoing in unheard if outgoing.line.startswith(_request_head)]

    def recover(self, stored: int, delivered: int, limit: int) -> None:
        """Goes on where an earlier life had come to, of which nothing is left here."""
        self.start_after(stored)
        self.delivered = delivered
        self._limit = limit
