"""What handlers do that no handler should: each task gets its one response, and nothing else suffers by it."""

from __future__ import annotations

import asyncio
import gc
import unittest

from agentworks import TaskContext

from .fixtures import AgentTest, reason_of, said, soon


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
        for n in range(60):
            for capability in ("busy", "early"):
                task = session.request(capability, n)
                task.cancel()
                self.assertEqual(await reason_of(task), "task_cancelled")
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
