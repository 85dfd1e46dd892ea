"""The one way in: checks what the caller gave, reads what is in files, and waits until the broker knows the agent."""

from __future__ import annotations

import asyncio
import random
from typing import Optional, Union
from urllib.parse import SplitResult, urlsplit

from .agent import Agent, AgentSetup
from .backoff import Backoff
from .connection import ConnectionOptions
from .credentials import Pem, tls_context
from .error import client_error
from .heartbeat import Timing
from .offers import Accept


def _connect_url(url: str) -> SplitResult:
    try:
        parsed = urlsplit(url)
        parsed.port  # noqa: B018  (reading it is what checks it)
    except ValueError as error:
        raise client_error("invalid_argument", f"{url!r} is no URL: {error}.", error)
    if parsed.scheme != "wss":
        raise client_error("invalid_argument", "`url` begins with wss: mutual TLS is mandatory.")
    if not parsed.hostname:
        raise client_error("invalid_argument", f"{url!r} names no host.")
    return SplitResult("wss", parsed.netloc, "/v1/connect", "", "")


async def connect(
    *,
    url: str,
    certificate: Pem,
    key: Pem,
    ca: Optional[Pem] = None,
    key_password: Optional[str] = None,
    direct: bool = False,
    reconnect: Union[Backoff, bool] = True,
    recover: bool = True,
    accept: Optional[Accept] = None,
    timeout_ms: Optional[float] = None,
    timing: Timing = Timing(),
) -> Agent:
    """Connects an agent over mutual TLS. Returns when the broker has registered it, and keeps it connected from then on.

    A broker that is not there yet is waited for: ``timeout_ms`` bounds that, and so does cancelling.

    :param url: the broker, ``wss://host:port``
    :param certificate: the agent's certificate: the path of a PEM file, or PEM itself
    :param key: its private key, likewise
    :param ca: the CA that signed the broker's certificate, likewise; without one, the system's CAs are trusted
    :param key_password: of a key that is encrypted
    :param direct: gives each session a WebSocket of its own, one hop fewer: for few, busy sessions
    :param reconnect: bounds of the random waits between attempts; False: the first loss is final
    :param recover: goes on with the sessions that an earlier life of this agent left open: they come out of ``sessions()``, and their open
        tasks go to the handlers again. Register handlers right after ``connect``
    :param accept: judges an offered session: True accepts, False or a string that says why rejects. Without one every offer of the account's
        agents is accepted
    :param timing: the clocks of the heartbeat, for tests

    Raises AgentworksError when it is refused for good: certificate_required, certificate_untrusted, certificate_expired,
    certificate_not_yet_valid, certificate_revoked, certificate_unknown, agent_suspended, subprotocol_required, broker_untrusted,
    invalid_argument; aborted when ``timeout_ms`` passed.
    """
    bounds = Backoff() if reconnect is True else None if reconnect is False else reconnect
    tls = tls_context(certificate, key, ca, key_password)
    options = ConnectionOptions(_connect_url(url), tls, timing, bounds, random.random)
    agent = Agent(AgentSetup(options, direct, recover, accept))
    try:
        await asyncio.wait_for(_registered(agent), None if timeout_ms is None else timeout_ms / 1000)
        return agent
    except asyncio.TimeoutError:
        why = "" if agent.failure is None else f" The latest attempt failed: {agent.failure.detail}"
        cause = agent.failure
        await agent.close()
        raise client_error("aborted", f"No broker answered within {timeout_ms} ms.{why}", cause) from cause
    except BaseException:
        await agent.close()
        raise


async def _registered(agent: Agent) -> None:
    await agent.registered
