"""When a certificate is renewed, and how: at two thirds of its life, with a new key, asked for by the present
certificate. What the agent does with the new one is its own business."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Optional
from urllib.parse import SplitResult, quote

from ..credentials import Credentials
from ..error import AgentworksError, client_error
from .asking import ask
from .renewing import RenewalEvents, Renewing
from .files import Identity, IdentityFiles, read_pair, try_files, write_identity
from .signing_request import Facts, facts_of, is_pair, make_key_and_request

#: Machines sleep: a long wait is looked at again.
_look_again_s_max = 60.0 * 60
#: A fleet that was made at one time does not come at one time.
_spread = 1 / 20
#: By how much the clocks of agents and CAs may differ.
_clock_skew = timedelta(minutes=5)


def renewal_time(certificate: Facts, random: float) -> float:
    """When to renew, seconds since the epoch: at two thirds of the certificate's life, a little later by the dice.

    :param random: in [0, 1)
    """
    life = certificate.not_after - certificate.not_before
    return certificate.not_before.timestamp() + life.total_seconds() * (2 / 3 + _spread * random)


def _retry_s(left_s: float) -> float:
    """How long to wait after a failure: a part of what is left, but neither a storm nor a day."""
    return min(_look_again_s_max, max(1.0, left_s / 20))


def judge_answer(
    answer: Any, agent: str, key: str, present: Facts, now: datetime, password: Optional[str] = None
) -> str:
    """The certificate (PEM) of an answer. Raises renewal_failed where it is not the one that was asked for, or not of
    use."""

    def refuse(why: str) -> AgentworksError:
        detail = f"The broker's answer cannot be used: {why}. The present certificate goes on."
        return client_error("renewal_failed", detail)

    said = answer if isinstance(answer, dict) else {}
    certificate = said.get("certificate")
    if not isinstance(certificate, str):
        raise refuse("it has no certificate")
    if said.get("agent_id") != agent:
        raise refuse(f"the certificate is for {said.get('agent_id')}")
    try:
        facts = facts_of(certificate)
    except ValueError:
        raise refuse("the certificate cannot be read") from None
    if not is_pair(certificate, key, password):
        raise refuse("the certificate is for another key")
    if facts.not_after <= present.not_after:
        raise refuse("the certificate does not last longer than the present one")
    if facts.not_before > now + _clock_skew:
        raise refuse("the certificate is not valid yet")
    return certificate


class Renewal(Renewing):
    """Keeps the certificate of one agent young for as long as it is not stopped."""

    def __init__(
        self, url: SplitResult, files: IdentityFiles, credentials: Credentials, random: Callable[[], float]
    ) -> None:
        """
        :param url: of the broker, ``wss://…``
        :param credentials: the present ones, which are replaced
        """
        self._url = url
        self._files = files
        self._credentials = credentials
        self._random = random
        self._running: Optional["asyncio.Task[None]"] = None

    def start(self, agent: str, events: RenewalEvents) -> None:
        """Begins, once it is known who this is; a second call changes nothing."""
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run(agent, events))

    def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()

    async def wait_stopped(self) -> None:
        """After ``stop``: nothing of it is left then."""
        if self._running is not None:
            await asyncio.wait({self._running})

    @property
    def _present(self) -> Facts:
        return facts_of(self._credentials.certificate)

    async def _run(self, agent: str, events: RenewalEvents) -> None:
        due = renewal_time(self._present, self._random())
        while True:
            await _until(due)
            try:
                self._credentials.use(*await self._obtain(agent))
            except AgentworksError as error:
                due = time.time() + _retry_s(self._present.not_after.timestamp() - time.time())
                events.renewal_failed(error)
            else:
                due = renewal_time(self._present, self._random())
                events.renewed(self._present.not_after)

    async def _obtain(self, agent: str) -> Identity:
        found = self._find_renewed()
        return await self._ask(agent) if found is None else found

    def _find_renewed(self) -> Optional[Identity]:
        """The files hold a newer certificate of this agent: another process has renewed it."""
        pair = read_pair(self._files)
        if pair is None:
            return None
        its, present = facts_of(pair.certificate), self._present
        return pair if its.common_name == present.common_name and its.not_after > present.not_after else None

    async def _ask(self, agent: str) -> Identity:
        password = self._files.key_password
        # An issuer that goes by the names of requests says the same again.
        key, csr = make_key_and_request(self._present.common_name or agent, password)
        try:
            try_files(self._files, key)
        except OSError as error:
            raise client_error("renewal_failed", cause=error)
        url = self._url._replace(path=f"/v1/agents/{quote(agent, safe='')}/certificates")
        answer = await ask(url, self._credentials.tls, {"csr": csr})
        now = datetime.now(timezone.utc)
        identity = Identity(judge_answer(answer, agent, key, self._present, now, password), key)
        try:
            write_identity(self._files, identity)
        except OSError as error:
            raise client_error("renewal_failed", cause=error)
        return identity


async def _until(due: float) -> None:
    """The clock on the wall says so."""
    while (left := due - time.time()) > 0:
        await asyncio.sleep(min(left, _look_again_s_max))
