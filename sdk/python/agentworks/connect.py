"""The one way in: checks what the caller gave, reads what is in files, and waits until the broker knows the agent."""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING, Optional, Union
from urllib.parse import SplitResult, urlsplit

from .agent import Agent
from .backoff import Backoff
from .connection import ConnectionOptions
from .certificates.renewing import Renewing
from .credentials import Credentials, Pem, is_path
from .error import client_error
from .heartbeat import Timing
from .journal import Journal
from .live_agent import AgentSetup, LiveAgent
from .offers import Accept

if TYPE_CHECKING:
    from .certificates.files import IdentityFiles


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


def _settled(certificate: Pem, key: Pem, key_password: Optional[str]) -> IdentityFiles:
    """The files that are renewed, put right where an earlier renewal was cut short."""
    if not (is_path(certificate) and is_path(key)):
        raise client_error(
            "invalid_argument",
            "Give `certificate` and `key` as paths of files: `renew` writes the new certificate there.",
        )
    try:
        from .certificates.files import IdentityFiles, settle_identity
    except ImportError as error:
        raise client_error(
            "invalid_argument",
            "`renew` needs the package cryptography 38 or newer: python3 -m pip install cryptography (Debian: apt-get "
            "install python3-cryptography).",
            error,
        )
    files = IdentityFiles(os.fsdecode(certificate), os.fsdecode(key), key_password)
    settle_identity(files)
    return files


def _renewal(files: IdentityFiles, options: ConnectionOptions) -> Renewing:
    from .certificates.renewal import Renewal

    return Renewal(options.url, files, options.credentials, options.random)


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
    journal: "Optional[Union[str, os.PathLike[str]]]" = None,
    renew: bool = False,
    accept: Optional[Accept] = None,
    timeout_ms: Optional[float] = None,
    timing: Timing = Timing(),
) -> Agent:
    """Connects an agent over mutual TLS. Returns when the broker has registered it, and keeps it connected from then
    on.

    A broker that is not there yet is waited for: ``timeout_ms`` bounds that, and so does cancelling.

    :param url: the broker, ``wss://host:port``
    :param certificate: the agent's certificate: the path of a PEM file, or PEM itself
    :param key: its private key, likewise
    :param ca: the CA that signed the broker's certificate, likewise; without one, the system's CAs are trusted
    :param key_password: of a key that is encrypted
    :param direct: gives each session a WebSocket of its own, one hop fewer: for few, busy sessions
    :param reconnect: bounds of the random waits between attempts; False: the first loss is final
    :param recover: goes on with the sessions that an earlier life of this agent left open: they come out of
        ``sessions()``, and their open tasks go to the handlers again. Register handlers right after ``connect``
    :param journal: path of a file in which this program remembers its sessions, so that a program that died and starts
        again with the same file loses and repeats nothing: what it had sent is sent, once; a message that it had taken
        does not come again; a task whose handler had ended does not run again, and one whose handler had not runs
        again, with ``redelivered``. The file is made (mode 0600) when it is not there; its folder must be. One file for
        each agent, and the same one in each of its lives. It is handed to the operating system, not forced to the disk:
        it survives the death of the process, not that of the machine. When it cannot be written any more the agent ends
        with journal_failed
    :param renew: renews the certificate at two thirds of its life, by itself, with a new key: the files ``certificate``
        and ``key`` are replaced (mode 0600), and the connection is made anew once; sessions go on. The present one stays
        valid until its end. Needs the package ``cryptography``
    :param accept: judges an offered session: True accepts, False or a string that says why rejects. Without one every
        offer of the account's agents is accepted
    :param timing: the clocks of the heartbeat, for tests

    Raises AgentworksError when it is refused for good: certificate_required, certificate_untrusted,
    certificate_expired, certificate_not_yet_valid, certificate_revoked, certificate_unknown, agent_suspended,
    subprotocol_required, broker_untrusted, invalid_argument, journal_damaged, journal_mismatch, journal_failed; aborted
    when ``timeout_ms`` passed.
    """
    bounds = Backoff() if reconnect is True else None if reconnect is False else reconnect
    if renew and bounds is None:
        raise client_error(
            "invalid_argument", "`renew` makes the connection anew with each certificate: leave `reconnect` on."
        )
    parsed = _connect_url(url)
    files = _settled(certificate, key, key_password) if renew else None
    credentials = Credentials(certificate, key, ca, key_password)
    options = ConnectionOptions(parsed, credentials, timing, bounds, random.random)
    if journal is not None and not recover:
        raise client_error("invalid_argument", "A journal is for going on with earlier sessions: leave `recover` true.")
    renewal = None if files is None else _renewal(files, options)
    kept = None if journal is None else Journal(journal)
    live = LiveAgent(AgentSetup(options, direct, recover, accept, kept, renewal))
    try:
        await asyncio.wait_for(_registered(live), None if timeout_ms is None else timeout_ms / 1000)
        return Agent(live)
    except asyncio.TimeoutError:
        why = "" if live.failure is None else f" The latest attempt failed: {live.failure.detail}"
        cause = live.failure
        await live.close()
        raise client_error("aborted", f"No broker answered within {timeout_ms} ms.{why}", cause) from cause
    except BaseException:
        await live.close()
        raise


async def _registered(live: LiveAgent) -> None:
    await live.registered
