"""A session as the application holds it: awaitables, iterators and handlers around the core's client half. It decides
when something counts as taken; when and where its lines are sent is the agent's business. No sockets here."""

from __future__ import annotations

from types import TracebackType
from typing import Any, AsyncIterator, Awaitable, List, Optional, Type

from .connection import Connection
from .content import json_of
from .deferred import Deferred, resolved
from .error import AgentworksError, said_error, wire_error
from .heartbeat import Timing
from .host import Host
from .inbox import Inbox, Slot
from .journal_records import SessionMemory
from .messages import Message, Messages
from .outgoing import Outgoing
from .performer import Performer
from .protocol import client_events as core_events
from .protocol.client import ClientSession, WhenReceipts
from .protocol.envelope import Capability, Envelope
from .pulse import Hold, Pausing, Stall
from .receipts import Receipt
from .requests import Requests, Task
from .session_close import SessionClose
from .session_end import SessionEnd, ended_by, session_end_of
from .session_journal import SessionJournal
from .statuses import Fault, Paused, Resumed


class Session:
    """A durable conversation with one other agent. Leaving ``async with session:`` closes it.

    Not thread-safe: use it in the event loop that it was opened in.
    """

    def __init__(self, core: ClientSession, host: Host, memory: Optional[SessionMemory] = None) -> None:
        """:param memory: what the journal remembers of it, where ``core`` was recalled"""
        #: What the peer can do, as it said when the session was accepted.
        self.capabilities: List[Capability] = []
        #: A session that an earlier life of this program had, and that goes on here; then ``capabilities`` is empty.
        self.recovered = core.state == "recovering" or memory is not None
        #: After recovery: the ids of tasks that the earlier life asked for and that are open. ``request`` with one
        #: waits for it.
        self.requested: List[str] = []
        #: Whether this program did not open it: a peer did, or an earlier life of this agent.
        self.offered = core.state != "offering"
        #: A connection of its own, once it has one: its lines go there only.
        self.route: Optional[Connection] = None
        #: Work through this ``seq`` may have been taken in an earlier life.
        self._sent_before = 0
        self._core = core
        self._host = host
        self._journal = None if host.journal is None else SessionJournal(host.journal, core.session_id)
        #: What the journal remembers of it, until the broker has agreed.
        self._memory = memory
        self._inbox = Inbox(self._take, None if self._journal is None else self._journal.taken)
        self._messages = Messages(self._inbox)
        self._outgoing = Outgoing(core, self._wake, self._journal)
        self._close = SessionClose(self._outgoing, self._inbox)
        self._requests = Requests(self._outgoing.say)
        self._performer = Performer(self, host.handlers, self._inbox, self._outgoing.say)
        #: Awaits that it is accepted; raises when it will not be.
        self.opened: Deferred[None] = Deferred()
        self._ending: Deferred[SessionEnd] = Deferred()
        self._end: Optional[SessionEnd] = None
        self._abandoned = False
        self._hold = Hold()
        self._pausing = Pausing()
        self._answers = Stall()
        self._deliveries = Stall()
        if memory is not None:
            self._recall(memory)

    def _recall(self, memory: SessionMemory) -> None:
        self._sent_before = memory.redelivered
        self._inbox.recall(memory.ahead)
        self._outgoing.messages = memory.messages
        self.requested = list(memory.requested)
        if memory.closing is not None:
            self._close.recall(memory.closing.reason)
            if memory.closing.own:
                self._messages.unwanted()

    def _recalled(self, memory: SessionMemory) -> None:
        """The broker goes on from what was remembered: so does the application, and what it had begun and not finished
        first."""
        self._memory = None
        begun = list(memory.tasks.values())
        self.opened.resolve(None)
        self._host.session_opened(self)
        self._performer.recall(begun)

    @property
    def id(self) -> str:
        return self._core.session_id

    @property
    def peer(self) -> str:
        """The other agent; proven by its certificate."""
        return self._core.peer

    def __repr__(self) -> str:
        return f"<Session with {self.peer!r} {self.id} {self._core.state}>"

    # --- what the application does

    def request(
        self, capability: str, input: object, *, task_id: Optional[str] = None, deadline_ms: Optional[float] = None
    ) -> Task:
        """Asks the peer for a task, at once. ``await task`` gives its result.

        :param input: any JSON
        :param task_id: a UUIDv7 of your own (``agentworks.new_id()``): asking again with it never runs the task twice,
            not even after a crash of this program
        :param deadline_ms: the task must be done in this time, at most 24 hours: else it raises TaskExpired

        Raises AgentworksError: invalid_argument, envelope_too_large, too_deep, too_many_tasks (128 are open),
        resource_exhausted, or why the session takes nothing any more.
        """
        return self._requests.ask(capability, input, task_id, deadline_ms, self._performer.size)

    def send(self, content: object) -> Receipt:
        """Sends a message, at once; ``await`` what it gives to wait until the broker has it durably.

        :param content: any JSON

        Raises AgentworksError: invalid_argument, envelope_too_large, too_deep, resource_exhausted (8192 messages or 64
        MiB wait to be stored), or why the session takes nothing any more. Nothing was queued then.
        """
        return self._outgoing.say("MESSAGE", f'{{"content":{json_of(content)}}}')

    @property
    def sent(self) -> int:
        """How many messages ``send`` has queued in this session: with a journal, in all lives of this program. Each of
        them arrives, so a program that numbers its messages goes on after this many."""
        return self._outgoing.messages

    async def ready(self) -> None:
        """Waits while a window (512 messages, 4 MiB) or more waits to be stored: await it between sends in a loop."""
        await self._outgoing.ready()

    def messages(self) -> AsyncIterator[Message]:
        """Messages in order, each once. Taking one acknowledges it, so a slow reader slows the sender down, and so does
        having no reader. Ends when the session does; raises when that was not by ``close``."""
        return self._messages.read()

    def pause(self) -> None:
        """Asks the broker to hold back what comes. Advice, not a guarantee."""
        self._pausing.want(True)
        self._wake()

    def resume(self) -> None:
        """Asks the broker to go on."""
        self._pausing.want(False)
        self._wake()

    def close(self, reason: str = "closed") -> Awaitable[None]:
        """Says, at once, that this side is done; what was sent before still arrives. Running handlers are cancelled.
        Messages that no reader is there for are dropped; readers that are there may read on, and the session ends when
        they have read everything or left (as ``break`` does). Await what it gives to wait until all that this side has
        said is stored, whatever the peer does."""
        if self._close.stored is not None:
            return self._close.stored
        if self._end is not None:
            return resolved(None)
        # Before it is open nothing is queued: the journal does not know the session yet, and how far that of an earlier
        # life came nobody knows here.
        is_open = self._core.state not in ("offering", "accepting", "recovering")
        stored = self._close.say(reason, None if is_open else self.opened)
        self._performer.abandon()
        self._messages.unwanted()
        return stored

    @property
    def closed(self) -> Deferred[SessionEnd]:
        """Awaits the end of the session; never raises: it gives the reason given to ``close``, or of the failure."""
        return self._ending

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        stored = self.close()
        if error is None:
            await stored

    # --- what the agent does

    @property
    def has_unread(self) -> bool:
        return self._messages.has_unread

    @property
    def is_offering(self) -> bool:
        """This program offers it, and nobody has answered."""
        return self._core.state == "offering"

    def abandon(self, error: AgentworksError) -> None:
        """The one who opened it does not wait any more: it is closed as soon as it is accepted."""
        self._abandoned = True
        self.opened.reject(error)

    def connected(self) -> None:
        """A connection is up: what comes next is INIT, ACCEPT or RESUME."""
        self._hold.release()
        self._core.connected()

    @property
    def owes_receipt(self) -> bool:
        """Whether a receipt waits for company."""
        return self._core.owes_receipt

    def keep(self) -> bool:
        """Writes what the journal does not have yet: before anything leaves, connected or not. False: nothing may
        leave."""
        return self._journal is None or self._journal.commit()

    def lines(self, receipts: WhenReceipts = "now") -> List[str]:
        """What is to be sent now; with "later", a receipt waits for company."""
        if self._hold.is_held or not self.keep():
            return []
        lines = self._core.lines(receipts)
        if self._core.has_full_frame:
            self._host.wake(self)
        said = self._pausing.take() if self._core.state == "ready" else None
        if said is not None:
            lines.append(f'{{"type":"{said}","session_id":"{self.id}"}}')
        return lines

    def receive(self, envelope: Envelope) -> None:
        for event in self._core.receive(envelope):
            self._hear(event, envelope)
        if self._end is None:
            self._host.wake(self)

    def watch_stall(self, now_ms: float, timing: Timing) -> None:
        """L15, L28: attaches again when what is on its way has had no answer, or what is stored is not delivered, for
        too long."""
        # Both are looked at each time: they keep the time of what they saw last.
        state, oldest = self._core.state, self._core.oldest_in_flight
        is_owed = state != "ready" or oldest is not None
        is_unanswered = self._answers.is_stalled(f"{state} {oldest}" if is_owed else None, now_ms, timing.ack_stall_ms)
        is_forgotten = self._deliveries.is_stalled(self._core.awaited, now_ms, timing.delivery_stall_ms)
        if is_unanswered or is_forgotten:
            self.connected()
            self._host.wake(self)

    def stop(self, error: AgentworksError) -> None:
        """The agent is over. What this side had closed ended as it was closed."""
        self.end(SessionEnd(self._close.reason) if self._close.is_done else ended_by(error))

    def end(self, end: SessionEnd) -> None:
        """Ends it on this side. Nothing is said to the broker."""
        if self._end is not None:
            return
        self._end = end
        error = end.error
        self._hold.release()
        refusal = error or wire_error("session_closed")
        self.opened.reject(refusal)
        self._performer.abandon()
        self._requests.fail(refusal)
        self._outgoing.fail(refusal)
        self._messages.end(None if error is not None and error.reason == "agent_closed" else error)
        self._ending.resolve(end)
        self._host.session_ended(self)

    @property
    def ended(self) -> Optional[SessionEnd]:
        """How it ended, or None while it goes on."""
        return self._end

    # --- what the broker says

    def _take(self, seq: int) -> None:
        self._core.take(seq)
        self._host.wake(self)

    def _wake(self) -> None:
        self._host.wake(self)

    def _hear(self, event: core_events.Event, envelope: Envelope) -> None:
        if isinstance(event, core_events.Work):
            self._work(event.envelope)
        elif isinstance(event, core_events.Receipts):
            if self._journal is not None:
                self._journal.stored(event.stored)
            self._outgoing.settle(event.stored, event.delivered)
            self._close.settle()
        elif isinstance(event, core_events.Accepted):
            self._hold.healed()
            self.capabilities = event.capabilities
            if self._journal is not None:
                self._journal.opened(self._core.remembered, 0, [])
            self.opened.resolve(None)
            if self._abandoned:
                self.close("abandoned")
            else:
                self._host.session_opened(self)
        elif isinstance(event, core_events.Resumed):
            self._hold.healed()
            if self.route is not None:
                self.route.settled()
            self._pausing.attached()
            if self._memory is not None:
                self._recalled(self._memory)
        elif isinstance(event, core_events.Unheard):
            self._requests.ask_again(event.requests)
        elif isinstance(event, core_events.Recovered):
            self._hold.healed()
            self.recovered = True
            self._sent_before = event.sent
            self.requested = event.requested
            if self._journal is not None:
                self._journal.opened(self._core.remembered, event.sent, event.requested)
            if event.closing:
                self._outgoing.shut(wire_error("session_closed"))
            self.opened.resolve(None)
            self._host.session_opened(self)
        elif isinstance(event, core_events.Flow):
            self._host.tell(Paused(self) if event.paused else Resumed(self))
        elif isinstance(event, core_events.Faulted):
            self._fault(event.fault)
        else:
            if self._journal is not None:
                self._journal.ended()
            self.end(session_end_of(envelope, self._close.reason))

    def _fault(self, fault: Envelope) -> None:
        if fault["data"]["reason"] in ("relay_lost", "too_many_lookups"):
            self._hold.hold(self._host.random(), self._wake)
        refused = self._requests.refused(fault)
        if refused is None:
            self._host.tell(Fault(said_error(fault["data"]), self))
        elif self._journal is not None:
            self._journal.refused(refused)

    def _work(self, envelope: Envelope) -> None:
        if self._inbox.had_before(envelope["seq"]):
            return
        kind = envelope["type"]
        redelivered = envelope["seq"] <= self._sent_before
        if kind == "MESSAGE":
            return self._messages.arrived(envelope, redelivered)
        slot = Slot(envelope["seq"], envelope)
        self._inbox.arrived(slot)
        data = envelope.get("data") or {}
        if kind == "TASK_REQUEST":
            return self._performer.request(envelope, slot, redelivered)
        if kind == "SESSION_CLOSE":
            return self._peer_closes(data.get("reason", "closed"), slot)
        if kind == "TASK_CANCEL":
            return self._performer.cancel(data["task_id"], slot)
        if not self._inbox.done(slot):
            return
        if kind == "TASK_PROGRESS":
            self._requests.progress(data)
        else:
            self._requests.response(data)

    def _peer_closes(self, reason: str, slot: Slot) -> None:
        self._close.hear(reason, slot)
        refusal = wire_error("session_closed")
        self._performer.abandon()
        self._requests.fail(refusal)
        self._messages.end()
        self._close.settle()
