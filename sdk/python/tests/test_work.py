"""Work through the real broker, over real TLS: messages, tasks, back-pressure."""

from __future__ import annotations

import asyncio
import threading
import unittest
from typing import Any, List

import agentworks
from agentworks import AgentworksError, TaskCancelled, TaskContext, TaskFailed
from agentworks.protocol.limits import OUTBOX_MESSAGES_MAX, WINDOW_MESSAGES

from .fixtures import AgentTest, patience_s, reason_of, soon, take, turn


class Messages(AgentTest):
    async def test_an_agent_is_who_its_certificate_says(self) -> None:
        agent = await self.connect("planner")
        self.assertEqual((agent.id, agent.account), ("planner", "local"))

    async def test_messages_arrive_in_order_each_with_its_receipts(self) -> None:
        here, there = await self.session_between(await self.connect("planner"), await self.connect("analyst"))
        receipts = [await one for one in [here.send("a"), here.send({"b": [1, "ü\ud800"]}), here.send(None)]]
        self.assertEqual([receipt.seq for receipt in receipts], [1, 2, 3])
        got = await take(there.messages(), 3)
        self.assertEqual([message.content for message in got], ["a", {"b": [1, "ü\ud800"]}, None])
        self.assertEqual([message.id for message in got], [receipt.id for receipt in receipts])
        await soon(receipts[2].delivered)

    async def test_content_is_judged_before_it_costs_anything(self) -> None:
        here, _ = await self.session_between(await self.connect("planner"), await self.connect("analyst"))
        nested: Any = 1
        for _level in range(40):
            nested = [nested]
        for content, reason in [
            ("x" * 262_144, "envelope_too_large"),
            (nested, "too_deep"),
            ({1, 2}, "invalid_argument"),
            (float("nan"), "invalid_argument"),
            ({"id": 2**60 + 1}, "invalid_argument"),
        ]:
            with self.assertRaises(AgentworksError) as raised:
                here.send(content)
            self.assertEqual(raised.exception.reason, reason)
        self.assertEqual((await here.send("x" * 260_000)).seq, 1)

    async def test_a_slow_reader_slows_the_sender_and_the_outbox_is_bounded(self) -> None:
        here, there = await self.session_between(await self.connect("planner"), await self.connect("analyst"))
        receipts = [here.send(n) for n in range(OUTBOX_MESSAGES_MAX)]
        with self.assertRaises(AgentworksError) as raised:
            here.send("one more")
        self.assertEqual((raised.exception.reason, raised.exception.retryable), ("resource_exhausted", True))
        ready = asyncio.ensure_future(here.ready())
        # The broker has stored as much as it may while nobody reads.
        await soon(receipts[WINDOW_MESSAGES - 1])
        self.assertFalse(ready.done())
        got = await take(there.messages(), OUTBOX_MESSAGES_MAX)
        self.assertEqual([message.content for message in got], list(range(OUTBOX_MESSAGES_MAX)))
        await soon(ready)
        await soon(receipts[-1].delivered)

    async def test_ready_keeps_a_loop_within_a_window(self) -> None:
        here, there = await self.session_between(await self.connect("planner"), await self.connect("analyst"))

        async def read() -> int:
            count = 0
            async for _ in there.messages():
                count += 1
            return count

        reading = asyncio.ensure_future(read())
        most = 0
        for n in range(3_000):
            await here.ready()
            here.send(n)
            most = max(most, here._core.waiting)
        await here.close()
        self.assertEqual(await soon(reading), 3_000)
        self.assertLessEqual(most, WINDOW_MESSAGES)

    async def test_a_reader_that_is_cancelled_takes_nothing_with_it(self) -> None:
        here, there = await self.session_between(await self.connect("planner"), await self.connect("analyst"))
        messages = there.messages()
        for n in range(20):
            waiting = asyncio.ensure_future(messages.__anext__())
            await turn()
            receipt = here.send(n)
            if n % 2:
                await receipt
            waiting.cancel()
            try:
                self.assertEqual((await waiting).content, n)
            except asyncio.CancelledError:
                self.assertEqual((await soon(messages.__anext__())).content, n)

    async def test_pause_holds_the_peers_work_back_and_resume_lets_it_come(self) -> None:
        here, there = await self.session_between(await self.connect("planner"), await self.connect("analyst"))
        there.pause()
        # What is sent on the session after the pause shows that the broker has taken it.
        await there.send("paused")
        receipt = await here.send("later")
        arrived = asyncio.ensure_future(take(there.messages(), 1))
        await there.send("still paused")
        self.assertFalse(arrived.done())
        there.resume()
        await soon(arrived)
        await soon(receipt.delivered)


