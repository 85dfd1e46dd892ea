"""Whether a session gets through to the broker, and whether its peer may get through to it: small states that say when
to attach again, when not to send yet, and when to say PAUSE. Attaching and sending are the session's."""

from __future__ import annotations

import asyncio
from typing import Callable, Optional

from .backoff import Backoff, backoff_ms


class Stall:
    """L15, L28: notices when what waits for an answer has not moved for too long."""

    __slots__ = ("_mark", "_since_ms")

    def __init__(self) -> None:
        self._mark: Optional[str] = None
        self._since_ms = 0.0

    def is_stalled(self, mark: Optional[str], now_ms: float, stall_ms: float) -> bool:
        """Whether the same has been waited for since ``stall_ms``; the clock then starts again.

        :param mark: names what is waited for; None: nothing
        """
        stalled = mark is not None and mark == self._mark and now_ms - self._since_ms >= stall_ms
        if stalled or mark != self._mark:
            self._since_ms = now_ms
        self._mark = mark
        return stalled


class Hold:
    """Holds a session's lines back after its relay failed: not again at once, and ever less often."""

    __slots__ = ("_failures", "_timer")

    def __init__(self) -> None:
        self._failures = 0
        self._timer: Optional[asyncio.TimerHandle] = None

    @property
    def is_held(self) -> bool:
        return self._timer is not None

    def hold(self, random: float, released: Callable[[], None]) -> None:
        """:param released: is told when lines may go again"""
        if self._timer is not None:
            return

        def release() -> None:
            self._timer = None
            released()

        delay_ms = backoff_ms(Backoff(), self._failures, random)
        self._failures += 1
        self._timer = asyncio.get_running_loop().call_later(delay_ms / 1000, release)

    def release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def healed(self) -> None:
        """It works again."""
        self._failures = 0


class Pausing:
    """PAUSE and RESUME as the application wishes: said once, and again after an attachment, which starts without."""

    __slots__ = ("_wanted", "_unsaid")

    def __init__(self) -> None:
        self._wanted = False
        self._unsaid = False

    def want(self, paused: bool) -> None:
        if self._wanted != paused:
            self._wanted = paused
            self._unsaid = True

    def attached(self) -> None:
        self._unsaid = self._wanted

    def take(self) -> Optional[str]:
        """The type of what is to be said now, once."""
        if not self._unsaid:
            return None
        self._unsaid = False
        return "PAUSE" if self._wanted else "RESUME"
