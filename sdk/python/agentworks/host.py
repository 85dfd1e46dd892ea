"""What a session needs of its agent: the seam between the two, so that neither imports the other's inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Protocol

from .handlers import Handlers
from .journal import Journal
from .statuses import Status

if TYPE_CHECKING:
    from .session import Session


class Host(Protocol):
    """The agent, as its sessions see it."""

    handlers: Handlers
    journal: Optional[Journal]

    def random(self) -> float:
        """In [0, 1)."""

    def wake(self, session: Session) -> None:
        """The session has lines to send."""

    def tell(self, status: Status) -> None:
        ...

    def session_opened(self, session: Session) -> None:
        ...

    def session_ended(self, session: Session) -> None:
        ...
