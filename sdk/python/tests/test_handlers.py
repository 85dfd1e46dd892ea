"""What handlers do that no handler should: each task gets its one response, and nothing else suffers by it."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import unittest
from typing import Any, Callable, Dict, Iterator, List, Tuple

from agentworks import AgentworksError, TaskContext, TaskFailed

from .fixtures import AgentTest, reason_of, said, soon


class Unsayable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


class _Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class _Grave(BaseException):
    pass


class _Bare(TaskFailed):
    def __init__(self) -> None:
        pass


class _Shy(Dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("not yours")


def _raise(error: BaseException) -> Any:
    raise error


def _numbers() -> Iterator[int]:
    yield 1


def _odd(value: Any) -> Any:
    """Something that no annotation allows, and any program may hand over."""
    return value


#: What it does, the reason that the requester reads, and a part of the message.
_oddities: List[Tuple[str, Callable[[], Any], str, str]] = [
    ("silent", lambda: _raise(_Silent()), "handler_failed", "_Silent"),
    ("grave", lambda: _raise(_Grave("grave")), "handler_failed", "grave"),
    ("cancelled", lambda: _raise(asyncio.CancelledError()), "handler_failed", "cancelled itself"),
    ("exit", lambda: sys.exit("enough"), "handler_failed", "SystemExit: enough"),
    ("unsayable exit", lambda: sys.exit(_odd(Unsayable())), "handler_failed", "SystemExit"),
    ("stop", lambda: _raise(StopIteration(Unsayable())), "handler_failed", "StopIteration"),
    ("group", lambda: _raise(GeneratorExit("left")), "handler_failed", "left"),
    ("bare", lambda: _raise(_Bare()), "handler_failed", "_Bare"),
    ("no text", lambda: _raise(TaskFailed(_odd(Unsayable()), _odd(Unsayable()))), "handler_failed", "no text"),
    ("nothing", lambda: _raise(TaskFailed(_odd(None), _odd(None))), "handler_failed", "said no more"),
    ("no flag", lambda: _raise(TaskFailed("bad", "yes", _odd("yes"))), "bad", "yes"),
    ("wide", lambda: _raise(TaskFailed("😀" * 128, "😀" * 8192)), "😀" * 128, "😀" * 8192),
    ("wider", lambda: _raise(ValueError("😀" * 8193)), "handler_failed", "😀" * 8192),
    ("no detail", lambda: _raise(AgentworksError(_odd(None), "", _odd(None), False)), "handler_failed", "said no more"),
    ("no words", lambda: _raise(AgentworksError("x" * 129, "code", "y" * 8193, False)), "x" * 128, "y" * 8192),
    ("not a number", lambda: [float("nan")], "invalid_argument", "JSON"),
    ("a set", lambda: {1}, "invalid_argument", "JSON"),
    ("a generator", _numbers, "invalid_argument", "JSON"),
    ("shy", lambda: _Shy(a=1), "invalid_argument", "not yours"),
    ("too large", lambda: "x" * 300_000, "envelope_too_large", "256 KiB"),
]


class Odd(AgentTest):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        analyst = await self.connect("analyst")
        does = {name: what for name, what, _, _ in _oddities}

        async def coroutine(name: str) -> Any:
            return does[name]()

        await analyst.handle("coroutine", coroutine)
        await analyst.handle("thread", lambda name: does[name]())
        self.session = await (await self.connect("planner")).open("analyst")

    async def test_whatever_a_handler_raises_or_returns_its_task_has_a_response(self) -> None:
        logging.getLogger("agentworks").setLevel(logging.CRITICAL)
        self.addCleanup(logging.getLogger("agentworks").setLevel, logging.NOTSET)
        for capability in ("coroutine", "thread"):
            for name, _, reason, text in _oddities:
                with self.subTest(f"{name} in a {capability}"):
                    with self.assertRaises(TaskFailed) as raised:
                        await asyncio.wait_for(self.session.request(capability, name).result, 5)
                    self.assertEqual(raised.exception.reason, reason)
                    self.assertIn(text, raised.exception.detail)
        self.assertIsNone(self.session.ended)

    async def test_whatever_accept_raises_its_offer_is_rejected(self) -> None:
        errors: List[BaseException] = [_Silent(), SystemExit(Unsayable()), asyncio.CancelledError()]
        await self.connect("doorman", accept=lambda offer: _raise(errors[offer.metadata]))
        planner = await self.connect("planner")
        for number in range(len(errors)):
            self.assertEqual(await reason_of(planner.open("doorman", metadata=number)), "offer_rejected")


class Waiting(AgentTest):
    async def test_a_task_that_nobody_wants_any_more_is_not_kept_for_its_turn(self) -> None:
        analyst = await self.connect("analyst")
        go = asyncio.Event()
        await analyst.handle("busy", lambda _: go.wait(), max_concurrency=1)
        planner = await self.connect("planner")
        session, other = await planner.open("analyst"), await planner.open("analyst")
        first = session.request("busy", "first")
        await soon(first.delivered)
        # Capabilities that nobody performs wait, too, while the agent is young.
        for capability, reasons in (("early", {"task_cancelled", "capability_unknown"}), ("busy", {"task_cancelled"})):
            tasks = [session.request(capability, n) for n in range(60)]
            for task in tasks:
                task.cancel()
            self.assertLessEqual({await reason_of(task) for task in tasks}, reasons)
        lost = [other.request("busy", n) for n in range(60)]
        await soon(lost[-1].stored)
        await other.close()
        await soon(other.closed)
        await said(analyst)
        gc.collect()
        kept = [one for one in gc.get_objects() if isinstance(one, TaskContext)]
        self.assertEqual([task.id for task in kept], [first.id])
        go.set()
        self.assertTrue(await soon(first))


if __name__ == "__main__":
    unittest.main()
