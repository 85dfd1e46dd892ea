"""The envelopes: the shape of each type that the broker may send (PROTOCOL, Types), and names for the parts that
programs see.

An envelope is the ``dict`` that its line said: members that are not known stay in it and are never looked at (E4).
"""

from __future__ import annotations

import re
from calendar import monthrange
from typing import Any, Callable, Dict, Mapping, TypedDict

from .ids import is_agent_id, is_capability_name, is_uuid
from .types import DELIVERED_TASK_STATUSES, RESUME_OUTCOMES, SESSION_STATES, WORK_TYPES

#: One parsed envelope. Its values are judged once, by ``fits``, when it arrives.
Envelope = Dict[str, Any]


class _Named(TypedDict):
    name: str


class Capability(_Named, total=False):
    """What an agent can do (R6)."""

    version: str
    description: str
    input_schema: Dict[str, Any]
    output_schema: Dict[str, Any]
    max_concurrency: int


class ListedAgent(TypedDict):
    """One agent, as AGENT_LIST tells it (R5)."""

    agent: str
    connected: bool
    capabilities: "list[Capability]"


class _TaskErrorSaid(TypedDict):
    reason: str
    message: str


class TaskError(_TaskErrorSaid, total=False):
    """Why a task failed, in the performer's words: ``reason`` ≤ 128 characters, ``message`` ≤ 8192."""

    retryable: bool


Check = Callable[[Any], bool]


def _anything(_: object) -> bool:
    return True


def _flag(value: object) -> bool:
    return value is True or value is False


#: Beyond it an IEEE double is not exact.
_exact_max = 2**53 - 1


def is_count(value: object) -> bool:
    """A whole number that is not negative, and exact in JSON."""
    if type(value) is int:
        return 0 <= value <= _exact_max
    return type(value) is float and value.is_integer() and 0 <= value <= _exact_max


def _position(value: object) -> bool:
    return is_count(value) and value != 0


def _number(value: object) -> bool:
    return type(value) is int or type(value) is float


def _text(chars_max: int = 1 << 30) -> Check:
    return lambda value: isinstance(value, str) and len(value) <= chars_max


