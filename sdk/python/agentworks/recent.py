"""The newest names of a kind, and no more of them than a bound: a memory that cannot grow."""

from __future__ import annotations

from typing import Dict


class Recent:
    """:param size_max: how many are remembered; the oldest are forgotten first"""

    def __init__(self, size_max: int) -> None:
        self._names: Dict[str, None] = {}
        self._size_max = size_max

    def add(self, name: str) -> None:
        self._names[name] = None
        if len(self._names) > self._size_max:
            del self._names[next(iter(self._names))]

    def __contains__(self, name: str) -> bool:
        return name in self._names
