"""Programs that died and came back without a memory."""

from __future__ import annotations

import asyncio
import unittest
from typing import Any, List

import agentworks
from agentworks import TaskContext

from .fixtures import AgentTest, soon, take


class Recovery(AgentTest):
    async def test_a_task_outlives_the_crash_of_its_performer(self) -> None:
        planner, analyst = await self.connect("planner1"), await self.connect("analyst1")
        began = asyncio.Event()

        @analyst.handle("slow")
        async def slow(_: Any, task: TaskContext) -> None:
            self.assertFalse(task.redelivered)
            began.set()
            await asyncio.Event().wait()

        session = await planner.open("analyst1")
        task = session.request("slow", {"n": 1})
        await soon(began.wait())
        await soon(task.delivered)
        # `close` says nothing to anybody: for the broker it is what a crash looks like.
        await analyst.close()

        again = await self.connect("analyst1", recover=True)
        await again.handle("other", lambda _: "not this one")
        contexts: List[TaskContext] = []

        @again.handle("slow")
        async def slow_again(input: Any, task: TaskContext) -> Any:
            contexts.append(task)
            return input

        self.assertEqual(await soon(task), {"n": 1})
        self.assertEqual([(one.id, one.redelivered) for one in contexts], [(task.id, True)])
        recovered = await soon(again.sessions().__anext__())
        self.assertEqual((recovered.id, recovered.peer, recovered.recovered), (session.id, "planner1", True))
        await recovered.send("and the session goes on")
        self.assertEqual((await take(session.messages(), 1))[0].content, "and the session goes on")

    async def test_a_task_outlives_the_crash_of_its_requester(self) -> None:
        planner, analyst = await self.connect("planner2"), await self.connect("analyst2")
        go, began = asyncio.Event(), asyncio.Event()
        runs = 0

        @analyst.handle("slow")
        async def slow(_: Any) -> str:
            nonlocal runs
            runs += 1
            began.set()
            await go.wait()
            return "once"

        session = await planner.open("analyst2")
        task_id = agentworks.new_id()
        await session.request("slow", 1, task_id=task_id).stored
        await soon(began.wait())
        await planner.close()

        again = await self.connect("planner2", recover=True)
        recovered = await soon(again.sessions().__anext__())
        self.assertEqual((recovered.id, recovered.requested), (session.id, [task_id]))
        task = recovered.request("slow", 1, task_id=task_id)
        self.assertIs(recovered.request("slow", 1, task_id=task_id), task)
        go.set()
        self.assertEqual((await soon(task), runs), ("once", 1))

    async def test_messages_that_nobody_had_taken_come_again_after_a_crash(self) -> None:
        planner, analyst = await self.connect("planner3"), await self.connect("analyst3")
        here, there = await self.session_between(planner, analyst)
        for n in range(1, 6):
            await here.send(n)
        self.assertEqual([message.content for message in await take(there.messages(), 2)], [1, 2])
        await analyst.close()
        again = await self.connect("analyst3", recover=True)
        messages = (await soon(again.sessions().__anext__())).messages()
        contents: List[Any] = []
        while contents[-1:] != [5]:
            message = await soon(messages.__anext__())
            contents.append(message.content)
            # What was taken in the last moments may not have been said to be: such a message is marked.
            if message.content <= 2:
                self.assertTrue(message.redelivered)
        self.assertIn(contents, [[1, 2, 3, 4, 5], [2, 3, 4, 5], [3, 4, 5]])

    async def test_an_agent_that_leaves_waits_for_no_peer(self) -> None:
        planner, analyst = await self.connect("planner11"), await self.connect("analyst11")
        closed, _ = await self.session_between(planner, analyst)
        left_open, _ = await self.session_between(planner, analyst)
        await analyst.close()
        # Who comes back to it has something to read: a session that ends with nothing to read is not kept for its reader.
        for session in (closed, left_open):
            await session.send("unread")
        await closed.close("done")
        await planner.close()
        # What was closed ended as it was closed, what was not ended with its agent.
        self.assertEqual(await soon(closed.closed), ("done", None))
        self.assertEqual((await soon(left_open.closed)).reason, "agent_closed")
        again = await self.connect("planner11", recover=True)
        recovered = {session.id for session in await take(again.sessions(), 2)}
        self.assertEqual(recovered, {closed.id, left_open.id})
        await soon(again.drain())

        peer = await self.connect("analyst11", recover=True)
        reasons = set()
        for session in await take(peer.sessions(), 2):
            self.assertEqual((await take(session.messages(), 1))[0].content, "unread")
            reasons.add((await soon(session.closed)).reason)
        self.assertEqual(reasons, {"done", "drained"})

    async def test_an_agent_that_leaves_at_once_closes_what_an_earlier_life_left_open(self) -> None:
        planner, analyst = await self.connect("planner12"), await self.connect("analyst12")
        session, _ = await self.session_between(planner, analyst)
        await analyst.close()
        again = await self.connect("analyst12", recover=True)
        await soon(again.drain())
        self.assertIsNone((await soon(session.closed)).error)


if __name__ == "__main__":
    unittest.main()
