"""Who leaves while something is on its way: a reader, an agent that drains, an offer that nobody has answered."""

from __future__ import annotations

import asyncio
import tempfile
import unittest
from pathlib import Path
from typing import List

from agentworks import Agent, Offer

from .fixtures import AgentTest, reason_of, said, soon


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

    async def test_an_agent_that_leaves_waits_for_no_answer_to_what_it_offers(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            journal = Path(folder) / "journal"
            planner = await self.connect("planner15", journal=journal, recover=True)
            self.stage.certified("sleeper15")
            opening = asyncio.ensure_future(planner.open("sleeper15", wait_ms=60_000))
            await said(planner)
            await soon(planner.drain())
            self.assertEqual(await reason_of(opening), "agent_draining")
            # The broker has the offer still: who accepts it is met by the next life.
            sleeper = await self.connect("sleeper15")
            theirs = await soon(sleeper.sessions().__anext__())
            again = await self.connect("planner15", journal=journal, recover=True)
            ours = await soon(again.sessions().__anext__())
            self.assertEqual((ours.id, ours.recovered), (theirs.id, True))
            await soon(again.drain())
            self.assertEqual(await soon(theirs.closed), ("drained", None))

    async def test_an_offer_that_is_accepted_after_all_while_its_agent_drains_is_closed(self) -> None:
        planner, analyst = await self.connect("planner"), await self.connect("analyst")
        go = asyncio.Event()
        await planner.handle("wait", lambda _: go.wait())
        session = await analyst.open("planner")
        task = session.request("wait", None)
        await soon(task.delivered)
        self.stage.certified("sleeper16")
        opening = asyncio.ensure_future(planner.open("sleeper16", wait_ms=60_000))
        await said(planner)
        drained = asyncio.ensure_future(planner.drain())
        self.assertEqual(await reason_of(opening), "agent_draining")
        sleeper = await self.connect("sleeper16")
        theirs = await soon(sleeper.sessions().__anext__())
        self.assertEqual(await soon(theirs.closed), ("abandoned", None))
        go.set()
        self.assertTrue(await soon(task))
        await soon(drained)

    async def test_an_open_that_waits_for_room_ends_with_its_agent(self) -> None:
        worker, analyst = await self.connect("worker17"), await self.connect("analyst")
        await worker.handle("dig17", lambda _: "dug", max_concurrency=1)
        await analyst.open(capability="dig17")
        for reason in ("agent_draining", "agent_closed"):
            planner = await self.connect("planner")
            opening = asyncio.ensure_future(planner.open(capability="dig17", wait_ms=60_000))
            await said(planner)
            self.assertFalse(opening.done())
            await soon(planner.drain() if reason == "agent_draining" else planner.close())
            self.assertEqual(await reason_of(opening), reason)


if __name__ == "__main__":
    unittest.main()
