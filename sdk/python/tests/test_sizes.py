"""What is allowed fits: the largest contents beside the longest heads, and texts cut as the broker counts them."""

from __future__ import annotations

import unittest
from typing import Any

from agentworks import TaskContext
from agentworks.content import json_of
from agentworks.error import AgentworksError
from agentworks.mint import mint
from agentworks.protocol.client import ClientSession
from agentworks.protocol.limits import DEADLINE_MS_MAX, ENVELOPE_BYTES_MAX, OFFER_TTL_MS_MAX
from agentworks.receipts import Receipt
from agentworks.requests import Requests

from .fixtures import AgentTest, reason_of, soon, take


def _is_allowed(content: object) -> bool:
    try:
        json_of(content)
    except AgentworksError:
        return False
    return True


def _largest(of: str = "x") -> str:
    """The largest text that may be said."""
    low, high = 0, ENVELOPE_BYTES_MAX
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _is_allowed(of * middle) else (low, middle - 1)
    return of * low


_long_name = "a" * 128
_late_seq = 2**53 - 1


class Heads(unittest.TestCase):
    def setUp(self) -> None:
        self.content = _largest()
        self.core = ClientSession.accept({"session_id": mint(), "id": mint(), "from": "a" * 64}, mint)

    def _fits(self, line: str) -> None:
        self.assertIn(self.content, line)
        self.assertLessEqual(len(line.encode()), ENVELOPE_BYTES_MAX)

    def _say(self, kind: str, data: str, bounded: bool = True) -> Receipt:
        seq = self.core.send(kind, mint(), data)
        line = self.core.newest_line
        more = len(str(_late_seq)) - len(str(seq))
        self.assertIn(self.content, line)
        self.assertLessEqual(len(line.encode()) + more, ENVELOPE_BYTES_MAX)
        return Receipt(mint(), seq)

    def test_the_longest_heads_have_room_beside_the_largest_content(self) -> None:
        text, task = json_of(self.content), mint()
        Requests(self._say).ask(_long_name, self.content, None, DEADLINE_MS_MAX, 0)
        self._say("MESSAGE", f'{{"content":{text}}}')
        self._say("TASK_PROGRESS", f'{{"task_id":"{task}","progress":{text}}}')
        self._say("TASK_RESPONSE", f'{{"task_id":"{task}","status":"succeeded","result":{text}}}')
        offer = ClientSession.offer(
            mint(), "a" * 64, text, mint, capability=_long_name, ttl_ms=OFFER_TTL_MS_MAX
        ).lines()
        self._fits(offer[0])

    def test_content_is_measured_in_bytes(self) -> None:
        for letter, size in (("x", 1), ("é", 2), ("😀", 4), ("\n", 2), ("\ud800", 6)):
            with self.subTest(letter):
                self.assertEqual(len(_largest(letter)), (len(self.content) // size))


class Wire(AgentTest):
    async def test_the_largest_contents_go_through_the_broker(self) -> None:
        planner, analyst = await self.connect("planner"), await self.connect("analyst")
        largest = _largest()

        async def echo(input: Any, task: TaskContext) -> Any:
            await task.progress(input)
            return input

        await analyst.handle(_long_name, echo)
        offered = analyst.sessions()
        session = await soon(planner.open("analyst", metadata=largest, wait_ms=OFFER_TTL_MS_MAX))
        there = await soon(offered.__anext__())
        task = session.request(_long_name, largest, deadline_ms=DEADLINE_MS_MAX)
        self.assertEqual(await soon(task), largest)
        self.assertEqual([step async for step in task.progress], [largest])
        session.send(largest)
        self.assertEqual((await take(there.messages(), 1))[0].content, largest)

    async def test_reasons_are_cut_where_the_broker_would_refuse_them(self) -> None:
        long = "😀" * 1025
        planner = await self.connect("planner")
        analyst = await self.connect("analyst", accept=lambda offer: offer.metadata != "no" or long)
        await analyst.handle("wait", lambda _, task: task.session.closed)
        self.assertEqual(await reason_of(planner.open("analyst", metadata="no")), "offer_rejected")
        here, there = await self.session_between(planner, analyst)
        task = here.request("wait", None)
        task.cancel(long)
        self.assertEqual(await reason_of(task), "task_cancelled")
        await soon(here.close(long))
        self.assertEqual(await soon(there.closed), (long[:1024], None))


if __name__ == "__main__":
    unittest.main()
