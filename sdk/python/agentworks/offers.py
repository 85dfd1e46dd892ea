"""Opening sessions towards peers, with patience; and judging those that peers offer. Decides; the agent sends."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import Any, Awaitable, Callable, List, NamedTuple, Optional, Union

from .backoff import Backoff, backoff_ms
from .content import json_of
from .error import AgentworksError, client_error
from .mint import mint
from .protocol.client import ClientSession
from .protocol.codec import encode
from .protocol.envelope import Capability, Envelope
from .protocol.ids import is_agent_id, is_capability_name
from .protocol.limits import OFFER_TTL_MS_MAX
from .session import Session

_reason_chars_max = 1024
_patience = Backoff(100, 2_000)


@dataclass(frozen=True)
class Offer:
    """A session that a peer wants to open."""

    #: The session's id.
    id: str
    #: Who wants to open it; proven by its certificate.
    peer: str
    #: What the peer gave to ``open``, unchecked.
    metadata: Any
    capabilities: List[Capability]


#: True accepts; False, or a string that says why, rejects.
Accept = Callable[[Offer], Union[bool, str]]


class Target(NamedTuple):
    """With whom a session is wanted: an agent, or whoever has a capability; and how long the offer waits."""

    peer: Optional[str]
    capability: Optional[str]
    ttl_ms: int


def target_of(peer: Optional[str], capability: Optional[str], wait_ms: float) -> Target:
    """Raises invalid_argument."""
    if (peer is None) == (capability is None):
        raise client_error("invalid_argument", "Name one: an agent, or `capability=` for whoever has it.")
    if not 0 <= wait_ms < math.inf:
        raise client_error("invalid_argument", "`wait_ms` is a number of milliseconds, 0 or more.")
    if peer is not None and not is_agent_id(peer):
        raise client_error("invalid_argument", f"{peer!r} is no id of an agent.")
    if capability is not None and not is_capability_name(capability):
        raise client_error("invalid_argument", f"{capability!r} is no name of a capability.")
    return Target(peer, capability, min(math.ceil(wait_ms), OFFER_TTL_MS_MAX))


async def open_session(
    target: Target,
    metadata: object,
    begin: Callable[[ClientSession], Session],
    random: Callable[[], float],
    leaving: Awaitable[None],
) -> Session:
    """Offers a session, and waits for the answer: the broker keeps the offer for a peer that is away. Only where nobody
    has room for a capability the offer is made anew, until time is up. Cancelled, the session is closed as soon as it
    is accepted.

    :param begin: puts an offer on its way
    :param leaving: raises when the agent begins to leave
    """
    text = None if metadata is None else json_of(metadata)
    clock = asyncio.get_running_loop().time
    deadline = clock() + target.ttl_ms / 1000
    attempt = 0
    while True:
        core = ClientSession.offer(mint(), target.peer, text, mint, capability=target.capability, ttl_ms=target.ttl_ms)
        session = begin(core)
        try:
            await session.opened
            return session
        except asyncio.CancelledError:
            session.abandon(client_error("aborted"))
            raise
        except AgentworksError as error:
            delay_s = backoff_ms(_patience, attempt, random()) / 1000
            if error.reason != "capability_busy" or clock() + delay_s >= deadline:
                raise
        attempt += 1
        try:
            await asyncio.wait_for(leaving, delay_s)
        except asyncio.TimeoutError:
            pass


def judge_offer(offer: Envelope, accept: Optional[Accept], refusal: Optional[str]) -> Union[ClientSession, str]:
    """The answer to an offer: a core that accepts it, or the line that rejects it. Raises what ``accept`` raises.

    :param refusal: why every offer is rejected now
    """
    data = offer["data"]
    asked: Union[bool, str] = refusal or True
    if refusal is None and accept is not None:
        asked = accept(Offer(offer["session_id"], offer["from"], data.get("metadata"), data["capabilities"]))
    if asked is True:
        return ClientSession.accept(offer, mint)
    if not isinstance(asked, (bool, str)):
        raise TypeError(f"`accept` gives True, False or a string, not {asked!r}")
    head = {"type": "SESSION_REJECT", "id": mint(), "session_id": offer["session_id"], "in_reply_to": offer["id"]}
    return encode({**head, "data": {"message": asked[:_reason_chars_max]} if isinstance(asked, str) else {}})
