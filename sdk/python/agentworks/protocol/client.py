"""The client half of a session, as (event) → lines to send and events for the application. No clock, no dice, no I/O,
no await.

It keeps what the broker has not acknowledged, and it acknowledges what the application has taken (not what merely
arrived), so that a slow application slows its peer down. It is a port of protocol/session/client.ts; the same vectors
go through both.
"""

from __future__ import annotations

import json
from typing import Callable, ClassVar, Dict, List, Literal, NamedTuple, Optional, Sequence, Union

from .codec import encode, units
from .envelope import Capability, Envelope, is_delivered
from .limits import FRAME_BYTES_MAX, FRAME_ENVELOPES_MAX, RECEIPT_MESSAGES_MAX, WINDOW_MESSAGES
from .streams import Outgoing, ReceiveStream, SendStream

#: offering, accepting: waiting for the broker's SESSION_ACCEPT · ready: accepted, and this connection is attached ·
#: resuming: accepted, SESSION_RESUME sent or to be sent · recovering: the same, without a memory of it · ended: no work
#: will flow again.
StateName = Literal["offering", "accepting", "ready", "resuming", "recovering", "ended"]

#: "later": a receipt goes only with work, or when it covers many messages (B3).
WhenReceipts = Literal["now", "later"]


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

_outcome_details: Dict[str, str] = {
    "closed": "The session is closed. What was acknowledged before is stored.",
    "unknown": "The broker does not know the session.",
    "gap": "The broker and this client do not agree on what was sent; the session cannot go on without loss.",
    "epoch_mismatch": "The session was restored from older storage; it cannot go on without losing something.",
}

_request_head = '{"type":"TASK_REQUEST"'
_data_mark = ',"data":'


def _data_of(line: str) -> str:
    """The ``data`` of a line of this end's own."""
    return line[line.index(_data_mark) + len(_data_mark) : -1]


_mismatch_detail = (
    "The broker repeated a number with another envelope: its storage is an older one; the session cannot go on."
)

#: All of them say the same: what is on the way is not what the broker expects. Attach again, from where it stands.
_out_of_step = frozenset({"session_not_attached", "sequence_gap", "ack_beyond", "flow_control"})
#: They refuse INIT or ACCEPT. Once the session is open the question was a late copy, and its answer is about nothing.
_never_opened = frozenset({"session_exists", "self_session", "too_many_sessions"})
#: The session is gone; or an envelope that the broker cannot take stops the stream: nothing after it would ever be in
#: sequence.
_fatal = frozenset(
    {
        "session_unknown",
        "session_closed",
        "session_damaged",
        "invalid_envelope",
        "envelope_too_large",
        "too_deep",
        "from_mismatch",
    }
)


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


