"""When a connection says HEARTBEAT, and when it is given up (H2): clocks only, no socket. What the client sent is what
proves to the broker that it lives, and what it hears proves that the broker does."""

from __future__ import annotations

import asyncio
from typing import Callable, NamedTuple, Optional

from .protocol.limits import ACK_STALL_MS, DELIVERY_STALL_MS, HEARTBEAT_INTERVAL_MS, HEARTBEAT_TIMEOUT_MS


class Timing(NamedTuple):
    """The clocks of a client; tests bring shorter ones."""

    heartbeat_interval_ms: float = HEARTBEAT_INTERVAL_MS
    heartbeat_timeout_ms: float = HEARTBEAT_TIMEOUT_MS
    ack_stall_ms: float = ACK_STALL_MS
    delivery_stall_ms: float = DELIVERY_STALL_MS


class Heartbeat:
    """:param beat: sends a heartbeat
    :param give_up: is called once, and last"""

    def __init__(self, timing: Timing, beat: Callable[[], None], give_up: Callable[[], None]) -> None:
        self._interval = timing.heartbeat_interval_ms / 1000
        self._timeout = timing.heartbeat_timeout_ms / 1000
        self._beat = beat
        self._give_up = give_up
        self._loop = asyncio.get_running_loop()
        self._sent_at = 0.0
        self._heard_at = 0.0
        #: A heartbeat went out since something was heard.
        self._asked = False
        self._timer: Optional[asyncio.TimerHandle] = None

    def start(self) -> None:
        """The connection is up."""
        self.sent()
        self.heard()
        self._watch()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def sent(self) -> None:
        self._sent_at = self._loop.time()

    def heard(self) -> None:
        self._heard_at = self._loop.time()
        self._asked = False

    def _watch(self) -> None:
        now = self._loop.time()
        if now - self._heard_at >= self._timeout:
            return self._give_up()
        unheard = not self._asked and now - self._heard_at >= self._interval
        if unheard or now - self._sent_at >= self._interval:
            self._beat()
            self.sent()
            self._asked = True
        beat_at = (self._sent_at if self._asked else min(self._sent_at, self._heard_at)) + self._interval
        next_at = min(beat_at, self._heard_at + self._timeout)
        self._timer = self._loop.call_later(max(0.001, next_at - now), self._watch)