class Tasks(AgentTest):
    async def test_a_task_gives_progress_and_a_result(self) -> None:
        analyst = await self.connect("analyst")

        @analyst.handle("analyze", description="reads", max_concurrency=4)
        async def analyze(input: Any, task: TaskContext) -> Any:
            await task.progress(1)
            await task.progress(2)
            return {"input": input, "requester": task.requester}

        await analyst.announced()
        session = await (await self.connect("planner")).open("analyst")
        self.assertEqual(session.capabilities, [{"name": "analyze", "description": "reads", "max_concurrency": 4}])
        task = session.request("analyze", "text")
        self.assertEqual([step async for step in task.progress], [1, 2])
        self.assertEqual(await task, {"input": "text", "requester": "planner"})
        self.assertEqual(await task.result, await task)
        self.assertEqual((await task.stored).seq, 1)
        await soon(task.delivered)

    async def test_a_plain_function_runs_in_a_thread_and_tells_its_progress(self) -> None:
        analyst = await self.connect("analyst")
        threads: List[str] = []
        together = threading.Barrier(4)

        def crunch(input: int, task: TaskContext) -> int:
            threads.append(threading.current_thread().name)
            task.progress("half")
            together.wait(patience_s)
            return input * 2

        await analyst.handle("crunch", crunch)
        await analyst.handle("upper", str.upper)
        session = await (await self.connect("planner")).open("analyst")
        tasks = [session.request("crunch", n) for n in range(4)]
        self.assertEqual([await task for task in tasks], [0, 2, 4, 6])
        self.assertEqual([step async for step in tasks[0].progress], ["half"])
        self.assertEqual(set(threads), {"agentworks-crunch"})
        self.assertEqual(await session.request("upper", "abc"), "ABC")

    async def test_what_a_handler_raises_fails_the_task(self) -> None:
        analyst = await self.connect("analyst")

        async def fail(input: str) -> Any:
            if input == "chosen":
                raise TaskFailed("no_paper", "The tray is empty.", retryable=True)
            if input == "unsayable":
                return {1, 2}
            raise KeyError("oops")

        await analyst.handle("fail", fail)
        session = await (await self.connect("planner")).open("analyst")
        with self.assertRaises(TaskFailed) as raised:
            await session.request("fail", "chosen")
        self.assertEqual(
            raised.exception.error, {"reason": "no_paper", "message": "The tray is empty.", "retryable": True}
        )
        self.assertTrue(raised.exception.retryable)
        with self.assertLogs("agentworks", "ERROR"), self.assertRaises(TaskFailed) as raised:
            await session.request("fail", "other")
        self.assertEqual(raised.exception.error, {"reason": "handler_failed", "message": "'oops'"})
        self.assertEqual(await reason_of(session.request("fail", "unsayable")), "invalid_argument")
        self.assertEqual(await reason_of(session.request("nothing", 1)), "capability_unknown")

    async def test_max_concurrency_is_obeyed_and_the_others_wait_for_their_turn(self) -> None:
        analyst = await self.connect("analyst")
        running = 0
        most = 0

        @analyst.handle("work", max_concurrency=2)
        async def work(_: Any, task: TaskContext) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await task.progress("begun")
            running -= 1

        session = await (await self.connect("planner")).open("analyst")
        for task in [session.request("work", n) for n in range(7)]:
            self.assertIsNone(await task)
        self.assertEqual(most, 2)

    async def test_cancel_stops_a_coroutine_which_may_still_answer(self) -> None:
        analyst = await self.connect("analyst")
        cleaned = asyncio.Event()

        @analyst.handle("wait")
        async def wait(input: str) -> str:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cleaned.set()
                if input == "answer":
                    return "what there is"
                raise
            return "never"

        session = await (await self.connect("planner")).open("analyst")
        task = session.request("wait", "stop")
        await soon(task.delivered)
        task.cancel("enough")
        with self.assertRaises(TaskCancelled):
            await soon(task)
        self.assertTrue(cleaned.is_set())
        task = session.request("wait", "answer")
        await soon(task.delivered)
        task.cancel()
        self.assertEqual(await soon(task), "what there is")
        # One that is over cannot be cancelled, and that is no error.
        task.cancel()
        async with session.request("wait", "left") as task:
            await soon(task.delivered)
        self.assertEqual(await reason_of(task), "task_cancelled")

    async def test_cancel_is_seen_by_a_plain_function(self) -> None:
        analyst = await self.connect("analyst")

        def wait(_: Any, task: TaskContext) -> None:
            while not task.cancelled:
                task.progress("waiting")
            raise RuntimeError("stopped")

        await analyst.handle("wait", wait)
        session = await (await self.connect("planner")).open("analyst")
        task = session.request("wait", None)
        await soon(task.delivered)
        task.cancel()
        self.assertEqual(await reason_of(task), "task_cancelled")

    async def test_cancelling_the_asyncio_task_that_awaits_leaves_the_task_alone(self) -> None:
        analyst = await self.connect("analyst")
        go = asyncio.Event()

        @analyst.handle("slow")
        async def slow(_: Any) -> str:
            await go.wait()
            return "done"

        session = await (await self.connect("planner")).open("analyst")
        task = session.request("slow", None)
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(task.result, 0.05)
        others = [asyncio.ensure_future(soon(task)) for _ in range(3)]
        await turn()
        others[0].cancel()
        go.set()
        self.assertEqual(await asyncio.gather(*others[1:]), ["done", "done"])

    async def test_while_it_works_the_performer_asks_the_requester_back(self) -> None:
        planner, analyst = await self.connect("planner"), await self.connect("analyst")
        await planner.handle("read", lambda part: f"part {part}")

        @analyst.handle("analyze")
        async def analyze(_: Any, task: TaskContext) -> List[Any]:
            return [await task.session.request("read", n) for n in range(3)]

        session = await planner.open("analyst")
        self.assertEqual(await soon(session.request("analyze", None)), ["part 0", "part 1", "part 2"])

    async def test_a_task_that_is_not_done_in_time_expires_and_its_handler_is_told(self) -> None:
        analyst = await self.connect("analyst")
        told = asyncio.Event()
        deadlines: List[Any] = []

        @analyst.handle("endless")
        async def endless(_: Any, task: TaskContext) -> None:
            deadlines.append(task.deadline)
            try:
                await asyncio.Event().wait()
            finally:
                told.set()

        session = await (await self.connect("planner")).open("analyst")
        with self.assertRaises(agentworks.TaskExpired) as raised:
            await soon(session.request("endless", 1, deadline_ms=200))
        self.assertEqual(raised.exception.reason, "deadline_exceeded")
        await soon(told.wait())
        self.assertIsNotNone(deadlines[0].tzinfo)
        for deadline_ms in (-1, 86_400_001):
            with self.assertRaises(AgentworksError):
                session.request("endless", 1, deadline_ms=deadline_ms)

    async def test_more_tasks_than_a_session_may_have_open_are_refused(self) -> None:
        analyst = await self.connect("analyst")
        go = asyncio.Event()
        await analyst.handle("wait", lambda _: go.wait())
        session = await (await self.connect("planner")).open("analyst")
        tasks = [session.request("wait", n) for n in range(128)]
        with self.assertRaises(AgentworksError) as raised:
            session.request("wait", 128)
        self.assertEqual((raised.exception.reason, raised.exception.retryable), ("too_many_tasks", True))
        go.set()
        for task in tasks:
            self.assertTrue(await soon(task))


if __name__ == "__main__":
    unittest.main()
