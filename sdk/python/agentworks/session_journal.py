"""What one session notes in the journal of its agent, in the session's own words. It decides what a record says; when
it is said is the session's business, and the file is the journal's."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .inbox import Slot
from .journal import Journal
from .protocol.client_events import Remembered
from .protocol.envelope import Envelope


def _trace_of(envelope: Optional[Envelope]) -> Dict[str, Any]:
    """What is kept of an envelope beyond that it was taken."""
    if envelope is None:
        return {}
    kind = envelope["type"]
    if kind in ("TASK_REQUEST", "TASK_CANCEL"):
        return {"task": envelope}
    if kind == "TASK_RESPONSE":
        return {"answered": envelope["data"]["task_id"]}
    if kind == "SESSION_CLOSE":
        return {"closed": envelope["data"].get("reason", "closed")}
    return {}


class SessionJournal:
    """The records of one session."""

    __slots__ = ("_journal", "_session")

    def __init__(self, journal: Journal, session: str) -> None:
        self._journal = journal
        self._session = session

    def opened(self, it: Remembered, redelivered: int, requested: List[str]) -> None:
        """It is open, or found again without a memory of it."""
        self._journal.note(
            {
                "session": self._session,
                "peer": it.peer,
                "epoch": it.epoch,
                "taken": it.taken,
                "stored": it.stored,
                "redelivered": redelivered,
                "requested": requested,
                # Who closed it, nobody knows any more.
                **({"closing": {"reason": "closed", "own": False}} if it.is_closing else {}),
            }
        )

    def queued(self, line: str) -> None:
        self._journal.note({"session": self._session, "line": line})

    def stored(self, through: int) -> None:
        self._journal.note({"session": self._session, "stored": through})

    def taken(self, slot: Slot, through: int) -> bool:
        """Before the application has it. False: it could not be written, and the application must not have it.

        :param through: everything through there is taken by that; 0: something before it is not
        """
        said = {"taken": through} if through > 0 else {"ahead": slot.seq}
        self._journal.note({"session": self._session, **said, **_trace_of(slot.envelope)})
        return self._journal.commit()

    def refused(self, task_id: str) -> None:
        """A task that this agent asked for will have no response."""
        self._journal.note({"session": self._session, "answered": task_id})

    def ended(self) -> None:
        """It is not worth while to be told so again."""
        self._journal.note({"session": self._session, "ended": True})
        self._journal.commit()

    def commit(self) -> bool:
        """Before anything leaves by a socket. False: nothing may leave."""
        return self._journal.commit()
