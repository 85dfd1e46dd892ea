"""Names on the wire: their shapes, and UUIDv7 made of time and dice that the caller brings (the core has neither)."""

from __future__ import annotations

import re

_agent_id = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}").fullmatch
_capability_name = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}").fullmatch
_uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}").fullmatch


def is_agent_id(value: object) -> bool:
    """1–64 of lower-case letters, digits, ``.``, ``_``, ``-``; it starts with a letter or digit (E2)."""
    return isinstance(value, str) and _agent_id(value) is not None


def is_capability_name(value: object) -> bool:
    """The same alphabet, up to 128 characters (E2)."""
    return isinstance(value, str) and _capability_name(value) is not None


def is_uuid(value: object) -> bool:
    """A lower-case UUID, version 7 for preference (E2)."""
    return isinstance(value, str) and _uuid(value) is not None


def uuidv7(now_ms: int, dice: int) -> str:
    """UUIDv7 (RFC 9562 §5.7).

    :param now_ms: milliseconds since the epoch
    :param dice: at least 74 random bits
    """
    tail = f"{0x8000 | (dice >> 48) & 0x3FFF:04x}-{dice & 0xFFFFFFFFFFFF:012x}"
    return f"{(now_ms >> 16) & 0xFFFFFFFF:08x}-{now_ms & 0xFFFF:04x}-{0x7000 | (dice >> 62) & 0xFFF:04x}-{tail}"
