"""The messages of a session on their way to the application: each keeps its place in the inbox until a reader takes
it."""

from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, Optional

from .channel import Channel
from .inbox import Inbox, Slot
from .protocol.envelope import Envelope


class Message(Slot):
    """One message, as the peer sent it."""

    __slots__ = ("content", "id", "timestamp", "redelivered")

    def __init__(self, envelope: Envelope, redelivered: bool) -> None:
        super().__init__(envelope["seq"])
        #: Any JSON.
        self.content: Any = envelope["data"].get("content")
        self.id: str = envelope["id"]
        #: RFC 3339, when the sender said so.
        self.timestamp: Optional[str] = envelope.get("timestamp")
        #: An earlier life of this agent may have taken it already.
        self.redelivered = redelivered

    def __repr__(self) -> str:
        return f"Message(seq={self.seq}, content={self.content!r})"


class Messages:
    """The queue between the inbox and ``session.messages()``."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._loop = asyncio.get_running_loop()
        self._channel: Channel[Message] = Channel(inbox.done, on_leave=self._left)
        self._unwanted = False

    @property
    def has_unread(self) -> bool:
        return self._channel.size > 0

    def read(self) -> AsyncIterator[Message]:
        return self._channel.__aiter__()

    def arrived(self, envelope: Envelope, redelivered: bool) -> None:
        message = Message(envelope, redelivered)
        self._inbox.arrived(message)
        if self._unwanted and self._channel.readers == 0:
            self._inbox.done(message)
        else:
            self._channel.push(message)

    def unwanted(self) -> None:
        """This side closed: what nobody reads now, nobody will. Otherwise the session would wait for a reader to
        end."""
        self._unwanted = True
        self._discard()

    def _discard(self) -> None:
        if self._unwanted and self._channel.readers == 0:
            self._channel.discard()

    def _left(self) -> None:
        """A reader leaves. What it did not read is looked at in the loop's own thread, and once it is gone."""
        try:
            self._loop.call_soon_threadsafe(self._discard)
        except RuntimeError:
            pass  # The loop has ended, and the session with it.

    def end(self, error: Optional[BaseException] = None) -> None:
        """No more will come; what is there can be read. Then readers end, or raise ``error``."""
        self._channel.end(error)
