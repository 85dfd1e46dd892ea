"""Connections that break, on both paths: the work goes on where it stood, nothing lost, nothing twice, nothing out of
order."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import unittest
from typing import Any, List

from agentworks import Backoff, Connected, Disconnected, GoingAway, TaskContext
from agentworks.heartbeat import Timing

from .fixtures import AgentTest, soon, take, turn, until


class _Breaking(AgentTest):
    direct = False
    path = "connect"

    async def test_messages_in_both_directions_survive_cut_sockets_of_both_ends(self) -> None:
        planner = await self.connect("planner", direct=self.direct)
        analyst = await self.connect("analyst", direct=self.direct)
        here, there = await self.session_between(planner, analyst)
        outward, homeward = there.messages(), here.messages()
        statuses = planner.status()
        count = 2_000
        sent = [(here.send(n), there.send(count + n)) for n in range(count)]
        got: List[List[Any]] = [[], []]
        for n in range(count):
            # Both ends, each a few times, at moments that have nothing to do with frames.
            if n % 701 == 350:
                self.stage.cut("planner", self.path)
            if n % 701 == 700:
                self.stage.cut("analyst", self.path)
            got[0].append((await soon(outward.__anext__())).content)
            got[1].append((await soon(homeward.__anext__())).content)
        self.assertEqual(got, [list(range(count)), list(range(count, 2 * count))])
        for n, (out, home) in enumerate(sent):
            self.assertEqual(((await soon(out)).seq, (await soon(home)).seq), (n + 1, n + 1))
        self.assertTrue((await until(statuses, Disconnected)).will_reconnect)
        await soon(sent[-1][0].delivered)

    async def test_a_task_outlives_the_sockets_of_both_ends(self) -> None:
        planner = await self.connect("planner", direct=self.direct)
        analyst = await self.connect("analyst", direct=self.direct)
        await planner.handle("read", lambda part: part)
        runs = 0

        @analyst.handle("analyze")
        async def analyze(_: Any, task: TaskContext) -> List[Any]:
            nonlocal runs
            runs += 1
            parts: List[Any] = []
            for part in range(30):
                if part % 10 == 3:
                    self.stage.cut("analyst", self.path)
                if part % 10 == 6:
                    self.stage.cut("planner", self.path)
                parts.append(await task.session.request("read", part))
                await task.progress(part)
            return parts

        task = (await planner.open("analyst")).request("analyze", None)
        self.assertEqual(await take(task.progress, 30), list(range(30)))
        self.assertEqual((await soon(task), runs), (list(range(30)), 1))

    async def test_a_session_opened_while_there_is_no_connection_opens_when_there_is_one_again(self) -> None:
        planner = await self.connect("planner", direct=self.direct)
        analyst = await self.connect("analyst", direct=self.direct)
        statuses = planner.status()
        self.stage.cut("planner", "connect")
        await until(statuses, Disconnected)
        session = await soon(planner.open("analyst"))
        self.assertEqual((await soon(session.send("hello"))).seq, 1)
        there = await soon(analyst.sessions().__anext__())
        self.assertEqual((await take(there.messages(), 1))[0].content, "hello")

    async def test_drained_by_the_broker_an_agent_is_back_at_once_and_loses_nothing(self) -> None:
        planner = await self.connect("planner", direct=self.direct)
        analyst = await self.connect("analyst", direct=self.direct, reconnect=Backoff())
        here, there = await self.session_between(planner, analyst)
        messages = there.messages()
        sent = [here.send(n) for n in range(500)]
        await take(messages, 100)
        statuses = analyst.status()
        started = time.monotonic()
        answer = self.stage.ask("administer", method="POST", path="/v1/agents/analyst/drain")
        self.assertEqual((answer["status"], answer["body"]["closed"]), (200, 1))
        self.assertEqual((await until(statuses, GoingAway)).reason, "draining")
        lost = await until(statuses, Disconnected)
        self.assertEqual((lost.code, lost.will_reconnect), (4503, True))
        await until(statuses, Connected)
        # As a rule within a second; this machine may have other things to do.
        self.assertLess(time.monotonic() - started, 5)
        here.send("after the drain")
        rest = [message.content for message in await take(messages, 401)]
        self.assertEqual(rest, [*range(100, 500), "after the drain"])
        for receipt in sent:
            await soon(receipt)


class Multiplexed(_Breaking):
    """Over the agent's one connection."""

    async def test_two_sessions_on_one_connection_keep_their_own_order(self) -> None:
        planner, analyst, writer = [await self.connect(name) for name in ("planner", "analyst", "writer")]
        one = await self.session_between(planner, analyst)
        two = await self.session_between(planner, writer)
        sent = [session.send(n) for n in range(1_000) for session in (one[0], two[0])]
        for _, there in (one, two):
            got = [message.content for message in await take(there.messages(), 1_000)]
            self.assertEqual(got, list(range(1_000)))
        for receipt in sent:
            await soon(receipt)

    async def test_workerd_killed_and_started_again_by_its_keeper(self) -> None:
        here, there = await self.session_between(
            await self.connect("planner"), analyst := await self.connect("analyst")
        )
        messages = there.messages()
        sent = [here.send(n) for n in range(600)]
        got = await take(messages, 100)
        statuses = analyst.status()
        os.kill(self.stage.ask("workerd")["pid"], signal.SIGKILL)
        await until(statuses, Disconnected)
        await until(statuses, Connected)
        got += await take(messages, 500)
        self.assertEqual([message.content for message in got], list(range(600)))
        for receipt in sent:
            await soon(receipt)

    async def test_a_broker_that_falls_silent_is_given_up_and_found_again(self) -> None:
        timing = Timing(heartbeat_interval_ms=100, heartbeat_timeout_ms=400)
        planner, analyst = await self.connect("planner", timing=timing), await self.connect("analyst", timing=timing)
        here, there = await self.session_between(planner, analyst)
        statuses = planner.status()
        pid = self.stage.ask("workerd")["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            sent = here.send("into the silence")
            lost = await until(statuses, Disconnected)
            self.assertEqual((lost.code, lost.will_reconnect), (4512, True))
        finally:
            os.kill(pid, signal.SIGCONT)
        await until(statuses, Connected)
        self.assertEqual((await soon(sent)).seq, 1)
        self.assertEqual((await take(there.messages(), 1))[0].content, "into the silence")

    async def test_without_reconnect_one_loss_is_the_end(self) -> None:
        planner = await self.connect("planner", reconnect=False)
        serving = asyncio.ensure_future(planner.serve_forever())
        self.stage.cut("planner")
        with self.assertRaisesRegex(Exception, "connection_failed"):
            await soon(serving)


class Direct(_Breaking):
    """Over a WebSocket for each session."""

    direct = True
    path = "sessions"

    async def test_a_direct_session_takes_its_work_off_the_agents_connection(self) -> None:
        planner, analyst = await self.connect("planner", direct=True), await self.connect("analyst")
        here, there = await self.session_between(planner, analyst)
        messages = there.messages()
        await here.send("over either path")
        await take(messages, 1)
        while f"/v1/sessions/{here.id}" not in self.stage.ask("paths", agent="planner")["paths"]:
            await turn()
        statuses = planner.status()
        self.stage.cut("planner", "connect")
        await soon(here.send("over its own"))
        self.assertEqual((await take(messages, 1))[0].content, "over its own")
        self.assertIsNone((await until(statuses, Disconnected)).session)


del _Breaking


if __name__ == "__main__":
    unittest.main()
