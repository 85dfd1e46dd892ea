"""How long to wait before the next attempt. Pure: the dice are the caller's."""

from __future__ import annotations

import math
from typing import NamedTuple

from .protocol.limits import RECONNECT_BASE_MS, RECONNECT_MAX_MS


class Backoff(NamedTuple):
    """Upper bounds of the first wait, and of every wait, in milliseconds."""

    base_ms: float = RECONNECT_BASE_MS
    max_ms: float = RECONNECT_MAX_MS


def backoff_ms(bounds: Backoff, attempt: int, random: float) -> int:
    """Full jitter: a random time up to base × 2ⁿ, at most ``max_ms``. A thousand agents that lost one broker do not
    come back at once.

    :param attempt: 0 for the first
    :param random: in [0, 1)
    """
    most: float = min(bounds.max_ms, bounds.base_ms * 2.0 ** min(attempt, 30))
    return math.floor(random * most)
