"""Who leaves while something is on its way: a reader, an agent that drains, an offer that nobody has answered."""

from __future__ import annotations

import asyncio
import tempfile
import unittest
from pathlib import Path
from typing import List

from agentworks import Agent, Offer

from .fixtures import AgentTest, soon


class Leaving(AgentTest):
    async def test_a_reader_that_closes_its_session_and_then_leaves_keeps_nothing_from_ending(self) -> None:
        here, there = await self.session_between(await self.connect("planner"), await self.connect("analyst"))
        for content in ("stop", 2, 3):
            here.send(content)
        async for _ in there.messages():
            await there.close("enough")
            break
        for session in (here, there):
            self.assertEqual(await soon(session.closed), ("enough", None))

    async def test_what_is_accepted_while_the_agent_drains_is_closed_and_its_journal_can_be_read(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            journal = Path(folder) / "journal"
            planner = await self.connect("planner14")
            agents: List[Agent] = []
            draining: "List[asyncio.Future[None]]" = []

            def accept(_: Offer) -> bool:
                # It begins when the session waits for the broker's answer to its SESSION_ACCEPT.
                draining.append(asyncio.ensure_future(agents[0].drain()))
                return True

            agents.append(await self.connect("analyst14", journal=journal, recover=True, accept=accept))
            session = await soon(planner.open("analyst14"))
            await soon(draining[0])
            self.assertEqual(await soon(session.closed), ("drained", None))
            again = await self.connect("analyst14", journal=journal, recover=True)
            self.assertEqual((await soon(planner.open("analyst14"))).peer, again.id)


if __name__ == "__main__":
    unittest.main()
