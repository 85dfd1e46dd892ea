"""The capabilities of an agent and who performs them: one table for all of its sessions, with the concurrency that each
allows. It starts jobs and counts them; what a job is, and what becomes of its result, is the performer's business."""

from __future__ import annotations

import asyncio
import inspect
from collections import OrderedDict
from typing import Any, Callable, Dict, List, Mapping, Optional, Protocol, Set

from .content import json_of
from .deferred import Deferred
from .error import client_error
from .protocol.envelope import Capability, TaskError, is_capability
from .protocol.limits import CAPABILITIES_MAX

#: ``handler(input, task)`` or ``handler(input)``: a coroutine function, or a plain function, which is run in a thread
#: of its own.
Handler = Callable[..., Any]

#: How long a task of a young agent waits for a handler that is registered a little later, in seconds.
_youth_s = 2.0

_draining: TaskError = {"reason": "agent_draining", "message": "The agent takes no new tasks.", "retryable": True}


class Job(Protocol):
    """One task that waits for its turn."""

    def start(self, handler: Handler, takes_task: bool) -> "Optional[asyncio.Task[Any]]":
        """Runs the handler, unless nobody wants it any more."""

    def refuse(self, error: TaskError) -> None:
        """It will not be run here."""


class _Entry:
    def __init__(self, capability: Capability, handler: Handler, takes_task: bool) -> None:
        self.capability = capability
        self.handler = handler
        self.takes_task = takes_task
        self.running = 0
        #: In their order; a dict, for one may be withdrawn from the midst of many.
        self.waiting: "OrderedDict[Job, None]" = OrderedDict()


def _takes_task(name: str, handler: Handler) -> bool:
    """Whether it wants the task beside its input. Raises invalid_argument for what cannot be called with either."""
    if not callable(handler):
        raise client_error("invalid_argument", f"Capability {name}: the handler is not callable.")
    try:
        signature = inspect.signature(handler)
    except ValueError:  # Some of those that are written in C do not say.
        return True
    for arguments in ((None, None), (None,)):
        try:
            signature.bind(*arguments)
            return len(arguments) == 2
        except TypeError:
            continue
    raise client_error("invalid_argument", f"Capability {name}: a handler takes (input, task), or only (input).")


class Handlers:
    """Registers, starts and counts."""

    def __init__(self) -> None:
        self._entries: Dict[str, _Entry] = {}
        self._running: Set["asyncio.Task[Any]"] = set()
        self._draining = False
        self._idle: Deferred[None] = Deferred()
        #: Tasks that came before their handler. Recovered sessions bring them at once, and programs register one by
        #: one.
        self._early: Optional[Dict[Job, str]] = {}
        self._growing_up = asyncio.get_running_loop().call_later(_youth_s, self._grow_up)

    def _grow_up(self) -> None:
        early, self._early = self._early or {}, None
        for job, name in early.items():
            self.submit(name, job)

    @property
    def capabilities(self) -> List[Capability]:
        """What the agent announces."""
        return [entry.capability for entry in self._entries.values()]

    @property
    def running(self) -> "Set[asyncio.Task[Any]]":
        return set(self._running)

    def add(self, name: str, handler: Handler, options: Mapping[str, Any]) -> None:
        """Raises invalid_argument when name, handler or options do not fit a capability."""
        said: Any = {"name": name, **{option: value for option, value in options.items() if value is not None}}
        if not is_capability(said):
            raise client_error(
                "invalid_argument",
                f"Capability {name!r}: its name is 1–128 of a–z 0–9 . _ -, `version` ≤ 64 and `description` ≤ 1024 "
                "characters, the schemas are dicts, `max_concurrency` is 1–10000.",
            )
        capability: Capability = said
        json_of(capability)
        takes_task = _takes_task(name, handler)
        before = self._entries.get(name)
        if before is None and len(self._entries) == CAPABILITIES_MAX:
            raise client_error("invalid_argument", f"An agent announces at most {CAPABILITIES_MAX} capabilities.")
        if before is None:
            self._entries[name] = _Entry(capability, handler, takes_task)
        else:
            before.capability, before.handler, before.takes_task = capability, handler, takes_task
        early = self._early or {}
        for job in [job for job, wanted in early.items() if wanted == name]:
            if early.pop(job, None) is not None:
                self.submit(name, job)

    def submit(self, name: str, job: Job) -> None:
        """Starts the job now, or when it is its turn; refuses it when nobody performs that here, or while draining."""
        if self._draining:
            return job.refuse(_draining)
        entry = self._entries.get(name)
        if entry is None:
            if self._early is not None:
                self._early[job] = name
                return None
            return job.refuse({"reason": "capability_unknown", "message": f"This agent has no handler for {name}."})
        entry.waiting[job] = None
        self._next(entry)

    def withdraw(self, name: str, job: Job) -> None:
        """It is over, whether or not its turn has come: what never runs is not kept for it."""
        entry = self._entries.get(name)
        if entry is not None:
            entry.waiting.pop(job, None)
        if self._early is not None:
            self._early.pop(job, None)

    def _next(self, entry: _Entry) -> None:
        room = entry.capability.get("max_concurrency")
        while entry.waiting and (room is None or entry.running < room):
            job, _ = entry.waiting.popitem(last=False)
            task = job.start(entry.handler, entry.takes_task)
            if task is None:
                continue
            entry.running += 1
            self._running.add(task)
            task.add_done_callback(lambda done: self._done(entry, done))

    def _done(self, entry: _Entry, task: "asyncio.Task[Any]") -> None:
        entry.running -= 1
        self._running.discard(task)
        if self._draining and not self._running:
            self._idle.resolve(None)
        self._next(entry)

    def drain(self) -> Deferred[None]:
        """Refuses what has not started and what comes. Awaits that nothing runs any more."""
        self._draining = True
        self.stop()
        early, self._early = self._early or {}, None
        waiting = list(early)
        for entry in self._entries.values():
            waiting.extend(entry.waiting)
            entry.waiting.clear()
        for job in waiting:
            job.refuse(_draining)
        if not self._running:
            self._idle.resolve(None)
        return self._idle

    def stop(self) -> None:
        """Its clock."""
        self._growing_up.cancel()
