"""The words between the client half and whoever drives it: its states, what the application hears, what must outlive
the process. A port of protocol/session/client-events.ts."""

from __future__ import annotations

from typing import ClassVar, List, Literal, NamedTuple, Union

from .envelope import Capability, Envelope

#: offering, accepting: waiting for the broker's SESSION_ACCEPT · ready: accepted, and this connection is attached ·
#: resuming: accepted, SESSION_RESUME sent or to be sent · recovering: the same, without a memory of it · ended: no work
#: will flow again.
StateName = Literal["offering", "accepting", "ready", "resuming", "recovering", "ended"]


class Accepted(NamedTuple):
    """The session is open."""

    capabilities: List[Capability]
    kind: ClassVar[str] = "accepted"


class Resumed(NamedTuple):
    """Attached again, from where it stood."""

    kind: ClassVar[str] = "resumed"


class Unheard(NamedTuple):
    """The ``data`` of TASK_REQUESTs, as JSON text, that were stored while nothing the broker said was heard: if it
    refused one of them (T9), that is lost. Ask again for those that are open (A11)."""

    requests: List[str]
    kind: ClassVar[str] = "unheard"


class Recovered(NamedTuple):
    """Work through ``sent`` may have been taken in an earlier life; ``requested`` are tasks that this agent asked for
    then. ``closing``: that life or the peer has closed the session; nothing more is to be said in it."""

    sent: int
    requested: List[str]
    closing: bool
    kind: ClassVar[str] = "recovered"


class Work(NamedTuple):
    """One envelope of the peer's stream: in order, and once."""

    envelope: Envelope
    kind: ClassVar[str] = "work"


class Receipts(NamedTuple):
    """Of this agent's own stream: stored through here, taken by the peer through here."""

    stored: int
    delivered: int
    kind: ClassVar[str] = "receipts"


class Flow(NamedTuple):
    """The broker asked to pause, or to go on. Advice."""

    paused: bool
    kind: ClassVar[str] = "flow"


class Faulted(NamedTuple):
    """The broker sent ERROR, and the session goes on."""

    fault: Envelope
    kind: ClassVar[str] = "fault"


class Ended(NamedTuple):
    """No work will flow again."""

    reason: str
    detail: str
    kind: ClassVar[str] = "ended"


Event = Union[Accepted, Resumed, Unheard, Recovered, Work, Receipts, Flow, Faulted, Ended]


class Remembered(NamedTuple):
    """What must outlive a client's process, so that the next one goes on with the session as after any disconnect
    (A2)."""

    session_id: str
    peer: str
    epoch: str
    #: The application has taken everything through this: nothing at or below it comes again.
    taken: int
    #: Of this end's own, the broker has stored everything through this …
    stored: int
    #: … and these are the exact lines of all that was queued after it, in order.
    lines: List[str]
    #: Either side has closed it.
    is_closing: bool
