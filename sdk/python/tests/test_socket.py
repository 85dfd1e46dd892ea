"""One WebSocket and its connection against a small server of the tests' own: what is said byte by byte, and when it
dials again."""

from __future__ import annotations

import asyncio
import json
import unittest
from typing import Any, List, Sequence, Tuple
from urllib.parse import urlsplit

from agentworks import Agent, AgentworksError, Backoff
from agentworks.connection import Connection, ConnectionOptions
from agentworks.credentials import Credentials
from agentworks.heartbeat import Timing
from agentworks.socket import SocketEnd

from .fixtures import AgentTest, reason_of, soon, turn
from .server import Peer, Server

_steady = Timing(60_000, 180_000, 60_000)


class Told:
    """What a connection said, in order."""

    def __init__(self, greeting: Sequence[str]) -> None:
        self._greeting = greeting
        self._said: "asyncio.Queue[Tuple[Any, ...]]" = asyncio.Queue()

    async def next(self) -> Tuple[Any, ...]:
        return await soon(self._said.get())

    def opened(self) -> Sequence[str]:
        return self._greeting

    def frame(self, text: str) -> None:
        self._said.put_nowait(("frame", text))

    def lost(self, end: SocketEnd, will_reconnect: bool) -> None:
        self._said.put_nowait(("lost", end.code, will_reconnect))

    def retrying(self, attempt: int, delay_ms: int) -> None:
        self._said.put_nowait(("retrying", attempt, delay_ms))

    def stopped(self, error: AgentworksError) -> None:
        self._said.put_nowait(("stopped", error.reason))


