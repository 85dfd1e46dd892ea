"""What a journal says: its records, how they read as lines, and what all of them together remember. Pure: files are the
business of ``journal``, so that every order of records and every damage can be tried here. The format is the same for
every SDK.

The members of a record, after the first line (each says one thing, and a record may say several):

- ``epoch`` (with ``peer``) begins a session; ``messages``, ``redelivered``, ``requested``, ``closing``, ``taken``,
  ``stored`` say where it stood
- ``line``: the exact wire line of one work envelope, queued as the next of this end's stream
- ``stored``: the broker has everything through this. It only allows to forget, and may be late
- ``taken``: the application has taken everything through this; ``ahead``: and this one, though not all that came before
  it
- ``task``: a TASK_REQUEST whose handler starts, or the TASK_CANCEL of such a task, kept until the task's response is
  queued
- ``answered``: a task of ``requested`` that has got its response, or never will
- ``closed``: the peer's SESSION_CLOSE was taken: its reason
- ``ended``: the session has ended, and everything about it can be forgotten
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterator, List, NamedTuple, Optional, Set

from .error import client_error
from .protocol.client_events import Remembered
from .protocol.codec import Fault, decode_broker_line, encode
from .protocol.envelope import Envelope, is_count
from .protocol.ids import is_agent_id, is_uuid
from .protocol.types import WORK_TYPES

Record = Dict[str, Any]

_version = 1
_message_head = '{"type":"MESSAGE"'


class Closing(NamedTuple):
    """Who closed a session, and with which words. From then on this agent has no more to say in it."""

    reason: str
    own: bool


class StartedTask:
    """A task whose handler had started."""

    __slots__ = ("request", "cancel")

    def __init__(self, request: Envelope) -> None:
        self.request = request
        self.cancel: Optional[Envelope] = None


class Owner(NamedTuple):
    """Whose journal it is."""

    agent: str
    account: str


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_task_order(value: object) -> bool:
    decoded = decode_broker_line(encode(value))
    return not isinstance(decoded, Fault) and decoded["type"] in ("TASK_REQUEST", "TASK_CANCEL")


def _is_closing(value: object) -> bool:
    return isinstance(value, dict) and _is_text(value.get("reason")) and isinstance(value.get("own"), bool)


_members: Dict[str, Callable[[Any], bool]] = {
    "session": is_uuid,
    "epoch": _is_text,
    "peer": is_agent_id,
    "messages": is_count,
    "redelivered": is_count,
    "requested": lambda value: isinstance(value, list) and all(map(is_uuid, value)),
    "closing": _is_closing,
    "line": _is_text,
    "stored": is_count,
    "taken": is_count,
    "ahead": is_count,
    "task": _is_task_order,
    "answered": is_uuid,
    "closed": _is_text,
    "ended": lambda value: value is True,
}


def _is_record(value: Record) -> bool:
    """A record has no member that this version does not know: what is not understood may have mattered."""
    if "session" not in value or ("epoch" in value) != ("peer" in value):
        return False
    return all(name in _members and _members[name](member) for name, member in value.items())


class _Queued(NamedTuple):
    """A line of this end's that the broker may not have."""

    line: str
    type: str
    #: Of a task's envelope; otherwise "".
    task_id: str


