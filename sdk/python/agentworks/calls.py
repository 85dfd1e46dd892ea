"""Questions to the broker that are no session's: asked over the connection, answered by ``in_reply_to``, asked again
after a reconnect. They change nothing when repeated."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

from .content import json_of
from .deferred import Deferred
from .error import AgentworksError, client_error, said_error
from .mint import mint
from .protocol.envelope import Envelope, ListedAgent

_page_size = 50


class Calls:
    """:param send: sends one line now, if there is a connection"""

    def __init__(self, send: Callable[[str], None]) -> None:
        self._open: Dict[str, Tuple[str, Deferred[Envelope]]] = {}
        self._send = send
        self._failed: Optional[AgentworksError] = None

    def ask(self, kind: str, data: object, answer: Deferred[Envelope]) -> Deferred[Envelope]:
        """Settles ``answer``: by what the broker answers, by its refusal, or when the agent ends."""
        if self._failed is not None:
            answer.reject(self._failed)
            return answer
        id = mint()
        line = f'{{"type":"{kind}","id":"{id}","data":{json_of(data)}}}'
        self._open[id] = (line, answer)
        self._send(line)
        return answer

    async def list_agents(self, capability: Optional[str]) -> List[ListedAgent]:
        """All agents, or those that announced ``capability``, page by page."""
        found: List[ListedAgent] = []
        data: Dict[str, Any] = {"limit": _page_size, **({} if capability is None else {"capability": capability})}
        while True:
            answer = await self.ask("AGENT_QUERY", data, Deferred())
            if answer["type"] != "AGENT_LIST":
                raise client_error("unreadable", f"AGENT_QUERY was answered by {answer['type']}.")
            found.extend(answer["data"]["agents"])
            if "next" not in answer["data"]:
                return found
            data["cursor"] = answer["data"]["next"]

    @property
    def lines(self) -> List[str]:
        """What is asked and not answered: a new connection asks it again."""
        return [line for line, _ in self._open.values()]

    def answered(self, envelope: Envelope) -> bool:
        """True when the envelope answers a question."""
        asked = envelope.get("in_reply_to")
        if asked not in self._open:
            return False
        _, answer = self._open.pop(asked)
        if envelope["type"] == "ERROR":
            answer.reject(said_error(envelope["data"]))
        else:
            answer.resolve(envelope)
        return True

    def fail(self, error: AgentworksError) -> None:
        """No answer will come any more, to anything."""
        self._failed = error
        calls, self._open = list(self._open.values()), {}
        for _, answer in calls:
            answer.reject(error)
