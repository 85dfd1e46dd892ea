"""An agent as the application holds it. What it does is in ``live_agent``."""

from __future__ import annotations

from types import TracebackType
from typing import Any, AsyncIterator, Awaitable, Callable, Dict, List, Optional, Type, TypeVar, Union, overload

from .deferred import Deferred
from .handlers import Handler
from .live_agent import LiveAgent
from .offers import target_of
from .protocol.envelope import Envelope, ListedAgent
from .session import Session
from .statuses import Status

_H = TypeVar("_H", bound=Handler)


class Agent:
    """One agent, connected. Leaving ``async with agent:`` drains it, or closes it at once when the block raised.

    Not thread-safe: use it in the event loop that it was connected in.
    """

    def __init__(self, live: LiveAgent) -> None:
        self._live = live

    def __repr__(self) -> str:
        return f"<Agent {self.id!r}>"

    @property
    def id(self) -> str:
        """As its certificate says."""
        return self._live.id

    @property
    def account(self) -> str:
        """That it belongs to, as its certificate says."""
        return self._live.account

    @overload
    def handle(
        self,
        capability: str,
        *,
        version: Optional[str] = None,
        description: Optional[str] = None,
        input_schema: Optional[Dict[str, Any]] = None,
        output_schema: Optional[Dict[str, Any]] = None,
        max_concurrency: Optional[int] = None,
    ) -> Callable[[_H], _H]:
        ...

    @overload
    def handle(
        self,
        capability: str,
        handler: Handler,
        *,
        version: Optional[str] = None,
        description: Optional[str] = None,
        input_schema: Optional[Dict[str, Any]] = None,
        output_schema: Optional[Dict[str, Any]] = None,
        max_concurrency: Optional[int] = None,
    ) -> Awaitable[None]:
        ...

    def handle(
        self, capability: str, handler: Optional[Handler] = None, **options: Any
    ) -> Union[Awaitable[None], Callable[[_H], _H]]:
        """Performs tasks: ``@agent.handle("summarize", max_concurrency=4)`` over a function, or
        ``agent.handle("summarize", function)``.

        The handler is ``handler(input, task)`` or ``handler(input)``. What it returns is the result (JSON); what it
        raises fails the task: a ``TaskFailed`` as it is, anything else as reason ``handler_failed`` with its message,
        never with its stack, which goes to the log "agentworks". A coroutine function is cancelled when the requester
        cancels; a plain function runs in a thread of its own, and looks at ``task.cancelled``. ``max_concurrency`` is
        announced and obeyed: further tasks wait for their turn.

        Other agents find it when ``await agent.announced()`` returns, as does awaiting what this gives for a handler.
        Handle right after ``connect``: a task waits 2 seconds for its handler. Raises invalid_argument when the options
        do not fit.
        """
        if handler is not None:
            self._live.handle(capability, handler, options)
            return self.announced()

        def decorate(function: _H) -> _H:
            self._live.handle(capability, function, options)
            return function

        return decorate

    def announced(self) -> Awaitable[None]:
        """Awaits that other agents find everything that is handled so far. Raises the broker's refusal, or why the
        agent has ended."""
        return _Announced(self._live.announced)

    async def open(
        self,
        peer: Optional[str] = None,
        *,
        capability: Optional[str] = None,
        metadata: object = None,
        wait_ms: float = 0,
    ) -> Session:
        """Opens a session with an agent, or with whoever has a capability: the broker picks one that is connected and
        has the most room.

        :param metadata: any JSON, for the peer's ``accept`` to judge
        :param wait_ms: how long the offer waits for the peer's answer, also while the peer is not connected; at most a
            day. With a capability: how long to try again while nobody has room. 0: reject at once when nobody is there

        Raises AgentworksError: agent_offline, agent_unknown, capability_unknown, capability_busy, offer_rejected,
        offer_expired, too_many_offers, too_many_sessions, self_session, invalid_argument, agent_draining, or
        why the agent has ended.
        """
        return await self._live.open(target_of(peer, capability, wait_ms), metadata)

    def sessions(self) -> AsyncIterator[Session]:
        """Sessions that peers opened, or an earlier life of this agent. Each goes to one reader; handlers work whether
        or not anybody reads."""
        return self._live.sessions.incoming.__aiter__()

    async def agents(self, *, capability: Optional[str] = None) -> List[ListedAgent]:
        """All agents of the account, or those that announced ``capability``."""
        return await self._live.calls.list_agents(capability)

    def status(self) -> AsyncIterator[Status]:
        """What happens from now on. A reader that falls 1024 behind loses the oldest."""
        return self._live.statuses.read()

    async def serve_forever(self) -> None:
        """Waits until the agent ends: returns after ``close`` or ``drain``, raises when it was ended, as by
        ``superseded``."""
        error = await self._live.over
        if error.reason != "agent_closed":
            raise error.with_traceback(None)

    async def drain(self) -> None:
        """Leaves in good order: refuses what is new, waits for running handlers, closes every session, waits until
        everything sent is stored, then closes the connection. Waits for the broker as long as it takes, and for no
        peer: an ``open`` that nobody has answered raises agent_draining. The broker keeps its offer all the same, and
        the next life of this agent finds what came of it in ``sessions()``. Not to be awaited by a handler: it would
        wait for itself.
        """
        await self._live.drain()

    async def close(self) -> None:
        """Leaves at once: everything pending raises agent_closed, running handlers are cancelled. When it returns,
        nothing is left."""
        await self._live.close()

    async def __aenter__(self) -> Agent:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await (self.drain() if error is None else self.close())


class _Announced:
    """Awaits the broker's answer to an announcement."""

    def __init__(self, answer: Deferred[Envelope]) -> None:
        self._answer = answer

    def __await__(self) -> Any:
        yield from self._answer.__await__()