class SessionMemory:
    """One session, as its records leave it."""

    def __init__(self, record: Record) -> None:
        self.session: str = record["session"]
        self.peer: str = record["peer"]
        self.epoch: str = record["epoch"]
        #: Messages of the peer's through this may have been taken in a life that kept no journal.
        self.redelivered: int = record.get("redelivered", 0)
        #: Messages that were sent in it.
        self.messages: int = record.get("messages", 0)
        self.taken: int = record.get("taken", 0)
        self.stored: int = record.get("stored", 0)
        closing = record.get("closing")
        self.closing = None if closing is None else Closing(closing["reason"], closing["own"])
        self.ahead: Set[int] = set()
        #: In the order in which they were asked for.
        self.requested: Dict[str, None] = dict.fromkeys(record.get("requested", []))
        self.tasks: Dict[str, StartedTask] = {}
        self._lines: Deque[_Queued] = deque()
        #: Of ``messages``, those whose lines are kept.
        self._messages_kept = 0

    @property
    def next(self) -> int:
        """The number of the line that is queued next."""
        return self.stored + len(self._lines) + 1

    @property
    def remembered(self) -> Remembered:
        """What the core goes on with."""
        lines = [queued.line for queued in self._lines]
        is_closing = self.closing is not None
        return Remembered(self.session, self.peer, self.epoch, self.taken, self.stored, lines, is_closing)

    def apply(self, record: Record) -> None:
        if "line" in record:
            self._queue(record["line"])
        stored = record.get("stored", 0)
        while self.stored < stored and self._lines:
            self.stored += 1
            if self._lines.popleft().type == "MESSAGE":
                self._messages_kept -= 1
        if "ahead" in record:
            self.ahead.add(record["ahead"])
        taken = record.get("taken", 0)
        if taken > self.taken:
            self.taken = taken
            if self.ahead:
                self.ahead = {seq for seq in self.ahead if seq > taken}
        if "task" in record:
            self._order(record["task"])
        if "answered" in record:
            self.requested.pop(record["answered"], None)
        if "closed" in record:
            self._close(Closing(record["closed"], False))

    def _queue(self, line: str) -> None:
        # Most lines are messages, and of a message no more is needed: as this SDK writes them they are not parsed
        # again.
        if line.startswith(_message_head):
            self._lines.append(_Queued(line, "MESSAGE", ""))
            self.messages += 1
            self._messages_kept += 1
            return
        head = json.loads(line)
        kind, data = head["type"], head.get("data", {})
        task_id: str = data.get("task_id", "")
        self._lines.append(_Queued(line, kind, task_id))
        if kind == "MESSAGE":
            self.messages += 1
            self._messages_kept += 1
        elif kind == "TASK_REQUEST":
            self.requested[task_id] = None
        elif kind == "TASK_RESPONSE":
            self.tasks.pop(task_id, None)
        elif kind == "SESSION_CLOSE":
            self._close(Closing(data.get("reason", "closed"), True))

    def _order(self, order: Envelope) -> None:
        task_id = order["data"]["task_id"]
        if order["type"] == "TASK_REQUEST":
            self.tasks[task_id] = StartedTask(order)
        elif task_id in self.tasks:
            self.tasks[task_id].cancel = order

    def _close(self, closing: Closing) -> None:
        """No response can be sent any more, and none will come."""
        if self.closing is None:
            self.closing = closing
        self.tasks.clear()
        self.requested.clear()

    def records(self) -> Iterator[Record]:
        """The fewest records that leave it as it is."""
        session = self.session
        yield {
            "session": session,
            "peer": self.peer,
            "epoch": self.epoch,
            "taken": self.taken,
            "stored": self.stored,
            "messages": self.messages - self._messages_kept,
            "redelivered": self.redelivered,
            "requested": list(self.requested),
            **({} if self.closing is None else {"closing": self.closing._asdict()}),
        }
        for seq in sorted(self.ahead):
            yield {"session": session, "ahead": seq}
        for queued in self._lines:
            yield {"session": session, "line": queued.line}
        # Answered before it was stored, as far as is known here.
        for queued in self._lines:
            if queued.type == "TASK_REQUEST" and queued.task_id not in self.requested:
                yield {"session": session, "answered": queued.task_id}
        for task in self.tasks.values():
            yield {"session": session, "task": task.request}
            if task.cancel is not None:
                yield {"session": session, "task": task.cancel}


class JournalMemory:
    """Every session of an agent that has not ended."""

    def __init__(self) -> None:
        self.owner: Optional[Owner] = None
        self.sessions: Dict[str, SessionMemory] = {}

    def apply(self, record: Record) -> bool:
        """False: it is about a session that is not remembered (any more), and there is nothing to write."""
        session: str = record["session"]
        if "epoch" in record:
            self.sessions[session] = SessionMemory(record)
            return True
        memory = self.sessions.get(session)
        if memory is None:
            return False
        if "ended" in record:
            del self.sessions[session]
        else:
            memory.apply(record)
        return True

    @property
    def head(self) -> str:
        """The first line."""
        return "" if self.owner is None else line_of({"journal": _version, **self.owner._asdict()})

    def text(self) -> Iterator[str]:
        """A journal that says the same, and no more than is needed."""
        yield self.head
        for session in self.sessions.values():
            for record in session.records():
                yield line_of(record)

    @classmethod
    def read(cls, data: bytes, name: str) -> JournalMemory:
        """What a journal remembers. A last line without its line break was never written to its end, and nothing had
        come of it: it is left out. Raises journal_damaged for any other line that cannot be read.

        :param name: how to call it in an error
        """
        memory = cls()
        lines: List[bytes] = data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]
        for number, line in enumerate(lines):
            if not memory._read_line(line, number):
                raise client_error(
                    "journal_damaged",
                    f"Line {number + 1} of the journal {name} cannot be read. Restore the file, or move it away: the "
                    "agent then goes on as one without a journal, and what it had not said yet is lost.",
                )
        return memory

    def _read_line(self, line: bytes, number: int) -> bool:
        try:
            value = json.loads(line.decode("utf-8"))
            if not isinstance(value, dict):
                return False
            if number > 0:
                return _is_record(value) and self._fits(value) and self.apply(value)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return False
        agent, account = value.get("agent"), value.get("account")
        if value.get("journal") != _version or not isinstance(agent, str) or not isinstance(account, str):
            return False
        self.owner = Owner(agent, account)
        return True

    def _fits(self, record: Record) -> bool:
        """Whether a record can follow those before it."""
        memory = self.sessions.get(record["session"])
        if "epoch" in record:
            return memory is None and "line" not in record
        if memory is None or record.get("stored", 0) >= memory.next:
            return False
        if "line" not in record:
            return True
        head = json.loads(record["line"])
        is_next: bool = head["session_id"] == record["session"] and head["seq"] == memory.next
        return head["type"] in WORK_TYPES and is_next


def line_of(record: Record) -> str:
    """With its line break."""
    return encode(record) + "\n"