class ClientSession:
    """One session of this agent."""

    __slots__ = (
        "session_id",
        "peer",
        "paused",
        "_state",
        "_asked",
        "_opener",
        "_epoch",
        "_in",
        "_out",
        "_limit",
        "_delivered",
        "_taken",
        "_said_taken",
        "_close_seq",
        "_is_closing",
        "_ids",
        "_flying",
        "_unheard",
        "_question",
        "_mint",
        "_middle",
    )

    def __init__(self, session_id: str, peer: str, state: StateName, opener: str, mint: Callable[[], str]) -> None:
        """Use ``offer``, ``accept`` or ``recover``."""
        self.session_id = session_id
        #: Of a session that was opened by a capability: "" until it is accepted.
        self.peer = peer
        #: The broker asked to pause (advice; what binds is ``limit``).
        self.paused = False
        self._state: StateName = state
        #: What the state waits for was asked on this connection.
        self._asked = False
        #: SESSION_INIT or SESSION_ACCEPT, until it is answered.
        self._opener = opener
        self._epoch = ""
        self._in = ReceiveStream()
        self._out = SendStream()
        self._limit = 0
        self._delivered = 0
        #: The application has taken everything through this.
        self._taken = 0
        self._said_taken = 0
        self._close_seq: Optional[int] = None
        #: Either side has closed.
        self._is_closing = False
        #: The ids of the last work that came, by ``seq`` modulo the window.
        self._ids: Dict[int, str] = {}
        #: The last ``seq`` of the frame that is on its way, or 0. Only one is: what queues up meanwhile shares the next
        #: (B1).
        self._flying = 0
        #: What is acknowledged before an attachment is made again: its ERRORs may be lost.
        self._unheard: List[Outgoing] = []
        #: The id of the SESSION_RESUME that waits for its answer.
        self._question: Optional[str] = None
        self._mint = mint
        self._middle = f'","session_id":"{session_id}","seq":'

    @classmethod
    def offer(
        cls,
        session_id: str,
        to: Optional[str],
        metadata: Optional[str],
        mint: Callable[[], str],
        *,
        capability: Optional[str] = None,
        ttl_ms: Optional[int] = None,
    ) -> ClientSession:
        """Opens a session: the first line it gives out is SESSION_INIT.

        :param to: None: the broker finds an agent for ``capability``
        :param metadata: JSON text; None: there is none
        """
        head: Envelope = {"type": "SESSION_INIT", "id": mint(), "session_id": session_id}
        if to is not None:
            head["to"] = to
        said = {"capability": capability, "ttl_ms": ttl_ms}
        members = [f'"{name}":{encode(value)}' for name, value in said.items() if value is not None]
        if metadata is not None:
            members.append(f'"metadata":{metadata}')
        line = f'{encode(head)[:-1]},"data":{{{",".join(members)}}}}}'
        return cls(session_id, to or "", "offering", line, mint)

    @classmethod
    def accept(cls, offer: Envelope, mint: Callable[[], str]) -> ClientSession:
        """Accepts an offer: the first line it gives out is SESSION_ACCEPT."""
        session_id: str = offer["session_id"]
        line = encode({"type": "SESSION_ACCEPT", "id": mint(), "session_id": session_id, "in_reply_to": offer["id"]})
        return cls(session_id, offer["from"], "accepting", line, mint)

    @classmethod
    def recover(cls, session_id: str, peer: str, mint: Callable[[], str]) -> ClientSession:
        """A session of an earlier life of this agent: the first line it gives out asks where its streams stand (A8)."""
        return cls(session_id, peer, "recovering", "", mint)

    @classmethod
    def recall(cls, memory: Remembered, mint: Callable[[], str]) -> ClientSession:
        """A session of an earlier life that was remembered: the first line it gives out is SESSION_RESUME, from where
        both streams stood."""
        session = cls(memory.session_id, memory.peer, "resuming", "", mint)
        session._epoch = memory.epoch
        session._in.last = memory.taken
        session._taken = memory.taken
        session._said_taken = memory.taken
        session._is_closing = memory.is_closing
        session._out.start_after(memory.stored)
        for line in memory.lines:
            head = json.loads(line)
            session._queue(head["type"], head["seq"], line)
        return session

    @property
    def remembered(self) -> Remembered:
        """What ``recall`` needs to go on from here."""
        lines = [outgoing.line for outgoing in self._out.waiting_lines]
        return Remembered(
            self.session_id, self.peer, self._epoch, self._taken, self._out.acked, lines, self._is_closing
        )

    @property
    def newest_line(self) -> str:
        """The line that was queued last, while the broker has not stored it."""
        return self._out.waiting_lines[-1].line

    @property
    def state(self) -> StateName:
        return self._state

    @property
    def waiting(self) -> int:
        """Messages that the broker has not stored yet."""
        return self._out.waiting

    @property
    def waiting_size(self) -> int:
        """Characters of them."""
        return self._out.size

    @property
    def oldest_in_flight(self) -> Optional[int]:
        """Oldest ``seq`` that is sent and not acknowledged: the caller watches it for a stall (L15)."""
        return self._out.acked + 1 if self._out.sent > self._out.acked else None

    @property
    def awaited(self) -> Optional[str]:
        """Names what else this end waits for while it is attached, and how far that is; None: nothing. The caller looks
        at L28: a peer may be slow, but a broker that lost its memory may also have forgotten to forward, and finds out
        when it is asked."""
        out = self._out
        if self._state != "ready":
            return None
        is_done = out.waiting == 0 and self._delivered >= out.acked
        if is_done and not self._is_closing:
            return None
        return f"{out.acked} {self._delivered} {self._taken}"

    @property
    def owes_receipt(self) -> bool:
        """A receipt waits for company (B3): call ``lines("now")`` within RECEIPT_DELAY_MS."""
        return self._state == "ready" and self._taken > self._said_taken

    def send(
        self, kind: str, id: str, data: str, in_reply_to: Optional[str] = None, traceparent: Optional[str] = None
    ) -> int:
        """Queues one work envelope; never refuses: the caller bounds what waits.

        :param data: JSON text of the type's own shape
        :returns: its ``seq``
        """
        seq = self._out.next
        more = "" if in_reply_to is None else f',"in_reply_to":"{in_reply_to}"'
        if traceparent is not None:
            more += f',"traceparent":{encode(traceparent)}'
        line = f'{{"type":"{kind}","id":"{id}{self._middle}{seq}{more},"data":{data}}}'
        self._queue(kind, seq, line)
        return seq

    def _queue(self, kind: str, seq: int, line: str) -> None:
        self._out.append(units(line), line)
        if kind == "SESSION_CLOSE":
            self._close_seq = seq
            self._is_closing = True

    def take(self, seq: int) -> None:
        """The application has taken everything through ``seq``: it will be acknowledged with the next lines."""
        if seq > self._taken:
            self._taken = seq

    def connected(self) -> None:
        """A connection is up: what comes next is INIT, ACCEPT or RESUME."""
        self._question = None
        self._asked = False
        if self._state in ("ready", "resuming"):
            self._state = "resuming"

    def reattach(self) -> None:
        """Attach again on the same connection: frames were lost on the way, or acknowledgements stopped (A5)."""
        self.connected()

    def _reattach_once(self) -> None:
        """As ``reattach``, where one that is under way answers for what went wrong before it."""
        if self._state == "ready":
            self.reattach()

    def lines(self, receipts: WhenReceipts = "now") -> List[str]:
        """The lines to send now, at most one frame of work. Call it after every event, and send what it gives."""
        if self._state == "ready":
            lines = self._work_lines()
            owed = self._taken - self._said_taken
            if owed > 0 and not (receipts == "later" and not lines and owed < RECEIPT_MESSAGES_MAX):
                self._said_taken = self._taken
                lines.append(f'{{"type":"MESSAGE_ACK","session_id":"{self.session_id}","ack":{self._taken}}}')
            return lines
        if self._state == "ended" or self._asked:
            return []
        self._asked = True
        return [self._opener if self._state in ("offering", "accepting") else self._resume_line()]

    def _resume_line(self) -> str:
        self._question = id = self._mint()
        head: Envelope = {"type": "SESSION_RESUME", "id": id, "session_id": self.session_id}
        if self._state == "recovering":
            return encode({**head, "data": {"received": None}})
        out = self._out
        data = {"epoch": self._epoch, "received": self._in.last, "first": out.acked + 1, "next": out.next}
        return encode({**head, "ack": self._taken, "data": data})

    def _work_lines(self) -> List[str]:
        out = self._out
        lines: List[str] = []
        if self._flying > out.acked or out.sent + 1 >= out.next:
            return lines
        size = 0
        for outgoing in out.waiting_lines:
            if outgoing.seq <= out.sent:
                continue
            size += outgoing.size * 3 + 1
            # Half of a frame stays free for acknowledgements and other sessions (B2).
            full = len(lines) >= FRAME_ENVELOPES_MAX // 2 or size > FRAME_BYTES_MAX // 2
            if outgoing.seq > self._limit or (full and lines):
                break
            lines.append(outgoing.line)
        if not lines:
            return lines
        out.sent += len(lines)
        # What this end has taken is said once more after its SESSION_CLOSE, so that the broker can end the session
        # (N7).
        if self._close_seq is not None and out.sent >= self._close_seq:
            self._said_taken = -1
        self._flying = out.sent
        return lines

    def receive(self, envelope: Envelope) -> Sequence[Event]:
        """One envelope of the broker's for this session."""
        if self._state == "ended":
            return ()
        kind = envelope["type"]
        if is_delivered(envelope):
            # Before it is known where the stream stands nothing of it can be taken: what comes too early comes again (N3, A8).
            return self._receive_work(envelope) if self._state in ("ready", "resuming") else ()
        data = envelope.get("data") or {}
        if kind == "MESSAGE_ACK":
            return self._receipts(envelope["ack"], data.get("delivered", 0), envelope.get("limit", 0))
        if kind == "SESSION_ACCEPT":
            return self._accepted(envelope)
        if kind == "SESSION_REJECT":
            return self._end(data["reason"], data["detail"])
        if kind == "SESSION_RESUMED":
            return self._resumed(envelope)
        if kind in ("PAUSE", "RESUME"):
            self.paused = kind == "PAUSE"
            return [Flow(self.paused)]
        if kind == "SESSION_CLOSED":
            receipts = self._receipts(data["received"], data["delivered"], 0)
            return [*receipts, *self._end(data["state"], "The session has ended.")]
        if kind == "ERROR":
            return self._fault(envelope)
        return ()

    def _receive_work(self, envelope: Envelope) -> Sequence[Event]:
        seq: int = envelope["seq"]
        verdict = self._in.judge(seq)
        if verdict == "duplicate":
            # A10: what is sent again has the same id. Another one is another history, of a storage that was put back
            # behind our backs.
            known = self._ids.get(seq % WINDOW_MESSAGES) if seq > self._in.last - WINDOW_MESSAGES else None
            if known is not None and known != envelope["id"]:
                return self._end("stream_mismatch", _mismatch_detail)
            self._said_taken = min(self._said_taken, self._taken - 1)
            return ()
        if verdict == "gap":
            self._reattach_once()
            return ()
        self._in.last = seq
        self._ids[seq % WINDOW_MESSAGES] = envelope["id"]
        if envelope["type"] == "SESSION_CLOSE":
            self._is_closing = True
        return (Work(envelope),)

    def _accepted(self, envelope: Envelope) -> Sequence[Event]:
        data = envelope["data"]
        self._epoch = data["epoch"]
        self.peer = data["peer"]
        if self._state not in ("offering", "accepting"):
            return ()
        self._state = "ready"
        return [Accepted(data["capabilities"]), *self._receipts(0, 0, envelope["limit"])]

    def _resumed(self, envelope: Envelope) -> Sequence[Event]:
        # The answer to an older question is about numbers that have moved since: it may even say gap.
        asked = envelope.get("in_reply_to")
        if asked is not None and asked != self._question:
            return ()
        data = envelope["data"]
        outcome: str = data["outcome"]
        if self._state == "recovering":
            return self._recovered(data, envelope["limit"])
        if self._state != "resuming":
            return ()
        receipts = self._receipts(data["received"], data["delivered"], envelope["limit"])
        if outcome != "resumed":
            return [*receipts, *self._end(f"resume_{outcome}", _outcome_details[outcome])]
        self._state = "ready"
        self._out.rewind(data["received"])
        self._flying = 0
        self.paused = False
        # Once a side has closed, nothing more is asked: every task ends with the session.
        unheard = [] if self._is_closing else [outgoing.line for outgoing in self._unheard]
        self._unheard = []
        requests = [_data_of(line) for line in unheard if line.startswith(_request_head)]
        return [*receipts, Resumed(), *([Unheard(requests)] if requests else [])]

    def _recovered(self, data: Envelope, limit: int) -> Sequence[Event]:
        outcome: str = data["outcome"]
        if outcome != "resumed":
            return self._end(f"resume_{outcome}", _outcome_details[outcome])
        taken: int = data.get("taken", 0)
        self._epoch = data.get("epoch", "")
        self._out.start_after(data["received"])
        self._in.last = taken
        self._taken = taken
        self._said_taken = taken
        self._delivered = data["delivered"]
        self._limit = limit
        self._is_closing = data.get("state") == "closing"
        self._state = "ready"
        return [Recovered(data.get("sent", taken), data.get("requested", []), self._is_closing)]

    def _receipts(self, stored: int, delivered: int, limit: int) -> Sequence[Event]:
        out = self._out
        before = out.acked + self._delivered
        done = out.acknowledge(stored)
        if self._state == "resuming":
            self._unheard.extend(done)
        if delivered > self._delivered:
            self._delivered = delivered
        if limit > self._limit:
            self._limit = limit
        if out.acked + self._delivered == before:
            return ()
        return (Receipts(out.acked, self._delivered),)

    def _fault(self, fault: Envelope) -> Sequence[Event]:
        reason: str = fault["data"]["reason"]
        detail: str = fault["data"]["detail"]
        if reason in ("relay_lost", "too_many_lookups"):
            # The question itself may be what was lost: it is asked again, whatever it was.
            self.reattach()
        elif reason in _out_of_step:
            self._reattach_once()
        elif reason in _never_opened and self._state in ("offering", "accepting"):
            return self._end(reason, detail)
        elif reason == "session_not_pending" and self._state == "accepting":
            # An earlier life of this agent had accepted it already: this one asks where that came to (A8).
            if self._out.next > 1:
                return self._end(reason, detail)
            self._state = "recovering"
            self._asked = False
            return ()
        elif reason in _fatal:
            return self._end(reason, detail)
        return (Faulted(fault),)

    def _end(self, reason: str, detail: str) -> Sequence[Event]:
        self._state = "ended"
        return (Ended(reason, detail),)
