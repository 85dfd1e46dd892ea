"""How agents and sessions begin and end: opening, judging, closing, draining, superseding."""

from __future__ import annotations

import asyncio
import unittest
from typing import Any, Dict, List, Tuple

from agentworks import (
    AgentworksError,
    Connected,
    Disconnected,
    Fault,
    Offer,
    SessionClosed,
    SessionOpened,
    Superseded,
    TaskContext,
)

from .fixtures import AgentTest, reason_of, said, soon, until


class Opening(AgentTest):
    async def test_why_a_session_cannot_be_opened(self) -> None:
        planner = await self.connect("planner")
        self.stage.certified("analyst")
        cases: List[Tuple[str, Dict[str, Any]]] = [
            ("agent_offline", {"peer": "analyst"}),
            ("agent_unknown", {"peer": "nobody"}),
            ("self_session", {"peer": "planner"}),
            ("capability_unknown", {"capability": "nothing-like-it"}),
            ("invalid_argument", {"peer": "No Agent"}),
            ("invalid_argument", {"capability": "No Capability"}),
            ("invalid_argument", {}),
            ("invalid_argument", {"peer": "analyst", "wait_ms": -1}),
        ]
        for reason, how in cases:
            with self.subTest(**how):
                self.assertEqual(await reason_of(planner.open(**how)), reason)

    async def test_an_offer_waits_for_a_peer_that_is_away(self) -> None:
        planner = await self.connect("planner")
        self.stage.certified("late")
        opening = asyncio.ensure_future(planner.open("late", wait_ms=20_000))
        await said(planner)
        await self.connect("late")
        self.assertEqual((await soon(opening)).peer, "late")

    async def test_an_opener_that_is_cancelled_leaves_nothing_open(self) -> None:
        planner = await self.connect("planner")
        self.stage.certified("later")
        opening = asyncio.ensure_future(planner.open("later", wait_ms=20_000))
        await said(planner)
        opening.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await opening
        later = await self.connect("later")
        session = await soon(later.sessions().__anext__())
        self.assertEqual((await soon(session.closed)).reason, "abandoned")

    async def test_a_session_by_capability_is_with_whoever_has_room(self) -> None:
        planner = await self.connect("planner")
        workers = [await self.connect(f"worker{n}") for n in range(2)]
        for worker in workers:
            await worker.handle("dig", lambda _: "dug", max_concurrency=1)
        sessions = [await planner.open(capability="dig") for _ in workers]
        self.assertEqual({session.peer for session in sessions}, {"worker0", "worker1"})
        self.assertEqual(await reason_of(planner.open(capability="dig")), "capability_busy")
        waiting = asyncio.ensure_future(planner.open(capability="dig", wait_ms=20_000))
        await said(planner)
        await sessions[0].close()
        self.assertEqual((await soon(waiting)).peer, sessions[0].peer)

    async def test_accept_judges_offers(self) -> None:
        def accept(offer: Offer) -> Any:
            if offer.metadata == "boom":
                raise RuntimeError("no idea")
            return True if offer.metadata == "please" else False if offer.metadata == "no" else "say please"

        planner, analyst = await self.connect("planner"), await self.connect("analyst", accept=accept)
        statuses = analyst.status()
        for metadata, why in [(None, "say please"), ("no", "why."), ("boom", "failed to judge")]:
            with self.assertRaises(AgentworksError) as raised:
                await planner.open("analyst", metadata=metadata)
            self.assertEqual(raised.exception.reason, "offer_rejected")
            self.assertIn(why, raised.exception.detail)
        self.assertEqual((await until(statuses, Fault)).error.reason, "invalid_argument")
        self.assertEqual((await planner.open("analyst", metadata="please")).peer, "analyst")

    async def test_agents_lists_who_can_do_what_and_handle_may_be_called_again(self) -> None:
        planner, analyst = await self.connect("planner"), await self.connect("lister")
        await asyncio.gather(
            analyst.handle("list-a", lambda _: 1, description="reads"), analyst.handle("list-b", lambda _: 2)
        )
        await analyst.handle("list-a", lambda _: 1, description="reads well", version="2")
        self.assertEqual(
            await planner.agents(capability="list-a"),
            [
                {
                    "agent": "lister",
                    "connected": True,
                    "capabilities": [
                        {"name": "list-a", "description": "reads well", "version": "2"},
                        {"name": "list-b"},
                    ],
                }
            ],
        )
        names = [one["agent"] for one in await planner.agents()]
        self.assertTrue({"planner", "lister"} <= set(names))


