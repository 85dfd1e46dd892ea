"""What an agent knows of the renewal of its certificate: shapes only, so that who does not renew needs nothing of it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from ..error import AgentworksError


class RenewalEvents(Protocol):
    """What a renewal tells the agent."""

    def renewed(self, not_after: datetime) -> None:
        """The new pair is in its files, and what the next connection is made with."""

    def renewal_failed(self, error: AgentworksError) -> None:
        """It will be tried again while the certificate lasts."""


class Renewing(Protocol):
    """A renewal that can be started and stopped."""

    def start(self, agent: str, events: RenewalEvents) -> None:
        ...

    def stop(self) -> None:
        ...

    async def wait_stopped(self) -> None:
        ...
