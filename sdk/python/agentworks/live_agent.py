"""An agent behind what the application holds: its connection, and what it and its sessions say and hear by that. Lines
are gathered into frames here, and envelopes handed out. Which sessions there are is in ``sessions``; what a session or
a task means, elsewhere."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Dict, NamedTuple, Optional, Sequence, Set

from .calls import Calls
from .certificates.renewing import Renewing
from .connection import Connection, ConnectionOptions
from .content import json_of
from .deferred import Deferred, resolved
from .direct import open_direct
from .error import AgentworksError, client_error, said_error, text_of
from .handlers import Handler, Handlers
from .journal import Journal
from .journal_records import Owner
from .mint import mint
from .offers import Accept, Target, judge_offer, open_session
from .outlet import Outlet
from .protocol.client import ClientSession
from .protocol.codec import Fault as LineFault
from .protocol.codec import decode_broker_frame, pack_frames
from .protocol.envelope import Envelope
from .session import Session
from .session_end import ended_by
from .sessions import Sessions
from .socket import SocketEnd
from .statuses import (
    CertificateRenewed,
    Connected,
    Disconnected,
    Fault,
    GoingAway,
    Reconnecting,
    Status,
    Statuses,
    Superseded,
)
from .version import SDK_VERSION

_normal_closure = 1000
#: Handlers that are cancelled have this long to clean up when the agent leaves, in seconds.
_handlers_s_max = 5.0


class AgentSetup(NamedTuple):
    """What ``connect`` was given."""

    connection: ConnectionOptions
    direct: bool
    recover: bool
    accept: Optional[Accept]
    journal: Optional[Journal]
    #: None where the certificate stays as it is.
    renewal: Optional[Renewing] = None


class LiveAgent:
    """Connects as soon as it is made."""

    def __init__(self, setup: AgentSetup) -> None:
        #: This agent's id and its account, as its certificate says.
        self.id = ""
        self.account = ""
        self._loop = asyncio.get_running_loop()
        self._setup = setup
        self.handlers = Handlers()
        self.journal = setup.journal
        if self.journal is not None:
            self.journal.on_failure = self._stop
        self.sessions = Sessions(self, self._refusal, self._dial if setup.direct else None)
        self.statuses = Statuses()
        self._outlet = Outlet()
        self.calls = Calls(self._outlet.line)
        #: Awaits the first REGISTER_ACK; raises when there will be none.
        self.registered: Deferred[None] = Deferred()
        #: Awaits the end of the agent: why.
        self.over: Deferred[AgentworksError] = Deferred()
        self._failure: Optional[AgentworksError] = None
        self._announcing: Optional["asyncio.Handle"] = None
        #: Awaits the broker's answer to the latest announcement.
        self.announced: Deferred[Envelope] = resolved({})
        self._draining = False
        #: Raises as soon as the agent begins to leave: nothing new is opened from then on.
        self._leaving: Deferred[None] = Deferred()
        self._connection = Connection(setup.connection, self)
        self._outlet.connection = self._connection
        self._watch_every = setup.connection.timing.ack_stall_ms / 4000
        self._watching = self._loop.call_later(self._watch_every, self._watch)
        self._connection.start()

    # --- what the application does

    def handle(self, capability: str, handler: Handler, options: Dict[str, Any]) -> None:
        self.handlers.add(capability, handler, options)
        # Several in one turn are one announcement.
        if self._announcing is None:
            self.announced = Deferred()
            self._announcing = self._loop.call_soon(self._announce)

    def _announce(self) -> None:
        self._announcing = None
        self.calls.ask("CAPABILITY_ANNOUNCE", {"capabilities": self.handlers.capabilities}, self.announced)

    async def open(self, target: Target, metadata: object) -> Session:
        return await open_session(target, metadata, self.sessions.begin, self.random, self._leaving)

    async def drain(self) -> None:
        if asyncio.current_task() in self.handlers.running:
            raise client_error(
                "invalid_argument", "A handler cannot await `drain`, which waits for it: run it as a task."
            )
        self._draining = True
        refusal = client_error("agent_draining")
        self._leaving.reject(refusal)
        for session in self.sessions:
            if session.is_offering:
                session.abandon(refusal)
        await self.handlers.drain()
        await self._close_sessions()
        # What was taken last is acknowledged: a session that waited for nothing else has ended then.
        self._outlet.settle(list(self.sessions))
        await self.close()

    async def _close_sessions(self) -> None:
        """All but those that nobody has answered; those, too, that are accepted in the meantime."""
        closed: Set[Session] = set()
        while True:
            closing = {session for session in self.sessions if not session.is_offering} - closed
            if not closing:
                return
            closed |= closing
            for stored in [session.close("drained") for session in closing]:
                try:
                    await stored
                except AgentworksError:
                    pass  # Why it failed is in `session.closed`.

    async def close(self) -> None:
        self._stop(client_error("agent_closed"))
        me = asyncio.current_task()
        running = {task for task in self.handlers.running if task is not me}
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=_handlers_s_max)
        await self._connection.wait_closed()
        await self.sessions.wait_closed()
        if self._setup.renewal is not None:
            await self._setup.renewal.wait_stopped()

    # --- what its sessions ask of it

    def random(self) -> float:
        return self._setup.connection.random()

    def tell(self, status: Status) -> None:
        self.statuses.say(status)

    def wake(self, session: Session) -> None:
        self._outlet.wake(session)

    def session_opened(self, session: Session) -> None:
        self.sessions.opened(session)

    def session_ended(self, session: Session) -> None:
        self._outlet.forget(session)
        self.sessions.ended(session)

    @property
    def failure(self) -> Optional[AgentworksError]:
        """Why the latest attempt to connect failed."""
        return self._connection.failure

    # --- out

    def _refusal(self) -> Optional[AgentworksError]:
        if self._failure is not None:
            return self._failure
        return client_error("agent_draining") if self._draining else None

    def _dial(self, session: Session) -> Connection:
        return open_direct(session, self._setup.connection, self.frame, self.tell)

    def opened(self) -> Sequence[str]:
        """The first frame of a connection: who this is, what is open, what was asked."""
        self._outlet.drop_lines()
        data = json_of({"capabilities": self.handlers.capabilities, "sdk": SDK_VERSION})
        lines = [f'{{"type":"REGISTER","id":"{mint()}","data":{data}}}', *self.calls.lines]
        for session in self.sessions:
            if session.route is None:
                session.connected()
                lines.extend(session.lines())
        return pack_frames(lines)

    # --- in

    def frame(self, text: str) -> None:
        for envelope in decode_broker_frame(text):
            if isinstance(envelope, LineFault):
                self.tell(Fault(client_error("unreadable", f"The broker sent {envelope.reason}.")))
                continue
            session = self.sessions.get(envelope.get("session_id", ""))
            if session is not None and envelope["type"] != "SESSION_INIT":
                self._give(session, envelope)
            else:
                self._take(envelope, session)

    def _give(self, session: Session, envelope: Envelope) -> None:
        try:
            session.receive(envelope)
        except Exception as bug:
            # It must not go unseen, and would come again with every new attachment: the session is what ends by it.
            context = {"message": f"agentworks: {session} could not take an envelope", "exception": bug}
            self._loop.call_exception_handler(context)
            detail = "The session ended, for an envelope of it could not be taken."
            session.end(ended_by(client_error("unreadable", detail, bug)))

    def _take(self, envelope: Envelope, session: Optional[Session]) -> None:
        kind = envelope["type"]
        if kind == "REGISTER_ACK":
            self._welcome(envelope["data"])
        elif kind == "SESSION_INIT":
            if session is None:
                self._judge(envelope)
        elif kind == "GOAWAY":
            reason = envelope["data"]["reason"]
            self.tell(GoingAway(reason))
            self._connection.renew(reason)
        elif not self.calls.answered(envelope) and kind == "ERROR":
            if envelope["data"]["reason"] == "rate_limited":
                self._outlet.slow_down()
            self.tell(Fault(said_error(envelope["data"])))

    def _welcome(self, data: Envelope) -> None:
        if self.journal is not None:
            mismatch = self.journal.claim(Owner(data["agent"], data["account"]))
            if mismatch is not None:
                return self._stop(mismatch)
        self.id = data["agent"]
        self.account = data["account"]
        self._connection.settled()
        self.registered.resolve(None)
        if self._setup.recover and not self._draining:
            self.sessions.recover(data["sessions"])
        self.tell(Connected(self.id))
        if self._setup.renewal is not None:
            self._setup.renewal.start(self.id, self)

    def _judge(self, offer: Envelope) -> None:
        refusal = "The agent is draining." if self._draining else None
        try:
            judged = judge_offer(offer, self._setup.accept, refusal)
        # The program's own, whatever it is: it is asked within the connection, which goes on.
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            self.tell(Fault(client_error("invalid_argument", f"`accept` failed: {text_of(error)}.", error)))
            judged = judge_offer(offer, None, "The agent failed to judge the offer.")
        if isinstance(judged, ClientSession):
            self.sessions.begin(judged)
        else:
            self._outlet.line(judged)

    # --- what its renewal says

    def renewed(self, not_after: datetime) -> None:
        """The broker ends a connection with its certificate: each is made anew now, with the next one, and sessions
        resume."""
        self.tell(CertificateRenewed(not_after))
        reason = "certificate renewed"
        self._connection.renew(reason)
        self.sessions.renew(reason)

    def renewal_failed(self, error: AgentworksError) -> None:
        self.tell(Fault(error))

    # --- what its connection says

    def lost(self, end: SocketEnd, will_reconnect: bool) -> None:
        self.tell(Disconnected(end.code, end.reason, will_reconnect))

    def retrying(self, attempt: int, delay_ms: int) -> None:
        self.tell(Reconnecting(attempt, delay_ms))

    def stopped(self, error: AgentworksError) -> None:
        self._stop(error)

    # --- the end

    def _watch(self) -> None:
        now_ms = self._loop.time() * 1000
        for session in list(self.sessions):
            session.watch_stall(now_ms, self._setup.connection.timing)
        self._watching = self._loop.call_later(self._watch_every, self._watch)

    def _stop(self, error: AgentworksError) -> None:
        if self._failure is not None:
            return
        self._failure = error
        # First: what the ends of the sessions let go of is neither taken nor finished.
        if self.journal is not None:
            self.journal.close()
        self._watching.cancel()
        if self._setup.renewal is not None:
            self._setup.renewal.stop()
        self.handlers.stop()
        self._outlet.stop()
        self._connection.stop(_normal_closure, "closed")
        if error.reason == "superseded":
            self.tell(Superseded())
        self._leaving.reject(error)
        self.registered.reject(error)
        self.sessions.stop(error)
        self.calls.fail(error)
        self.sessions.incoming.end()
        self.over.resolve(error)
        self.statuses.end()