class Sockets(AgentTest):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.server = await Server().__aenter__()
        self.connections: List[Connection] = []

    async def asyncTearDown(self) -> None:
        for connection in self.connections:
            connection.stop(1000, "done")
        await self.server.__aexit__()
        for connection in self.connections:
            await connection.wait_closed()
        await super().asyncTearDown()

    async def dial_agent(self, **more: Any) -> Agent:
        return await self.dial(url=self.server.url, **more)

    def dial_connection(self, timing: Timing = _steady, greeting: Sequence[str] = ()) -> Tuple[Connection, Told]:
        it = self.stage.certified("planner")
        credentials = Credentials(it["certificate"], it["key"], it["ca"])
        url = urlsplit(f"{self.server.url}/v1/connect")
        told = Told(greeting)
        connection = Connection(ConnectionOptions(url, credentials, timing, Backoff(2, 8), lambda: 0.5), told)
        self.connections.append(connection)
        connection.start()
        return connection, told

    async def test_H1_H2_the_heartbeat_is_the_exact_text_alone_in_its_frame(self) -> None:
        _, told = self.dial_connection(Timing(30, 60_000, 60_000))
        peer = await soon(self.server.accepted.get())
        self.assertEqual(peer.path, "/v1/connect")
        self.assertEqual(await soon(peer.text()), '{"type":"HEARTBEAT"}')
        peer.say('{"type":"HEARTBEAT_ACK"}')
        self.assertEqual(await told.next(), ("frame", '{"type":"HEARTBEAT_ACK"}'))
        self.assertEqual(await soon(peer.text()), '{"type":"HEARTBEAT"}')

    async def test_H2_without_any_answer_the_connection_is_given_up_and_dialled_again(self) -> None:
        _, told = self.dial_connection(Timing(10, 40, 60_000))
        await soon(self.server.accepted.get())
        self.assertEqual([await told.next(), await told.next()], [("lost", 4512, True), ("retrying", 1, 1)])
        await soon(self.server.accepted.get())

    async def test_its_first_frames_are_the_greetings_and_waits_grow_until_the_broker_spoke_sense(self) -> None:
        connection, told = self.dial_connection(greeting=["hello", "and more"])
        for attempt, delay_ms in enumerate([1, 2, 4, 4]):
            peer = await soon(self.server.accepted.get())
            self.assertEqual([await soon(peer.text()), await soon(peer.text())], ["hello", "and more"])
            peer.close(4503, "draining")
            self.assertEqual(await told.next(), ("lost", 4503, True))
            self.assertEqual(await told.next(), ("retrying", attempt + 1, delay_ms))
        peer = await soon(self.server.accepted.get())
        await soon(peer.text())
        connection.settled()
        peer.abort()
        self.assertEqual([await told.next(), await told.next()], [("lost", 1006, True), ("retrying", 1, 1)])
        last = await soon(self.server.accepted.get())
        await soon(last.text())
        connection.send(["the last"])
        connection.stop(1000, "done")
        self.assertEqual(await soon(last.close_code()), 1000)

    async def test_C5_final_close_codes(self) -> None:
        for code, reason in [(4400, "connection_refused"), (4403, "connection_refused"), (4409, "superseded")]:
            _, told = self.dial_connection()
            (await soon(self.server.accepted.get())).close(code, "go")
            self.assertEqual([await told.next(), await told.next()], [("lost", code, False), ("stopped", reason)])

    async def test_a_refused_upgrade_is_final_when_its_problem_says_so_and_tried_again_when_it_may_pass(self) -> None:
        def problem(reason: str, retryable: bool) -> str:
            return json.dumps({"code": "unavailable", "reason": reason, "detail": "…", "retryable": retryable})

        self.server.refusal = (500, problem("internal", True))
        _, told = self.dial_connection()
        self.assertEqual([await told.next(), await told.next()], [("lost", 1006, True), ("retrying", 1, 1)])
        self.server.refusal = (502, "<h1>Bad gateway</h1>")
        while (seen := await told.next())[:2] != ("retrying", 5):
            pass
        self.server.refusal = (403, problem("certificate_revoked", False))
        while (seen := await told.next())[0] != "stopped":
            pass
        self.assertEqual(seen, ("stopped", "certificate_revoked"))

    async def test_C2_a_broker_of_another_version_is_refused(self) -> None:
        self.server.refusal = (
            426,
            json.dumps(
                {"reason": "subprotocol_required", "code": "failed_precondition", "detail": "v2", "retryable": False}
            ),
        )
        self.assertEqual(await reason_of(self.dial_agent()), "subprotocol_required")
        self.server.refusal = None
        self.server.subprotocol = None
        self.assertEqual(await reason_of(self.dial_agent()), "subprotocol_required")

    async def test_a_broker_that_never_answers_is_waited_for_no_longer_than_asked(self) -> None:
        with self.assertRaises(AgentworksError) as raised:
            await self.dial_agent(timeout_ms=100)
        self.assertEqual(raised.exception.reason, "aborted")
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(self.dial_agent(), 0.1)

    async def registered(self) -> Tuple[Agent, Peer]:
        """An agent of this server's."""
        connecting = asyncio.ensure_future(self.dial_agent())
        peer = await soon(self.server.accepted.get())
        register = json.loads(await soon(peer.text()))
        data = {"agent": "planner", "account": "local", "limits": {}, "heartbeat_ms": 20_000, "sessions": []}
        peer.say(
            json.dumps({"type": "REGISTER_ACK", "id": register["id"], "in_reply_to": register["id"], "data": data})
        )
        agent = await soon(connecting)
        self.agents.append(agent)
        return agent, peer

    async def test_C7_one_that_is_too_fast_puts_more_into_each_frame(self) -> None:
        agent, peer = await self.registered()

        async def ask(count: int) -> List[int]:
            """Questions in turns of the loop of their own: how many are in each frame."""
            asking = []
            for _ in range(count):
                asking.append(asyncio.ensure_future(agent.agents()))
                for _turn in range(3):
                    await turn()
            frames: List[int] = []
            while sum(frames) < count:
                frames.append(len((await soon(peer.text())).split("\n")))
            for one in asking:
                one.cancel()
            await asyncio.wait(asking)
            return frames

        self.assertEqual(await ask(4), [1, 1, 1, 1])
        said = {"code": "resource_exhausted", "reason": "rate_limited", "detail": "…", "retryable": False}
        statuses = agent.status()
        peer.say(json.dumps({"type": "ERROR", "data": {**said, "processed": "yes", "scope": "connection"}}))
        fault: Any = await soon(statuses.__anext__())
        self.assertEqual(fault.error.reason, "rate_limited")
        self.assertEqual(await ask(4), [4])

    async def test_a_frame_that_cannot_be_read_is_told_and_the_rest_is_taken(self) -> None:
        connecting = asyncio.ensure_future(self.dial_agent())
        peer = await soon(self.server.accepted.get())
        register = json.loads(await soon(peer.text()))
        self.assertEqual(register["data"], {"capabilities": [], "sdk": "python/0.1.0"})
        data = {"agent": "planner", "account": "local", "limits": {}, "heartbeat_ms": 20_000, "sessions": []}
        ack = {"type": "REGISTER_ACK", "id": register["id"], "in_reply_to": register["id"], "data": data}
        peer.say("{nonsense\n" + json.dumps({"type": "FROM_THE_FUTURE"}) + "\n" + json.dumps(ack))
        agent = await soon(connecting)
        self.agents.append(agent)
        statuses = agent.status()
        peer.say("[]")
        status: Any = await soon(statuses.__anext__())
        self.assertEqual(status.error.reason, "unreadable")
        closing = asyncio.ensure_future(agent.close())
        self.assertEqual(await soon(peer.close_code()), 1000)
        await soon(closing)


if __name__ == "__main__":
    unittest.main()
