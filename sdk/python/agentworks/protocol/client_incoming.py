"""The peer's stream of work as it comes to the client half: in order and once (S2–S4), the same when it is repeated
(A10), and acknowledged when the application has taken it (N3, B3). It knows no state of the session and no connection.
A port of protocol/session/client-incoming.ts."""

from __future__ import annotations

from typing import Dict, Literal, Union

from .envelope import Envelope
from .limits import WINDOW_MESSAGES
from .streams import ReceiveStream, Verdict


class IncomingWork(ReceiveStream):
    """What the peer says in one session."""

    __slots__ = ("taken", "is_closed", "_said_taken", "_ids")

    def __init__(self) -> None:
        super().__init__()
        #: The application has taken everything through this.
        self.taken = 0
        #: Somebody else closed: the peer, or an earlier life.
        self.is_closed = False
        self._said_taken = 0
        #: The ids of the last work that came, by ``seq`` modulo the window.
        self._ids: Dict[int, str] = {}

    @property
    def owed(self) -> int:
        """How much the application has taken that the broker was not told."""
        return self.taken - self._said_taken

    def take(self, seq: int) -> None:
        """The application has taken everything through ``seq``."""
        if seq > self.taken:
            self.taken = seq

    def acknowledge(self) -> None:
        """The broker is told what is taken."""
        self._said_taken = self.taken

    def acknowledge_again(self) -> None:
        """The broker is to be told once more, whatever it was told."""
        self._said_taken = -1

    def receive(self, envelope: Envelope) -> Union[Verdict, Literal["mismatch"]]:
        """mismatch: what came is not what came before under its number."""
        seq: int = envelope["seq"]
        verdict = self.judge(seq)
        if verdict == "next":
            self.last = seq
            self._ids[seq % WINDOW_MESSAGES] = envelope["id"]
            if envelope["type"] == "SESSION_CLOSE":
                self.is_closed = True
        elif verdict == "duplicate":
            # A10: what is sent again has the same id. Another one is another history, of a storage that was put back
            # behind our backs.
            known = self._ids.get(seq % WINDOW_MESSAGES) if seq > self.last - WINDOW_MESSAGES else None
            if known is not None and known != envelope["id"]:
                return "mismatch"
            self._said_taken = min(self._said_taken, self.taken - 1)
        return verdict

    def recover(self, taken: int, is_closed: bool) -> None:
        """Goes on where an earlier life had come to: it had taken everything through ``taken``."""
        self.last = taken
        self.taken = taken
        self._said_taken = taken
        self.is_closed = is_closed
