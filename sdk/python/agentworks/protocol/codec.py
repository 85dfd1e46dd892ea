"""Text frames to envelopes and back: one JSON object a line (PROTOCOL F). Faults are values; nothing here raises for
bad input."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional, Sequence, Union

from .envelope import Envelope, fits, is_known
from .ids import is_uuid
from .limits import DEPTH_MAX, FRAME_BYTES_MAX, FRAME_ENVELOPES_MAX
from .types import CLIENT_TYPES

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_encode_ascii = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


_decode = json.JSONDecoder(parse_constant=_refuse).decode


class Fault:
    """What is wrong with one line, with the ids that could be read from it."""

    __slots__ = ("reason", "id", "session_id")

    def __init__(self, reason: str, value: Optional[Dict[str, Any]] = None) -> None:
        said = value or {}
        self.reason = reason
        self.id: Optional[str] = said["id"] if is_uuid(said.get("id")) else None
        self.session_id: Optional[str] = said["session_id"] if is_uuid(said.get("session_id")) else None


def encode(value: object) -> str:
    """JSON text without spaces, and never with a raw line break in it.

    Raises ValueError or TypeError for what JSON cannot say, RecursionError for what nests too deep.
    """
    text = _encode(value)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:  # A lone surrogate can be said in JSON, but not in UTF-8.
        return _encode_ascii(value)
    return text


def utf8_length(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def units(text: str) -> int:
    """UTF-16 units: what this protocol's clients count when they fill a frame, each as three bytes at most."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) >> 1


def deeper_than(value: object, levels: int) -> bool:
    """Whether objects and arrays nest deeper than that."""
    if isinstance(value, dict):
        return levels == 0 or any(deeper_than(item, levels - 1) for item in value.values())
    if isinstance(value, (list, tuple)):
        return levels == 0 or any(deeper_than(item, levels - 1) for item in value)
    return False


def decode_broker_line(line: str) -> Union[Envelope, Fault]:
    """One line of the broker's."""
    try:
        value = _decode(line)
    except (ValueError, RecursionError):
        return Fault("invalid_json")
    if not isinstance(value, dict):
        return Fault("invalid_json")
    kind = value.get("type")
    if not is_known(kind):
        return Fault("wrong_direction" if isinstance(kind, str) and kind in CLIENT_TYPES else "unknown_type", value)
    if line.count("{") + line.count("[") > DEPTH_MAX and deeper_than(value, DEPTH_MAX):
        return Fault("too_deep", value)
    if not fits(value):
        return Fault("invalid_envelope", value)
    if kind == "SESSION_CLOSE":
        value.setdefault("data", {})
    return value


def decode_broker_frame(text: str) -> List[Union[Envelope, Fault]]:
    """A frame from the broker. A client trusts its broker to bound it (F7)."""
    return [decode_broker_line(line) for line in text.split("\n")]


def pack_frames(lines: Sequence[str]) -> List[str]:
    """Lines to as few frames as the limits allow (F2, F3)."""
    if len(lines) == 1:
        return [lines[0]]
    frames: List[str] = []
    frame: List[str] = []
    size = 0
    for line in lines:
        more = units(line) * 3 + 1
        if frame and (len(frame) == FRAME_ENVELOPES_MAX or size + more > FRAME_BYTES_MAX):
            frames.append("\n".join(frame))
            frame = []
            size = 0
        frame.append(line)
        size += more
    if frame:
        frames.append("\n".join(frame))
    return frames
