"""The client half of a session, as (event) → lines to send and events for the application. No clock, no dice, no I/O,
no await.

It keeps what the broker has not acknowledged, and it acknowledges what the application has taken (not what merely
arrived), so that a slow application slows its peer down. Here are the states and what moves between them; what is kept
of the two streams is in client_outgoing.py and client_incoming.py. It is a port of protocol/session/client.ts; the same
vectors go through both.
"""

from __future__ import annotations

import json
from typing import Callable, List, Literal, Optional, Sequence

from .client_events import (
    Accepted,
    Ended,
    Event,
    Faulted,
    Flow,
    Receipts,
    Recovered,
    Remembered,
    Resumed,
    StateName,
    Unheard,
    Work,
)
from .client_faults import mismatch_detail, outcome_details, remedy_for
from .client_incoming import IncomingWork
from .client_outgoing import OutgoingWork
from .codec import encode
from .envelope import Envelope, is_delivered
from .limits import RECEIPT_MESSAGES_MAX

#: "later": a receipt goes only with work, or when it covers many messages (B3).
WhenReceipts = Literal["now", "later"]


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
        self._in = IncomingWork()
        self._out = OutgoingWork()
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
        session._in.recover(memory.taken, memory.is_closing)
        session._out.start_after(memory.stored)
        for line in memory.lines:
            session._out.queue(json.loads(line)["type"], line)
        return session

    @property
    def remembered(self) -> Remembered:
        """What ``recall`` needs to go on from here."""
        lines = [outgoing.line for outgoing in self._out.waiting_lines]
        return Remembered(
            self.session_id, self.peer, self._epoch, self._in.taken, self._out.acked, lines, self._is_closing
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
        is_done = out.waiting == 0 and out.delivered >= out.acked
        if is_done and not self._is_closing:
            return None
        return f"{out.acked} {out.delivered} {self._in.taken}"

    @property
    def _is_closing(self) -> bool:
        """A side has closed."""
        return self._out.is_closing or self._in.is_closed

    @property
    def owes_receipt(self) -> bool:
        """A receipt waits for company (B3): call ``lines("now")`` within RECEIPT_DELAY_MS."""
        return self._state == "ready" and self._in.owed > 0

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
        self._out.queue(kind, line)
        return seq

    def take(self, seq: int) -> None:
        """The application has taken everything through ``seq``: it will be acknowledged with the next lines."""
        self._in.take(seq)

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

    @property
    def has_full_frame(self) -> bool:
        """A full frame of work waits that need not wait for anything: call ``lines`` once more, for a frame of its own
        (B1)."""
        return self._state == "ready" and self._out.has_full_frame

    def lines(self, receipts: WhenReceipts = "now") -> List[str]:
        """The lines to send now, at most one frame of work. Call it after every event, and send what it gives."""
        if self._state == "ready":
            lines = self._out.frame()
            # What this end has taken is said once more after its SESSION_CLOSE, so that the broker can end the session
            # (N7).
            if lines and self._out.has_sent_close:
                self._in.acknowledge_again()
            owed = self._in.owed
            if owed > 0 and not (receipts == "later" and not lines and owed < RECEIPT_MESSAGES_MAX):
                self._in.acknowledge()
                lines.append(f'{{"type":"MESSAGE_ACK","session_id":"{self.session_id}","ack":{self._in.taken}}}')
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
        return encode({**head, "ack": self._in.taken, "data": data})

    def receive(self, envelope: Envelope) -> Sequence[Event]:
        """One envelope of the broker's for this session."""
        if self._state == "ended":
            return ()
        kind = envelope["type"]
        if is_delivered(envelope):
            # Before it is known where the stream stands nothing of it can be taken: what comes too early comes again
            # (N3, A8).
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
        verdict = self._in.receive(envelope)
        if verdict == "next":
            return (Work(envelope),)
        if verdict == "mismatch":
            return self._end("stream_mismatch", mismatch_detail)
        if verdict == "gap":
            self._reattach_once()
        return ()

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
            return [*receipts, *self._end(f"resume_{outcome}", outcome_details[outcome])]
        self._state = "ready"
        self._out.rewind(data["received"])
        self.paused = False
        unheard = self._out.tell_unheard()
        # Once a side has closed, nothing more is asked: every task ends with the session.
        requests = [] if self._is_closing else unheard
        return [*receipts, Resumed(), *([Unheard(requests)] if requests else [])]

    def _recovered(self, data: Envelope, limit: int) -> Sequence[Event]:
        outcome: str = data["outcome"]
        if outcome != "resumed":
            return self._end(f"resume_{outcome}", outcome_details[outcome])
        taken: int = data.get("taken", 0)
        self._epoch = data.get("epoch", "")
        self._out.recover(data["received"], data["delivered"], limit)
        self._in.recover(taken, data.get("state") == "closing")
        self._state = "ready"
        return [Recovered(data.get("sent", taken), data.get("requested", []), self._in.is_closed)]

    def _receipts(self, stored: int, delivered: int, limit: int) -> Sequence[Event]:
        out = self._out
        has_moved = out.receipt(stored, delivered, limit, self._state != "resuming")
        return (Receipts(out.acked, out.delivered),) if has_moved else ()

    def _fault(self, fault: Envelope) -> Sequence[Event]:
        reason: str = fault["data"]["reason"]
        detail: str = fault["data"]["detail"]
        remedy = remedy_for(reason, self._state)
        if remedy == "ask":
            self.reattach()
        elif remedy == "attach":
            self._reattach_once()
        elif remedy == "recover" and self._out.next == 1:
            self._state = "recovering"
            self._asked = False
            return ()
        elif remedy in ("end", "recover"):
            return self._end(reason, detail)
        return (Faulted(fault),)

    def _end(self, reason: str, detail: str) -> Sequence[Event]:
        self._state = "ended"
        return (Ended(reason, detail),)
