"""How a session closes, from either side: what this side says last and when that is stored, and that the peer's close
counts as taken only once nothing of this side's is on its way (N8). What stops with it, handlers and readers, is the
session's to say."""

from __future__ import annotations

import asyncio
from typing import Awaitable, Optional, Tuple

from .error import AgentworksError, wire_error
from .inbox import Inbox, Slot
from .outgoing import Outgoing


class SessionClose:
    """The close of one session."""

    def __init__(self, outgoing: Outgoing, inbox: Inbox) -> None:
        self._outgoing = outgoing
        self._inbox = inbox
        #: This side closes: the reason, and what awaits that it is stored.
        self._own: Optional[Tuple[str, Awaitable[None]]] = None
        #: The peer closed, and has nothing more to say.
        self._peers: Optional[Tuple[str, Slot]] = None

    @property
    def reason(self) -> str:
        """Why the session ends, when nothing else ends it."""
        if self._peers is not None:
            return self._peers[0]
        return "closed" if self._own is None else self._own[0]

    @property
    def stored(self) -> Optional[Awaitable[None]]:
        """Awaits that all that this side has said is stored; None while this side does not close. It never waits for
        the peer, which may be gone for good: the session ends when both have everything, whoever is there to see
        it."""
        return None if self._own is None else self._own[1]

    @property
    def is_done(self) -> bool:
        """This side has closed, and all that it said is stored: nothing that comes can make a failure of that."""
        return self._own is not None and self._outgoing.is_shut and self._outgoing.is_stored

    def say(self, reason: str, known: Optional[Awaitable[None]]) -> Awaitable[None]:
        """This side closes.

        :param known: awaits that it is known where the stream stands, as it is not of a session that is not open yet,
            or was an earlier life's; None: it is known
        :returns: ``stored``
        """
        stored = self._say_last(reason) if known is None else asyncio.ensure_future(self._say_when(known, reason))
        self._own = (reason, stored)
        return stored

    def _say_last(self, reason: str) -> Awaitable[None]:
        # After the peer's close, or an earlier life's, ours has nothing to add.
        if self._outgoing.is_shut:
            return self._outgoing.stored()
        return self._outgoing.close(reason)

    async def _say_when(self, known: Awaitable[None], reason: str) -> None:
        try:
            await known
            await self._say_last(reason)
        except AgentworksError:
            pass  # Why it failed is in `closed`.

    def recall(self, reason: str) -> None:
        """An earlier life of this program had closed it, or had heard the peer's close."""
        self._own = (reason, self._outgoing.stored())
        self._outgoing.shut(wire_error("session_closed"))

    def hear(self, reason: str, slot: Slot) -> None:
        """The peer closes. What is still queued goes first: once its close is acknowledged, this side has no more to
        say."""
        self._peers = (reason, slot)
        self._outgoing.shut(wire_error("session_closed"))

    def settle(self) -> None:
        """Takes the peer's close as soon as that may be: after it was heard, and after each receipt."""
        if self._peers is not None and self._outgoing.is_stored:
            self._inbox.done(self._peers[1])
