"""The journal: programs that are killed in the midst of their work and start again."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, AsyncIterator, Dict, List, Optional, Tuple

from agentworks import TaskContext
from agentworks.journal import Journal
from agentworks.journal_records import line_of

from .fixtures import AgentTest, as_it_is, reason_of, said, soon, take

class Program:
    """tests/program.py, and what it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, options: Dict[str, Any], what: str) -> Program:
        folder = Path(__file__).resolve().parents[1]
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.program", json.dumps(options), what,
                cwd=folder, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )
        )  # fmt: skip

    async def says(self) -> AsyncIterator[Dict[str, Any]]:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            yield json.loads(line)

    def tell(self) -> None:
        """What it waits for."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")

    async def kill(self) -> None:
        if self._process.returncode is None:
            os.kill(self._process.pid, signal.SIGKILL)
        await self.end()

    async def end(self) -> None:
        await self._process.wait()
        self._process._transport.close()  # type: ignore[attr-defined]  # or its pipe is closed when it is collected


class Lives(AgentTest):
    def setUp(self) -> None:
        super().setUp()
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def options(self, agent: str) -> Dict[str, Any]:
        return {**self.stage.certified(agent), "journal": f"{self.folder.name}/{agent}"}

    async def test_a_sender_that_is_killed_again_and_again_sends_everything_once(self) -> None:
        keeper = await self.connect("keeper")
        sessions = keeper.sessions()
        reading: "Optional[asyncio.Task[List[Any]]]" = None

        async def read() -> List[Any]:
            session = await sessions.__anext__()
            return [message.content async for message in session.messages()]

        count, dice = 20_000, random.Random(7)
        reading = asyncio.ensure_future(read())
        lives, done = 0, False
        while not done:
            program = await Program.start(self.options("sender"), f"send {count}")
            lives += 1

            async def follow(program: Program = program) -> bool:
                async for said in program.says():
                    if "done" in said:
                        return True
                return False

            following = asyncio.ensure_future(follow())
            if lives <= 4:
                await asyncio.wait({following}, timeout=0.9 + dice.random() * 0.8)
                await program.kill()
            done = await soon(following)
            await program.end()
        self.assertEqual(await soon(reading), list(range(count)))
        self.assertGreaterEqual(lives, 2)

    async def test_a_reader_that_is_killed_gets_everything_once(self) -> None:
        planner = await self.connect("planner")
        got: List[Any] = []
        count, lives, done = 3_000, 0, False
        session = None
        dice = random.Random(11)
        while not done:
            program = await Program.start(self.options("reader"), "read")
            lives += 1
            if session is None:
                session = await soon(planner.open("reader", wait_ms=10_000))
                for n in range(count):
                    session.send(n)
                session.close("done")
            limit = len(got) + dice.randrange(100, 700) if lives <= 3 else count + 9
            async for said in program.says():
                if "got" in said:
                    self.assertFalse(said["redelivered"])
                    got.append(said["got"])
                done = done or "done" in said
                if len(got) == limit:
                    await program.kill()
            await program.end()
        # A life may have taken one and have died before it said so; nothing came twice.
        self.assertEqual(got, sorted(set(got)))
        self.assertGreaterEqual(len(got), count - lives)
        self.assertEqual(lives, 4)

    async def test_a_performer_that_is_killed_runs_again_what_it_had_not_finished_and_nothing_else(self) -> None:
        planner = await self.connect("planner")
        program = await Program.start(self.options("performer"), "perform")
        session = await soon(planner.open("performer", wait_ms=10_000))
        quick = session.request("work", 1)
        self.assertEqual(await soon(quick), 1)
        slow = session.request("work", "until told")
        said: List[Dict[str, Any]] = []
        async for one in program.says():
            said.append(one)
            if one == {"began": "until told", "redelivered": False}:
                await program.kill()
        again = await Program.start(self.options("performer"), "perform")
        again.tell()
        self.assertEqual(await soon(slow), "until told")
        await again.kill()
        lines = [one async for one in again.says()]
        self.assertEqual(
            lines, [{"ready": True}, {"began": "until told", "redelivered": True}, {"ended": "until told"}]
        )

    async def test_within_one_program_sessions_are_recalled_with_all_that_they_knew(self) -> None:
        options = self.options("recaller")
        recaller, analyst = await self.connect(
            "recaller", recover=True, journal=options["journal"]
        ), await self.connect("analyst")
        go = asyncio.Event()

        @analyst.handle("slow")
        async def slow(input: Any, task: TaskContext) -> Any:
            await go.wait()
            return input

        here, there = await self.session_between(recaller, analyst)
        task = here.request("slow", 5)
        await here.send("one")
        await soon(task.delivered)
        there.send("first")
        there.send("second")
        await take(here.messages(), 1)
        here.send("two")
        # `close` says nothing to anybody: for the broker it is what a crash looks like.
        await recaller.close()
        self.assertEqual(await reason_of(task), "agent_closed")
        go.set()

        again = await self.connect("recaller", recover=True, journal=options["journal"])
        recalled = await soon(again.sessions().__anext__())
        self.assertEqual((recalled.id, recalled.recovered, recalled.sent), (here.id, True, 2))
        self.assertEqual(recalled.requested, [task.id])
        self.assertEqual(await soon(recalled.request("slow", 5, task_id=task.id)), 5)
        message = (await take(recalled.messages(), 1))[0]
        self.assertEqual((message.content, message.redelivered), ("second", False))
        self.assertEqual([one.content for one in await take(there.messages(), 2)], ["one", "two"])
        await recalled.close("done")
        await soon(recalled.closed)
        await again.close()
        self.assertEqual(
            len(Path(options["journal"]).read_text().splitlines()[0]),
            len(line_of({"journal": 1, "agent": "recaller", "account": "local"})) - 1,
        )
        self.assertEqual(Journal(options["journal"]).memory.sessions, {})

    async def test_who_is_refused_or_never_reaches_the_broker_leaves_a_running_owner_its_journal(self) -> None:
        planner = await self.connect("planner")
        options = self.options("follower")
        program = await Program.start(options, "read")
        self.addAsyncCleanup(program.kill)
        session = await soon(planner.open("follower", wait_ms=10_000))
        got: List[Any] = []

        async def read_until(count: int) -> None:
            async for said in program.says():
                if "got" in said:
                    got.append((said["got"], said["redelivered"]))
                if len(got) == count:
                    return

        for n in range(5):
            await soon(session.send(n))
        await soon(read_until(5))
        path = Path(options["journal"])

        async def written() -> None:
            while '"taken":5' not in path.read_text().replace(" ", ""):
                await asyncio.sleep(0)

        await soon(written())
        before = as_it_is(path)
        self.assertEqual(await reason_of(self.dial("analyst", journal=str(path))), "journal_mismatch")
        nowhere: Dict[str, Any] = {**options, "url": "wss://localhost:1", "reconnect": False}
        self.assertEqual(await reason_of(self.dial(**nowhere)), "connection_failed")
        self.assertEqual(as_it_is(path), before)
        for n in range(5, 10):
            await soon(session.send(n))
        await soon(read_until(10))
        await program.kill()
        program = await Program.start(options, "read")
        self.addAsyncCleanup(program.kill)
        await soon(session.send(10))
        await soon(read_until(11))
        self.assertEqual(got, [(n, False) for n in range(11)])
        await program.kill()

    async def test_an_agent_whose_journal_was_removed_ends_and_what_is_not_written_does_not_leave(self) -> None:
        keeper = await self.connect("keeper")
        options = self.options("planner")
        planner = await self.connect("planner", recover=True, journal=options["journal"])
        here, there = await self.session_between(planner, keeper)
        await soon(here.send("kept"))
        os.remove(options["journal"])
        self.assertEqual(await reason_of(here.send("not kept")), "journal_failed")
        self.assertEqual((await take(there.messages(), 1))[0].content, "kept")
        await said(keeper)
        self.assertFalse(there.has_unread)

    async def test_another_agents_journal_and_one_that_cannot_be_used(self) -> None:
        options = self.options("planner")
        await (await self.dial(**options)).close()
        self.assertEqual(await reason_of(self.dial("analyst", journal=options["journal"])), "journal_mismatch")
        Path(options["journal"]).write_text("damaged\n")
        self.assertEqual(await reason_of(self.dial(**options)), "journal_damaged")
        cases: List[Tuple[str, Dict[str, Any], str]] = [
            (f"{self.folder.name}/no/where", {}, "journal_failed"),
            (self.folder.name, {}, "journal_failed"),
            (f"{self.folder.name}/x", {"recover": False}, "invalid_argument"),
        ]
        for path, more, reason in cases:
            self.assertEqual(await reason_of(self.dial(journal=path, **more)), reason)

    async def test_when_the_disk_is_full_the_agent_ends_and_nothing_unwritten_leaves(self) -> None:
        keeper = await self.connect("keeper")
        sessions = keeper.sessions()
        program = await Program.start(self.options("filler"), "fill")
        there = await soon(sessions.__anext__())
        self.assertEqual((await soon(there.messages().__anext__())).content, "kept")
        lines = [one async for one in program.says()]
        await program.end()
        self.assertEqual(lines, [{"ready": True}, *[{"reason": "journal_failed"}] * 2])
        # What it could not write has not left.
        await said(keeper)
        self.assertFalse(there.has_unread)


if __name__ == "__main__":
    unittest.main()
