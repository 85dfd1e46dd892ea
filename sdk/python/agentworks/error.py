"""What the SDK raises. Reasons come from the protocol's table; the few that only a client can know are added here, in
one table, with the same fields. No I/O."""

from __future__ import annotations

from typing import Any, Dict, Mapping, NamedTuple, Optional

from .protocol.envelope import TaskError
from .protocol.errors import ERRORS


class _ClientReason(NamedTuple):
    code: str
    retryable: bool
    detail: str


#: What happens only inside a client: never on the wire.
_client_reasons: Dict[str, _ClientReason] = {
    "invalid_argument": _ClientReason(
        "invalid_argument", False, "An argument does not have the shape that this call needs."
    ),
    "resource_exhausted": _ClientReason(
        "resource_exhausted", True, "Too much waits to be stored. Await `session.ready()` before you send more."
    ),
    "connection_failed": _ClientReason("unavailable", True, "The broker cannot be reached."),
    "broker_untrusted": _ClientReason(
        "unauthenticated",
        True,
        "The broker's certificate cannot be verified. Give the CA that signed it as `ca`, and the name that it is for "
        "in `url`.",
    ),
    "unreadable": _ClientReason("internal", False, "The broker sent what this version of the SDK cannot read."),
    "connection_refused": _ClientReason("unavailable", False, "The broker closed the connection for good."),
    "superseded": _ClientReason(
        "failed_precondition",
        False,
        "A newer connection of the same agent took over. Run one process for each agent.",
    ),
    "agent_closed": _ClientReason("failed_precondition", False, "The agent was closed by this program."),
    "agent_draining": _ClientReason("unavailable", True, "The agent is draining: it takes nothing new."),
    "aborted": _ClientReason("failed_precondition", True, "Nobody waits for the answer any more."),
    "renewal_failed": _ClientReason(
        "unavailable",
        True,
        "The new certificate cannot be used or written. The folder of `certificate` and `key` must have room, and be "
        "writable.",
    ),
    "session_expired": _ClientReason(
        "failed_precondition", False, "The session had no work for too long and expired. Open a new one."
    ),
    "session_lost": _ClientReason(
        "failed_precondition",
        False,
        "Broker and client do not agree on what was sent; the session ended so that nothing is lost silently. Open a "
        "new one.",
    ),
    "journal_failed": _ClientReason(
        "unavailable", True, "The journal cannot be read or written. Its folder must exist, and have room."
    ),
    "journal_damaged": _ClientReason(
        "failed_precondition",
        False,
        "The journal has a line that cannot be read. Restore the file, or move it away and go on as without a journal.",
    ),
    "journal_mismatch": _ClientReason(
        "failed_precondition",
        False,
        "The journal is that of another agent. Give each agent a journal of its own.",
    ),
}


class AgentworksError(Exception):
    """Everything that goes wrong, here or at the broker."""

    #: The precise, stable name to branch on: ``agent_offline``, ``certificate_revoked`` … (docs/ERRORS.md).
    reason: str
    #: Its gRPC-style class: ``unavailable``, ``permission_denied`` …
    code: str
    #: What to do about it, for people.
    detail: str
    #: The very same call may succeed later.
    retryable: bool
    #: Whether what was sent took effect: "no", "maybe" or "yes".
    processed: str

    def __init__(self, reason: str, code: str, detail: str, retryable: bool, processed: str = "no") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.code = code
        self.detail = detail
        self.retryable = retryable
        self.processed = processed


class TaskFailed(AgentworksError):
    """The performer said that the task failed: ``error`` is what it said. Raise it in a handler to choose what the
    requester reads."""

    error: TaskError

    def __init__(self, reason: str, message: str, retryable: Optional[bool] = None) -> None:
        """
        :param reason: a name to branch on, at most 128 characters
        :param message: for people, at most 8192 characters
        """
        super().__init__(reason, "failed_precondition", message, retryable is True, "yes")
        self.error = {"reason": reason, "message": message}
        if retryable is not None:
            self.error["retryable"] = retryable


class TaskCancelled(AgentworksError):
    """The task was cancelled, and the performer stopped it."""

    def __init__(self, detail: str = "The task was cancelled.") -> None:
        super().__init__("task_cancelled", "failed_precondition", detail, False, "yes")


class TaskExpired(AgentworksError):
    """The deadline passed before the performer answered. It may have done its work all the same."""

    def __init__(self, detail: str = "The deadline passed before the performer answered.") -> None:
        super().__init__("deadline_exceeded", "out_of_range", detail, True, "maybe")


def text_of(value: object) -> str:
    """What a program's own object says of itself; its type where that fails."""
    try:
        return str(value)
    except Exception:
        return type(value).__name__


def client_error(reason: str, detail: Optional[str] = None, cause: Optional[BaseException] = None) -> AgentworksError:
    """An error of the client's own making."""
    entry = _client_reasons[reason]
    error = AgentworksError(reason, entry.code, detail or entry.detail, entry.retryable)
    error.__cause__ = cause
    return error


def wire_error(reason: str) -> AgentworksError:
    """An error by a reason of the protocol's table."""
    entry = ERRORS[reason]
    return AgentworksError(reason, entry.code, entry.detail, entry.retryable, entry.processed)


def said_error(said: Mapping[str, Any]) -> AgentworksError:
    """What the broker said: ERROR's ``data``, SESSION_REJECT's, or problem+json. ``message`` is the other agent's."""
    message = said.get("message")
    more = f" ({message})" if isinstance(message, str) and message != "" else ""
    processed = said.get("processed", "no")
    return AgentworksError(said["reason"], said["code"], said["detail"] + more, said["retryable"], processed)