class Ending(AgentTest):
    async def test_close_lets_what_was_sent_before_arrive_then_ends_both_sides(self) -> None:
        here, there = await self.session_between(await self.connect("planner"), await self.connect("analyst"))
        here.send(1)
        here.send(2)
        await here.close("done")
        with self.assertRaises(AgentworksError) as raised:
            here.send(3)
        self.assertEqual(raised.exception.reason, "session_closed")
        self.assertEqual([message.content async for message in there.messages()], [1, 2])
        for session in (here, there):
            end = await soon(session.closed)
            self.assertEqual((end.reason, end.error), ("done", None))
        with self.assertRaises(AgentworksError):
            there.send(4)
        await here.close()

    async def test_both_sides_may_close_at_the_same_time(self) -> None:
        here, there = await self.session_between(await self.connect("planner"), await self.connect("analyst"))
        await asyncio.gather(soon(here.close("a")), soon(there.close("b")))
        for session in (here, there):
            self.assertIsNone((await soon(session.closed)).error)

    async def test_async_with_closes_what_it_opened(self) -> None:
        planner, analyst = await self.connect("planner"), await self.connect("analyst")
        offered = analyst.sessions()
        async with await planner.open("analyst") as session:
            session.send("hello")
        there = await soon(offered.__anext__())
        self.assertEqual([message.content async for message in there.messages()], ["hello"])
        with self.assertRaises(ZeroDivisionError):
            async with await planner.open("analyst") as session:
                1 / 0
        self.assertEqual((await soon(session.closed)).reason, "closed")
        async with await self.dial("visitor") as visitor:
            self.assertEqual(visitor.id, "visitor")
        self.assertEqual(await reason_of(visitor.open("analyst")), "agent_closed")

    async def test_closing_cancels_what_the_peer_runs_and_fails_what_was_asked(self) -> None:
        planner, analyst = await self.connect("planner"), await self.connect("analyst")
        cancelled = asyncio.Event()

        @analyst.handle("wait")
        async def wait(_: Any, task: TaskContext) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        session = await planner.open("analyst")
        task = session.request("wait", None)
        await soon(task.delivered)
        await session.close()
        await soon(cancelled.wait())
        self.assertEqual(await reason_of(task), "session_closed")

    async def test_the_second_connection_with_a_certificate_supersedes_the_first_which_stays_away(self) -> None:
        first, analyst = await self.connect("planner"), await self.connect("analyst")
        session = await first.open("analyst")
        serving = asyncio.ensure_future(first.serve_forever())
        statuses = first.status()
        reading = asyncio.ensure_future(session.messages().__anext__())
        second = await self.connect("planner")
        lost = await until(statuses, Disconnected)
        self.assertEqual((lost.code, lost.will_reconnect), (4409, False))
        await until(statuses, Superseded)
        self.assertEqual(await reason_of(reading), "superseded")
        end = await soon(session.closed)
        self.assertEqual(end.error and end.error.reason, "superseded")
        self.assertEqual(await reason_of(serving), "superseded")
        self.assertEqual(await reason_of(first.open("analyst")), "superseded")
        self.assertEqual((await second.open(analyst.id)).peer, "analyst")

    async def test_drain_refuses_what_is_new_lets_handlers_end_and_leaves_nothing_unsaid(self) -> None:
        planner, analyst = await self.connect("planner"), await self.connect("analyst")
        go = asyncio.Event()

        @analyst.handle("work")
        async def work(_: Any, task: TaskContext) -> str:
            await go.wait()
            task.session.send("last words")
            return "done"

        session = await planner.open("analyst")
        messages = session.messages()
        task = session.request("work", None)
        await soon(task.delivered)
        serving = asyncio.ensure_future(analyst.serve_forever())
        drained = asyncio.ensure_future(analyst.drain())
        with self.assertRaises(AgentworksError) as raised:
            await soon(session.request("work", None))
        self.assertEqual((raised.exception.reason, raised.exception.retryable), ("agent_draining", True))
        self.assertEqual(await reason_of(planner.open("analyst")), "offer_rejected")
        self.assertEqual(await reason_of(analyst.open("planner")), "agent_draining")
        go.set()
        self.assertEqual(await soon(task), "done")
        self.assertEqual((await soon(messages.__anext__())).content, "last words")
        await soon(drained)
        await soon(serving)
        self.assertEqual([message async for message in messages], [])
        self.assertEqual((await soon(session.closed)).reason, "drained")
        self.assertEqual(await reason_of(planner.open("analyst")), "agent_offline")

    async def test_a_handler_cannot_await_drain_but_can_await_close(self) -> None:
        planner, analyst = await self.connect("planner"), await self.connect("analyst")

        @analyst.handle("leave")
        async def leave(how: str) -> None:
            await (analyst.drain() if how == "drain" else analyst.close())

        session = await planner.open("analyst")
        self.assertEqual(await reason_of(session.request("leave", "drain")), "invalid_argument")
        session.request("leave", "close")
        await soon(analyst.serve_forever())

    async def test_close_ends_everything_at_once(self) -> None:
        planner, analyst = await self.connect("planner"), await self.connect("analyst")

        @analyst.handle("wait")
        async def wait(_: Any) -> None:
            await asyncio.Event().wait()

        session = await planner.open("analyst")
        statuses = planner.status()
        task = session.request("wait", None)
        await soon(task.delivered)
        session.send("nobody awaits it")
        await planner.close()
        self.assertEqual(await reason_of(task), "agent_closed")
        self.assertEqual([message async for message in session.messages()], [])
        self.assertEqual((await soon(session.closed)).reason, "agent_closed")
        self.assertIs((await until(statuses, SessionClosed)).session, session)
        self.assertEqual([status async for status in statuses], [])
        self.assertEqual([one async for one in planner.sessions()], [])
        await planner.close()

    async def test_statuses_tell_what_happens(self) -> None:
        planner, analyst = await self.connect("planner"), await self.connect("analyst")
        statuses = planner.status()
        session = await planner.open("analyst")
        self.assertIs((await until(statuses, SessionOpened)).session, session)
        self.stage.cut("planner")
        self.assertTrue((await until(statuses, Disconnected)).will_reconnect)
        self.assertEqual(await until(statuses, Connected), Connected("planner"))
        await session.close("bye")
        closed = await until(statuses, SessionClosed)
        self.assertEqual((closed.session, closed.reason, closed.error), (session, "bye", None))
        self.assertEqual(analyst.id, "analyst")


if __name__ == "__main__":
    unittest.main()
