"""Plain functions beside the event loop: each in a thread of its own, which dies with the process, so that one that
never returns keeps nothing from ending."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any, Callable, Optional

from .error import text_of


async def in_thread(name: str, function: Callable[..., Any], *arguments: object) -> Any:
    """What it returns or raises. Cancelled, this stops waiting; the thread goes on."""
    loop = asyncio.get_running_loop()
    returned: "asyncio.Future[Any]" = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: Optional[BaseException]) -> None:
        if returned.done():
            return
        if error is None:
            returned.set_result(result)
        else:
            returned.set_exception(error)

    def run() -> None:
        result: Any = None
        error: Optional[BaseException] = None
        try:
            result = context.run(function, *arguments)
        except StopIteration as stop:  # A future cannot carry it.
            error = RuntimeError(f"StopIteration: {text_of(stop)}")
        except BaseException as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            pass  # The loop has ended: nobody waits any more.

    threading.Thread(target=run, name=name, daemon=True).start()
    return await returned
