"""The tasks of one session that this agent asked for: from TASK_REQUEST to the one outcome of each."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import Any, AsyncIterator, Callable, Dict, Generator, List, Optional, Type

from .channel import Channel
from .content import json_of
from .deferred import Deferred
from .error import AgentworksError, TaskCancelled, TaskExpired, TaskFailed, client_error, said_error, wire_error
from .mint import mint
from .performer import Say
from .protocol.codec import encode
from .protocol.envelope import Envelope
from .protocol.ids import is_capability_name, is_uuid
from .protocol.limits import DEADLINE_MS_MAX, OPEN_TASKS_MAX
from .receipts import Receipt

#: Progress that nobody reads: the newest of it.
_unread_progress_max = 1024
_reason_chars_max = 1024


def _deadline_in(deadline_ms: Optional[float]) -> str:
    """The member that says when the task is due, or nothing. Raises invalid_argument beyond the protocol's bound."""
    if deadline_ms is None:
        return ""
    if not 0 <= deadline_ms <= DEADLINE_MS_MAX:
        raise client_error("invalid_argument", f"`deadline_ms` is 0 to {DEADLINE_MS_MAX} milliseconds.")
    at = datetime.now(timezone.utc) + timedelta(milliseconds=deadline_ms)
    return f',"deadline":"{at.isoformat(timespec="milliseconds").replace("+00:00", "Z")}"'


class Task:
    """A task that this agent asked for. ``await task`` gives its result; nothing of it must be awaited.

    Cancelling the asyncio task that awaits it does not cancel the task itself: ``cancel()`` does, and so does leaving
    ``async with session.request(…) as task`` before it has ended.
    """

    def __init__(self, id: str, sent: Receipt, cancel: Callable[[str, Optional[str]], None]) -> None:
        self.id = id
        self._sent = sent
        #: The id of its latest TASK_REQUEST: what a refusal answers.
        self.request_id = sent.id
        self._cancel = cancel
        self._outcome: Deferred[Any] = Deferred()
        self._progress: Channel[Any] = Channel(size_max=_unread_progress_max)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._outcome.__await__()

    @property
    def result(self) -> Deferred[Any]:
        """Awaits the result, as ``await task`` does.

        Raises TaskFailed, TaskCancelled, TaskExpired, or an AgentworksError when the broker refused the task or its
        session ended.
        """
        return self._outcome

    @property
    def done(self) -> bool:
        """Whether there is an outcome."""
        return self._outcome.is_settled

    @property
    def progress(self) -> AsyncIterator[Any]:
        """What the performer says on its way; ends with the task. Of progress that nobody reads the newest 1024 are
        kept."""
        return self._progress.__aiter__()

    @property
    def stored(self) -> Receipt:
        """Awaits that the broker has the request durably."""
        return self._sent

    @property
    def delivered(self) -> Deferred[None]:
        """Awaits that the performer's program has started its handler."""
        return self._sent.delivered

    def cancel(self, reason: Optional[str] = None) -> None:
        """Asks the performer to stop; the result tells how the task really ended: one that was on its way wins."""
        self._cancel(self.id, reason)

    async def __aenter__(self) -> Task:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if not self.done:
            self.cancel()

    # --- what the session says

    def say_progress(self, value: Any) -> None:
        self._progress.push(value)

    def respond(self, data: Envelope) -> None:
        self._progress.end()
        status = data["status"]
        error = data.get("error") or {}
        if status == "succeeded":
            return self._outcome.resolve(data.get("result"))
        if status == "expired":
            return self._outcome.reject(TaskExpired(*filter(None, [error.get("message")])))
        if status == "cancelled":
            return self._outcome.reject(TaskCancelled(*filter(None, [error.get("message")])))
        said = error or {"reason": "failed", "message": "The performer said no more."}
        self._outcome.reject(TaskFailed(said["reason"], said["message"], said.get("retryable")))

    def fail(self, error: BaseException) -> None:
        self._progress.end()
        self._outcome.reject(error)


class Requests:
    """:param say: queues one envelope of the session"""

    def __init__(self, say: Say) -> None:
        self._open: Dict[str, Task] = {}
        self._say = say

    def ask(
        self, capability: str, input: object, task_id: Optional[str], deadline_ms: Optional[float], performing: int
    ) -> Task:
        """:param performing: tasks of the session that this agent performs: both kinds share the broker's bound (L9)"""
        id = mint() if task_id is None else task_id
        before = self._open.get(id)
        if before is not None:
            return before
        if not is_uuid(id):
            raise client_error("invalid_argument", "`task_id` is a lower-case UUIDv7: see agentworks.new_id().")
        if not is_capability_name(capability):
            raise client_error("invalid_argument", f"{capability!r} is no name of a capability.")
        if len(self._open) + performing >= OPEN_TASKS_MAX:
            raise wire_error("too_many_tasks")
        data = f'{{"task_id":"{id}","capability":"{capability}","input":{json_of(input)}{_deadline_in(deadline_ms)}}}'
        task = Task(id, self._say("TASK_REQUEST", data), self._cancel)
        self._open[id] = task
        return task

    def ask_again(self, requests: List[str]) -> None:
        """The broker may have refused these, and nobody heard it: the same task asked for again is not run twice (A11).

        :param requests: ``data`` of TASK_REQUESTs, as JSON text
        """
        for data in requests:
            task = self._open.get(json.loads(data)["task_id"])
            if task is None:
                continue
            try:
                task.request_id = self._say("TASK_REQUEST", data, False).id
            except AgentworksError:
                pass  # The session is closing: the task ends with it.

    def _cancel(self, task_id: str, reason: Optional[str]) -> None:
        if task_id not in self._open:
            return
        more = {} if reason is None else {"reason": reason[:_reason_chars_max]}
        try:
            self._say("TASK_CANCEL", encode({"task_id": task_id, **more}), False)
        except AgentworksError:
            pass  # The session is closing: the task ends with it.

    def progress(self, data: Envelope) -> None:
        task = self._open.get(data["task_id"])
        if task is not None:
            task.say_progress(data.get("progress"))

    def response(self, data: Envelope) -> None:
        task = self._open.pop(data["task_id"], None)
        if task is not None:
            task.respond(data)

    def refused(self, fault: Envelope) -> Optional[str]:
        """The broker refused something. When it was the request of a task, which has failed by that, its id. What was
        not processed is no refusal: it will be sent again with the next attachment."""
        asked = fault.get("in_reply_to")
        if asked is None or fault["data"]["processed"] != "yes":
            return None
        for task in self._open.values():
            if task.request_id == asked:
                del self._open[task.id]
                task.fail(said_error(fault["data"]))
                return task.id
        return None

    def fail(self, error: BaseException) -> None:
        tasks, self._open = list(self._open.values()), {}
        for task in tasks:
            task.fail(error)