def _one_of(values: "frozenset[str]") -> Check:
    return lambda value: isinstance(value, str) and value in values


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _map_of(check: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _shape(members: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    """An object with all of ``members``, and ``optional`` ones that fit where they are there."""
    checks = {**members, **optional}
    required = frozenset(members)

    def fits(value: object) -> bool:
        if not isinstance(value, dict) or not required <= value.keys():
            return False
        for name, member in value.items():
            check = checks.get(name)
            if check is not None and not check(member):
                return False
        return True

    return fits


#: RFC 3339 with an offset.
_rfc3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
).fullmatch


def _date_time(value: object) -> bool:
    said = _rfc3339(value) if isinstance(value, str) else None
    if said is None:
        return False
    year, month, day = map(int, said.groups())
    return 1 <= month <= 12 and 1 <= day <= monthrange(year or 4, month)[1]


_short = _text(1024)
_epoch = _text(64)
_header: Dict[str, Check] = {
    "from": is_agent_id,
    "to": is_agent_id,
    "in_reply_to": is_uuid,
    "timestamp": _date_time,
    "traceparent": _text(128),
}
_capability = _shape(
    {"name": is_capability_name},
    {
        "version": _text(64),
        "description": _short,
        "input_schema": _map_of(_anything),
        "output_schema": _map_of(_anything),
        "max_concurrency": lambda value: _position(value) and value <= 10_000,
    },
)
_capabilities = _list_of(_capability)
_task_error = _shape({"reason": _text(128), "message": _text(8192)}, {"retryable": _flag})
_fault = _shape(
    {"code": _text(), "reason": _text(), "detail": _text(), "retryable": _flag, "processed": _text(), "scope": _text()},
    {},
)


def _own(data: "Check | None", more: "Mapping[str, Check] | None" = None) -> Check:
    """An envelope of the connection, or with ``more`` of a session; ``data`` may be left out where it is None."""
    members: Dict[str, Check] = {"id": is_uuid, **(more or {}), **({} if data is None else {"data": data})}
    return _shape(members, {**_header, "ack": is_count})


def _work(data: Check) -> Check:
    return _own(data, {"session_id": is_uuid, "seq": _position})


def _session(data: Check, more: "Mapping[str, Check] | None" = None) -> Check:
    return _own(data, {"session_id": is_uuid, **(more or {})})


_advice = _shape({}, {**_header, "id": is_uuid, "session_id": is_uuid, "ack": is_count})

_shapes: Dict[str, Check] = {
    "MESSAGE": _work(_shape({"content": _anything}, {})),
    "TASK_REQUEST": _work(
        _shape(
            {"task_id": is_uuid, "capability": is_capability_name, "input": _anything},
            {"deadline": _date_time, "redelivered": lambda value: value is True},
        )
    ),
    "TASK_PROGRESS": _work(_shape({"task_id": is_uuid, "progress": _anything}, {})),
    "TASK_RESPONSE": _work(
        _shape({"task_id": is_uuid, "status": _one_of(DELIVERED_TASK_STATUSES)}, {"error": _task_error})
    ),
    "TASK_CANCEL": _work(_shape({"task_id": is_uuid}, {"reason": _short})),
    "SESSION_CLOSE": _shape(
        {"id": is_uuid, "session_id": is_uuid, "seq": _position},
        {**_header, "ack": is_count, "data": _shape({}, {"reason": _short})},
    ),
    "MESSAGE_ACK": _shape(
        {"session_id": is_uuid, "ack": is_count},
        {**_header, "id": is_uuid, "limit": is_count, "data": _shape({}, {"delivered": is_count})},
    ),
    "PAUSE": _advice,
    "RESUME": _advice,
    "HEARTBEAT_ACK": _anything,
    "REGISTER_ACK": _own(
        _shape(
            {
                "agent": is_agent_id,
                "account": _text(),
                "limits": _map_of(_number),
                "heartbeat_ms": _position,
                "sessions": _list_of(_shape({"session_id": is_uuid, "peer": is_agent_id}, {})),
            },
            {},
        )
    ),
    "CAPABILITY_ACK": _own(_shape({"capabilities": _list_of(is_capability_name)}, {})),
    "AGENT_LIST": _own(
        _shape(
            {"agents": _list_of(_shape({"agent": is_agent_id, "connected": _flag, "capabilities": _capabilities}, {}))},
            {"next": _text()},
        )
    ),
    "GOAWAY": _own(_shape({"reason": _short}, {})),
    "ERROR": _shape({"data": _fault}, {**_header, "id": is_uuid, "session_id": is_uuid}),
    "SESSION_INIT": _session(
        _shape({"capabilities": _capabilities}, {"capability": is_capability_name}), {"from": is_agent_id}
    ),
    "SESSION_ACCEPT": _session(
        _shape({"epoch": _epoch, "peer": is_agent_id, "capabilities": _capabilities}, {}), {"limit": is_count}
    ),
    "SESSION_REJECT": _session(_fault),
    "SESSION_RESUMED": _session(
        _shape(
            {"outcome": _one_of(RESUME_OUTCOMES), "received": is_count, "delivered": is_count},
            {
                "epoch": _epoch,
                "state": _one_of(SESSION_STATES),
                "taken": is_count,
                "sent": is_count,
                "requested": _list_of(is_uuid),
            },
        ),
        {"limit": is_count},
    ),
    "SESSION_CLOSED": _session(
        _shape({"state": _one_of(SESSION_STATES), "received": is_count, "delivered": is_count}, {})
    ),
}


def is_known(kind: object) -> bool:
    """Whether the broker has such a type."""
    return isinstance(kind, str) and kind in _shapes


def fits(envelope: Envelope) -> bool:
    """Whether an envelope of a known type has the members that its type must have, each of its kind."""
    return _shapes[envelope["type"]](envelope)


def is_capability(value: object) -> bool:
    """Whether an agent may announce it (R6)."""
    return _capability(value)


def is_delivered(envelope: Envelope) -> bool:
    """Whether it is work: it has a ``seq`` of its stream."""
    return envelope["type"] in WORK_TYPES
