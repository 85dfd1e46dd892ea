"""What an application hands over, as JSON text that the broker will take: judged here, before it costs a ``seq``.
Pure."""

from __future__ import annotations

import re
from typing import Optional

from .error import client_error, text_of, wire_error
from .protocol.codec import deeper_than, encode, utf8_length
from .protocol.limits import DEPTH_MAX, ENVELOPE_BYTES_MAX

#: Kept free for what is around the content: the longest heads, of a TASK_REQUEST with a deadline and of a SESSION_INIT,
#: have some 400.
_header_bytes = 512
_room = ENVELOPE_BYTES_MAX - _header_bytes
#: The envelope and its ``data`` are two of the levels.
_levels_max = DEPTH_MAX - 2
_long_number = re.compile(r"[0-9]{16}").search


def _is_double(value: int) -> bool:
    """Whether it stays what it is at the other end, where all numbers are IEEE doubles (E4)."""
    try:
        return int(float(value)) == value
    except OverflowError:
        return False


def _inexact(value: object) -> Optional[int]:
    """An integer in it that the other end would read as another."""
    if isinstance(value, int):
        return None if _is_double(value) else value
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return next((found for found in map(_inexact, items) if found is not None), None)


def json_of(value: object) -> str:
    """The JSON text of one value.

    Raises AgentworksError: invalid_argument (JSON cannot say it, or an integer is none that a double holds), envelope_too_large
    (beyond 256 KiB, a little less is the envelope's own), too_deep (nested beyond what an envelope may).
    """
    try:
        text = encode(value)
    except RecursionError:
        raise wire_error("too_deep") from None
    except Exception as error:  # A program's own dict may raise whatever it likes.
        detail = f"The content cannot be written as JSON: {text_of(error)}."
        raise client_error("invalid_argument", detail, error) from error
    if len(text) > _room or (len(text) * 4 > _room and utf8_length(text) > _room):
        raise wire_error("envelope_too_large")
    if text[0] in "{[" and text.count("[") + text.count("{") > _levels_max and deeper_than(value, _levels_max):
        raise wire_error("too_deep")
    if _long_number(text) is not None:
        inexact = _inexact(value)
        if inexact is not None:
            raise client_error(
                "invalid_argument",
                f"{inexact} would be another number at the other end, where numbers are doubles. Send it as a string.",
            )
    return text
