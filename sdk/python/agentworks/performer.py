"""The tasks of one session that this agent performs: from TASK_REQUEST to exactly one TASK_RESPONSE each."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Dict, Iterable, Optional

from .content import json_of
from .deferred import resolved
from .error import AgentworksError, TaskCancelled, TaskFailed, text_of
from .handlers import Handler, Handlers
from .inbox import Inbox, Slot
from .journal_records import StartedTask
from .protocol.codec import encode
from .protocol.envelope import Envelope, TaskError
from .receipts import Receipt
from .threads import in_thread

if TYPE_CHECKING:
    from .session import Session

#: As much of a message as TASK_RESPONSE has room for.
_message_chars_max = 8192
_reason_chars_max = 128
_usual_reason = "handler_failed"

_log = logging.getLogger("agentworks")

Say = Callable[..., Receipt]


def _task_error_of(error: BaseException) -> TaskError:
    """What the requester reads: never more than TASK_RESPONSE takes, whatever the program put into its exception."""
    try:
        return _said_by(error)
    except Exception:  # Its own words fail.
        return {"reason": _usual_reason, "message": type(error).__name__}


def _said_by(error: BaseException) -> TaskError:
    if isinstance(error, TaskFailed):
        said = _error_of(error.error["reason"], error.error["message"])
        retryable = error.error.get("retryable")
        if isinstance(retryable, bool):
            said["retryable"] = retryable
        return said
    if isinstance(error, AgentworksError):
        return _error_of(error.reason, error.detail)
    return _error_of(_usual_reason, str(error) or type(error).__name__)


def _error_of(reason: object, message: object) -> TaskError:
    said = _usual_reason if reason is None else str(reason)
    words = "The handler said no more." if message is None else str(message)
    return {"reason": said[:_reason_chars_max], "message": words[:_message_chars_max]}


#: Fractions of a second: `datetime` takes six digits of them.
_fraction = re.compile(r"\.(\d+)")


def deadline_of(text: Optional[str]) -> Optional[datetime]:
    """A point of time in RFC 3339, as the protocol has it."""
    if text is None:
        return None
    exact = _fraction.sub(lambda found: f".{found[1][:6]:0<6}", text.replace("Z", "+00:00"))
    try:
        return datetime.fromisoformat(exact)
    except ValueError:  # A year that Python does not know. The broker obeys it all the same.
        return None


class _Stored:
    """Awaits that what was said is stored."""

    def __init__(self, receipt: Receipt) -> None:
        self._receipt = receipt

    def __await__(self) -> Any:
        yield from self._receipt.__await__()


class TaskContext:
    """What a handler knows of the task that it performs."""

    def __init__(
        self, envelope: Envelope, session: Session, performer: Performer, slot: Slot, redelivered: bool
    ) -> None:
        data = envelope["data"]
        #: The same for every delivery of this task: the key for making side effects idempotent.
        self.id: str = data["task_id"]
        self.capability: str = data["capability"]
        self.session = session
        #: An earlier life of this agent may have begun it: check what it has done already, by ``id``.
        self.redelivered = redelivered
        #: When the broker ends the task, if the requester said so.
        self.deadline = deadline_of(data.get("deadline"))
        #: The requester does not want it any more, or the session ended. A coroutine is told by CancelledError; a plain
        #: function looks here. What is returned all the same still counts.
        self.cancelled = False
        self._input: Any = data.get("input")
        self._performer = performer
        self._slot = slot
        self._loop = asyncio.get_running_loop()
        self._running: Optional["asyncio.Task[Any]"] = None
        self._in_thread = False
        self._over = False

    @property
    def requester(self) -> str:
        """The agent that asked; proven by its certificate."""
        return self.session.peer

    def progress(self, value: object) -> Awaitable[None]:
        """Tells the requester how far it is. Await it to wait until that is stored; in a plain function it has waited
        when it returns.

        Raises AgentworksError as ``Session.send`` does, and TaskCancelled when the task is over.
        """
        text = f'{{"task_id":"{self.id}","progress":{json_of(value)}}}'
        if self._in_thread and threading.get_ident() != self._performer.thread_id:
            asyncio.run_coroutine_threadsafe(self._tell(text), self._loop).result()
            return resolved(None)
        return _Stored(self._say_progress(text))

    async def _tell(self, text: str) -> None:
        await self._say_progress(text)

    def _say_progress(self, text: str) -> Receipt:
        if self._over:
            raise TaskCancelled("The task is over: nobody hears of its progress.")
        return self._performer.say("TASK_PROGRESS", text)

    # --- what the performer and its handlers do

    def start(self, handler: Handler, takes_task: bool) -> "Optional[asyncio.Task[Any]]":
        """Runs the handler; how that ends is the answer."""
        # What could not be noted as begun must not begin: the session is gone then.
        if self._over or not self._performer.began(self._slot) or self._over:
            return None
        self._running = self._loop.create_task(self._perform(handler, takes_task))
        self._running.add_done_callback(self._performed)
        return self._running

    async def _perform(self, handler: Handler, takes_task: bool) -> Any:
        try:
            return await self._call(handler, takes_task)
        except SystemExit as error:  # What a requester asked for must not end the program.
            raise RuntimeError(f"SystemExit: {text_of(error)}") from error

    async def _call(self, handler: Handler, takes_task: bool) -> Any:
        arguments = (self._input, self) if takes_task else (self._input,)
        call = getattr(handler, "__call__", None)
        if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call):
            return await handler(*arguments)
        self._in_thread = True
        try:
            result = await in_thread(f"agentworks-{self.capability}", handler, *arguments)
        finally:
            self._in_thread = False
        # As a lambda around a coroutine function gives it.
        return await result if inspect.isawaitable(result) else result

    def _performed(self, task: "asyncio.Task[Any]") -> None:
        if task.cancelled():
            if self.cancelled:
                return self._respond("cancelled", "")
            return self._fail({"reason": _usual_reason, "message": "The handler cancelled itself."})
        error = task.exception()
        if error is None:
            result = task.result()
            try:
                return self._respond("succeeded", f',"result":{json_of(result)}')
            except Exception as unsayable:
                error = unsayable
        if self.cancelled and not isinstance(error, TaskFailed):
            return self._respond("cancelled", "")
        self._fail(_task_error_of(error))
        if not isinstance(error, AgentworksError):
            _log.error("The handler of %s failed (task %s).", self.capability, self.id, exc_info=error)

    def refuse(self, error: TaskError) -> None:
        self._performer.began(self._slot)
        self._fail(error)

    @property
    def is_waiting(self) -> bool:
        """For its turn."""
        return self._running is None and not self._over

    def cancel(self) -> None:
        """The requester does not want it any more. A handler that runs decides by itself how it ends."""
        if self._running is None:
            self._performer.began(self._slot)
            self._respond("cancelled", "")
        self._interrupt()

    def abandon(self) -> None:
        """The session goes: no response can be sent any more."""
        self._over = True
        self._performer.began(self._slot)
        self._interrupt()

    def _interrupt(self) -> None:
        before, self.cancelled = self.cancelled, True
        if self._running is not None and not before and not self._in_thread:
            self._running.cancel()

    def _fail(self, error: TaskError) -> None:
        self._respond("failed", f',"error":{encode(error)}')

    def _respond(self, status: str, more: str) -> None:
        if self._over:
            return
        self._over = True
        self._performer.ended(self)
        try:
            self._performer.say("TASK_RESPONSE", f'{{"task_id":"{self.id}","status":"{status}"{more}}}', False)
        except AgentworksError:
            pass  # The session ended in the same moment: the requester has been told so.


class Performer:
    """:param say: queues one envelope of the session"""

    def __init__(self, session: Session, handlers: Handlers, inbox: Inbox, say: Say) -> None:
        self._open: Dict[str, TaskContext] = {}
        self._session = session
        self._handlers = handlers
        self._inbox = inbox
        self.say = say
        self.thread_id = threading.get_ident()

    @property
    def size(self) -> int:
        """Tasks without a response."""
        return len(self._open)

    def request(self, envelope: Envelope, slot: Slot, redelivered: bool) -> None:
        """The number of the request is taken when its handler starts, so that a busy agent slows its requesters
        down."""
        data = envelope["data"]
        if data["task_id"] in self._open:
            self._inbox.done(slot)
            return
        self._handlers.submit(data["capability"], self._begin(envelope, slot, redelivered))

    def _begin(self, envelope: Envelope, slot: Slot, redelivered: bool) -> TaskContext:
        again = redelivered or envelope["data"].get("redelivered") is True
        task = TaskContext(envelope, self._session, self, slot, again)
        self._open[task.id] = task
        return task

    def recall(self, tasks: Iterable[StartedTask]) -> None:
        """Tasks that an earlier life had begun, and not finished: they run again, but for those that nobody wants any
        more."""
        for task in tasks:
            slot = Slot(task.request["seq"], taken=True)
            if task.cancel is None:
                self.request(task.request, slot, True)
            else:
                self._begin(task.request, slot, True).cancel()

    def began(self, slot: Slot) -> bool:
        return self._inbox.done(slot)

    def ended(self, task: TaskContext) -> None:
        self._open.pop(task.id, None)
        self._handlers.withdraw(task.capability, task)

    def cancel(self, task_id: str, slot: Slot) -> None:
        """A handler that runs hears of it once it is taken. A task that waits is answered first: its request comes
        before."""
        task = self._open.get(task_id)
        if task is not None and task.is_waiting:
            task.cancel()
        if self._inbox.done(slot) and task is not None:
            task.cancel()

    def abandon(self) -> None:
        tasks, self._open = list(self._open.values()), {}
        for task in tasks:
            self._handlers.withdraw(task.capability, task)
            task.abandon()
