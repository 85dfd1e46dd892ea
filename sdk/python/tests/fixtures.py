"""What the tests share: one real broker behind its edge, agents certified on demand, and ways to wait for events."""

from __future__ import annotations

import asyncio
import atexit
import gc
import json
import os
import subprocess
import threading
import unittest
from pathlib import Path
from typing import Any, AsyncIterator, Awaitable, Dict, List, Optional, Tuple, Type, TypeVar

import agentworks

root = Path(__file__).resolve().parents[3]
T = TypeVar("T")
S = TypeVar("S")

#: A test that waits longer has failed.
patience_s = 20.0

#: What an answer of the stage begins with: the broker may say something, too.
_answer_mark = "stage "


class Stage:
    """The broker of all tests of this process (test/sdk/stage.ts)."""

    _shared: Optional[Stage] = None

    def __init__(self) -> None:
        node = os.environ.get("AGENTWORKS_NODE", str(root / "node_modules" / ".bin" / "node"))
        script = str(root / "test" / "sdk" / "stage.ts")
        self._process = subprocess.Popen(
            [node, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
        )
        self._certified: Dict[str, Dict[str, Any]] = {}
        atexit.register(self.close)
        self._answer()

    @classmethod
    def shared(cls) -> Stage:
        if cls._shared is None:
            cls._shared = cls()
        return cls._shared

    def close(self) -> None:
        if self._process.stdin is not None and self._process.stdout is not None:
            self._process.stdin.close()
            self._process.wait(timeout=20)
            self._process.stdout.close()

    def _answer(self) -> Dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(_answer_mark):
                answer: Dict[str, Any] = json.loads(line[len(_answer_mark) :])
                return answer
        raise RuntimeError("the broker for the tests has ended (test/sdk/stage.ts)")

    def ask(self, what: str, **more: Any) -> Dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def certified(self, agent: str) -> Dict[str, Any]:
        """What ``connect`` needs to be that agent."""
        if agent not in self._certified:
            self._certified[agent] = self.ask("certify", agent=agent)
        return {name: value for name, value in self._certified[agent].items() if name != "fingerprint"}

    def fingerprint(self, agent: str) -> str:
        """Of its certificate."""
        self.certified(agent)
        return str(self._certified[agent]["fingerprint"])

    def cut(self, agent: str, path: str = "") -> int:
        cut: int = self.ask("cut", agent=agent, path=path)["cut"]
        return cut


class AgentTest(unittest.IsolatedAsyncioTestCase):
    """Every agent that a test connects is closed after it, and nothing of them may be left: no task, no thread, no
    unheard complaint."""

    def setUp(self) -> None:
        self.stage = Stage.shared()

    async def asyncSetUp(self) -> None:
        self.agents: List[agentworks.Agent] = []
        self.complaints: List[Dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        # Its debug mode makes every await several times slower.
        loop.set_debug(False)
        loop.set_exception_handler(lambda _, context: self.complaints.append(context))

    async def asyncTearDown(self) -> None:
        for agent in self.agents:
            await agent.close()
        gc.collect()
        await turn()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        # The event loop itself is run by a task of unittest's in older versions.
        left = [task for task in left if "_asyncioLoopRunner" not in repr(task)]
        self.assertEqual(left, [])
        self.assertEqual([one.name for one in threading.enumerate() if one.name.startswith("agentworks-")], [])
        self.assertEqual(self.complaints, [])

    async def dial(self, agent: str = "planner", **more: Any) -> agentworks.Agent:
        """``connect`` with these options in place of what the agent has."""
        options: Dict[str, Any] = {**self.stage.certified(agent), **more}
        return await agentworks.connect(**options)

    async def connect(self, agent: str, **more: Any) -> agentworks.Agent:
        # What one test leaves open must not come back in the next.
        options: Dict[str, Any] = {
            "reconnect": agentworks.Backoff(5, 50),
            "recover": False,
            "timeout_ms": 20_000,
            **more,
        }
        connected = await self.dial(agent, **options)
        self.agents.append(connected)
        return connected

    async def session_between(
        self, here: agentworks.Agent, there: agentworks.Agent
    ) -> Tuple[agentworks.Session, agentworks.Session]:
        """A session seen from both ends."""
        offered = there.sessions()
        session = await here.open(there.id)
        return session, await soon(offered.__anext__())


async def turn() -> None:
    """The event loop has run what was due."""
    loop = asyncio.get_running_loop()
    ran = loop.create_future()
    loop.call_soon(ran.set_result, None)
    await ran


async def said(agent: agentworks.Agent) -> None:
    """What the agent had to say is with the broker: an answer of it to something that was said later is here."""
    await turn()
    await soon(agent.agents())


def as_it_is(path: Path) -> Tuple[int, int, str]:
    """Any write, and any other file in its place, makes it another."""
    there = path.stat()
    return there.st_ino, there.st_mtime_ns, path.read_text()


async def soon(awaitable: Awaitable[T]) -> T:
    """It, or the test has failed."""
    return await asyncio.wait_for(_await(awaitable), patience_s)


async def _await(awaitable: Awaitable[T]) -> T:
    return await awaitable


async def take(values: AsyncIterator[T], count: int) -> List[T]:
    return [await soon(values.__anext__()) for _ in range(count)]


async def until(statuses: AsyncIterator[agentworks.Status], kind: Type[S]) -> S:
    """Reads on until a status of that kind comes."""
    while True:
        status = await soon(statuses.__anext__())
        if isinstance(status, kind):
            return status


async def reason_of(awaitable: Awaitable[Any]) -> str:
    """Why it raised."""
    try:
        await soon(awaitable)
    except agentworks.AgentworksError as error:
        return error.reason
    return "no error"
