"""Which sessions an agent has: those that are open, each with a direct connection where that is wanted; those that
ended here; those that wait for somebody to read them; and those that an earlier life left. What happens in a session is
decided elsewhere."""

from __future__ import annotations

from typing import Callable, Dict, Iterator, List, Optional

from .channel import Channel
from .connection import Connection
from .error import AgentworksError
from .host import Host
from .journal_records import SessionMemory
from .mint import mint
from .protocol.client import ClientSession
from .protocol.limits import OPEN_SESSIONS_MAX
from .recent import Recent
from .session import Session
from .statuses import SessionClosed, SessionOpened

_normal_closure = 1000


class Sessions:
    """Iterating gives those that are open, or on their way there.

    :param refusal: why none may begin now
    :param dial: opens a session's direct connection; None: they have none
    """

    def __init__(
        self,
        host: Host,
        refusal: Callable[[], Optional[AgentworksError]],
        dial: Optional[Callable[[Session], Connection]],
    ) -> None:
        self._host = host
        self._refusal = refusal
        self._dial = dial
        #: Sessions that this program did not open.
        self.incoming: Channel[Session] = Channel()
        self._open: Dict[str, Session] = {}
        #: Ended sessions that are remembered, lest the broker's list bring one back: as many as may be open at all.
        self._ended_here = Recent(OPEN_SESSIONS_MAX)
        self._directs: Dict[str, Connection] = {}
        #: Direct connections that are over, and may not be gone yet.
        self._leaving: List[Connection] = []

    def __iter__(self) -> Iterator[Session]:
        return iter(self._open.values())

    def get(self, session_id: str) -> Optional[Session]:
        return self._open.get(session_id)

    def begin(self, core: ClientSession, memory: Optional[SessionMemory] = None) -> Session:
        """Puts one on its way. Raises where none may begin."""
        refusal = self._refusal()
        if refusal is not None:
            raise refusal.with_traceback(None)
        session = Session(core, self._host, memory)
        self._open[session.id] = session
        self._host.wake(session)
        return session

    def recover(self, listed: List[Dict[str, str]]) -> None:
        """Sessions that this program knows nothing of were an earlier life's; those that it saw end are none of them.
        What the journal remembers is resumed from there, whether or not the broker lists it: how it ended is told
        then."""
        journal = self._host.journal
        for memory in [] if journal is None else list(journal.memory.sessions.values()):
            if not self._knows(memory.session):
                self.begin(ClientSession.recall(memory.remembered, mint), memory)
        for one in listed:
            if not self._knows(one["session_id"]):
                self.begin(ClientSession.recover(one["session_id"], one["peer"], mint))

    def _knows(self, session_id: str) -> bool:
        return session_id in self._open or session_id in self._ended_here

    def opened(self, session: Session) -> None:
        self._host.tell(SessionOpened(session))
        if session.offered:
            self.incoming.push(session)
        if self._dial is not None:
            self._directs[session.id] = self._dial(session)

    def ended(self, session: Session) -> None:
        self._open.pop(session.id, None)
        self._ended_here.add(session.id)
        direct = self._directs.pop(session.id, None)
        if direct is not None:
            direct.stop(_normal_closure, "the session has ended")
            self._leaving = [one for one in self._leaving if not one.is_gone]
            self._leaving.append(direct)
        # One that nobody asked for, and that left nothing to read, need not be kept for a reader.
        if not session.has_unread:
            self.incoming.remove(session)
        if session.ended is not None:
            self._host.tell(SessionClosed(session, session.ended.reason, session.ended.error))

    def renew(self, reason: str) -> None:
        """Makes their direct connections anew."""
        for connection in list(self._directs.values()):
            connection.renew(reason)

    def stop(self, error: AgentworksError) -> None:
        """The agent is over, and they with it."""
        for session in list(self):
            session.stop(error)

    async def wait_closed(self) -> None:
        """Until the direct connections that are over are gone."""
        for connection in self._leaving:
            await connection.wait_closed()
        self._leaving = []
