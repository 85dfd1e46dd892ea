"""Names for envelopes, sessions and tasks: UUIDv7 of the clock and of the system's dice, drawn by the hundred."""

from __future__ import annotations

import os
import time
from typing import List

from .protocol.ids import uuidv7

_step = 10
_pool: List[int] = []


def mint() -> str:
    """A fresh UUIDv7."""
    try:
        dice = _pool.pop()
    except IndexError:
        drawn = os.urandom(_step * 256)
        _pool.extend(int.from_bytes(drawn[at : at + _step], "big") for at in range(_step, len(drawn), _step))
        dice = int.from_bytes(drawn[:_step], "big")
    return uuidv7(time.time_ns() // 1_000_000, dice)


# A child of fork would otherwise draw what its parent draws.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.clear)
