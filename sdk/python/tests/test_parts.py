"""The SDK's small parts by themselves: waits, channels, receipts, the inbox, names."""

from __future__ import annotations

import asyncio
import math
import random
import unittest
from datetime import datetime, timezone
from typing import List, Optional

from agentworks import Backoff
from agentworks.backoff import backoff_ms
from agentworks.channel import Channel
from agentworks.content import json_of
from agentworks.deferred import Deferred, rejected
from agentworks.inbox import Inbox, Slot
from agentworks.mint import mint
from agentworks.performer import deadline_of
from agentworks.protocol.ids import is_uuid, uuidv7
from agentworks.protocol.streams import ReceiveStream, SendStream
from agentworks.pulse import Pausing, Stall
from agentworks.receipts import Receipt, Receipts
from agentworks.recent import Recent

from .fixtures import turn


class Pure(unittest.TestCase):
    def test_backoff_doubles_up_to_its_maximum_with_full_jitter(self) -> None:
        most = [backoff_ms(Backoff(100, 30_000), n, math.nextafter(1, 0)) for n in (0, 1, 2, 3, 8, 9, 5000)]
        self.assertEqual(most, [99, 199, 399, 799, 25_599, 29_999, 29_999])
        for _ in range(1_000):
            self.assertLess(backoff_ms(Backoff(100, 30_000), random.randrange(5_000), random.random()), 30_000)
        self.assertEqual(backoff_ms(Backoff(), 7, 0), 0)

    def test_names_are_uuids_of_version_7_in_the_order_of_time(self) -> None:
        names = [mint() for _ in range(1_000)]
        self.assertTrue(all(map(is_uuid, names)))
        self.assertEqual(len(set(names)), 1_000)
        self.assertEqual(uuidv7(0x0123456789AB, (1 << 80) - 1), "01234567-89ab-7fff-bfff-ffffffffffff")
        self.assertEqual(uuidv7(0x0123456789AB, 0), "01234567-89ab-7000-8000-000000000000")

    def test_the_inbox_takes_a_number_only_when_everything_before_it_is_taken(self) -> None:
        taken: List[int] = []
        inbox = Inbox(taken.append)
        slots = [Slot(seq) for seq in (1, 2, 3)]
        for slot in slots:
            inbox.arrived(slot)
        for at in (1, 2, 0, 0):
            inbox.done(slots[at])
        self.assertEqual(taken, [3])

    def test_a_stall_is_the_same_wait_for_too_long_and_is_said_once_in_that_time(self) -> None:
        stall = Stall()

        def at(mark: Optional[str], ms: float) -> bool:
            return stall.is_stalled(mark, ms, 30)

        said = [at("1", 0), at("1", 29), at("2", 31), at("2", 60), at("2", 61), at("2", 62), at("2", 91)]
        self.assertEqual(said, [False, False, False, False, True, False, True])
        self.assertEqual([at(None, 200), at("2", 201), at("2", 230)], [False, False, False])

    def test_pausing_is_said_once_and_again_after_an_attachment(self) -> None:
        pausing = Pausing()
        pausing.want(True)
        self.assertEqual([pausing.take(), pausing.take()], ["PAUSE", None])
        pausing.attached()
        self.assertEqual(pausing.take(), "PAUSE")
        pausing.want(False)
        pausing.attached()
        self.assertIsNone(pausing.take())

    def test_recent_forgets_the_oldest(self) -> None:
        recent = Recent(2)
        for name in ("a", "b", "c"):
            recent.add(name)
        self.assertEqual([name in recent for name in ("a", "b", "c")], [False, True, True])

    def test_streams_give_out_numbers_and_judge_them(self) -> None:
        out = SendStream()
        for line in ("one", "two", "three"):
            out.append(len(line), line)
        out.sent = 3
        out.acknowledge(2)
        out.acknowledge(1)
        out.acknowledge(9)
        self.assertEqual((out.acked, out.waiting, out.size), (2, 1, 5))
        out.rewind(1)
        self.assertEqual(out.sent, 2)
        with self.assertRaises(RuntimeError):
            out.start_after(5)
        arrived = ReceiveStream()
        arrived.last = 2
        self.assertEqual([arrived.judge(seq) for seq in (1, 2, 3, 4)], ["duplicate", "duplicate", "next", "gap"])

    def test_a_deadline_is_read_whatever_the_digits_of_its_second(self) -> None:
        for text, microsecond in [("2026-11-22T12:00:00.1Z", 100_000), ("2026-11-22T13:00:00.1234567+01:00", 123_456)]:
            deadline = deadline_of(text)
            assert deadline is not None
            self.assertEqual(deadline, datetime(2026, 11, 22, 12, 0, 0, microsecond, timezone.utc))
        self.assertIsNone(deadline_of(None))
        self.assertIsNone(deadline_of("0000-01-01T00:00:00Z"))

    def test_content_is_measured_in_bytes_and_levels_whatever_is_in_its_strings(self) -> None:
        nested: object = '][}{\\"['
        for _ in range(30):
            nested = [nested]
        self.assertEqual(json_of(nested), "[" * 30 + '"][}{\\\\\\"["' + "]" * 30)
        self.assertEqual(json_of("1" * 99), '"' + "1" * 99 + '"')
        self.assertEqual(json_of({"n": 2**53, "é": 1.5}), '{"n":9007199254740992,"é":1.5}')
        self.assertEqual(json_of(10**20), "1" + "0" * 20)


class Waiting(unittest.IsolatedAsyncioTestCase):
    async def test_a_channel_gives_values_in_order_says_what_was_taken_and_ends_after_what_is_queued(self) -> None:
        taken: List[int] = []

        def take(value: int) -> bool:
            taken.append(value)
            return value != 4

        channel: Channel[int] = Channel(take)
        reader = channel.__aiter__()
        first = asyncio.ensure_future(reader.__anext__())
        await turn()
        for value in (1, 2, 3):
            channel.push(value)
        self.assertEqual((await first, taken), (1, [1]))
        channel.push(4)
        channel.end()
        channel.push(5)
        # What `on_take` refuses does not leave.
        self.assertEqual([value async for value in reader], [2, 3])
        self.assertEqual((taken, channel.size), ([1, 2, 3, 4], 1))

    async def test_a_channel_fails_its_readers_after_what_is_queued(self) -> None:
        channel: Channel[int] = Channel()
        waiting = asyncio.ensure_future(channel.next())
        await turn()
        channel.end(KeyError("lost"))
        with self.assertRaises(KeyError):
            await waiting
        with self.assertRaises(KeyError):
            await channel.next()

    async def test_a_reader_that_leaves_takes_nothing_with_it(self) -> None:
        channel: Channel[int] = Channel()
        gone, stays = channel.__aiter__(), channel.__aiter__()
        self.assertEqual(channel.readers, 2)
        leaving, staying = asyncio.ensure_future(gone.__anext__()), asyncio.ensure_future(stays.__anext__())
        await turn()
        channel.push(1)
        leaving.cancel()  # It was its turn already.
        self.assertEqual(await staying, 1)
        with self.assertRaises(asyncio.CancelledError):
            await leaving
        del gone, leaving
        self.assertEqual(channel.readers, 1)

    async def test_a_channel_with_a_bound_keeps_the_newest(self) -> None:
        channel: Channel[int] = Channel(size_max=2)
        for value in (1, 2, 3):
            channel.push(value)
        channel.remove(3)
        channel.remove(9)
        self.assertEqual((channel.size, await channel.next()), (1, 2))

    async def test_receipts_are_settled_in_order_by_cumulative_numbers(self) -> None:
        receipts = Receipts()
        all_of_them = [Receipt(mint(), seq) for seq in (1, 2, 4)]
        for receipt in all_of_them:
            receipts.add(receipt)
        a, b, c = all_of_them
        waiting = asyncio.ensure_future(_await(a))
        await turn()
        receipts.settle(2, 1)
        self.assertEqual([await waiting, await a, await b], [a, a, b])
        await a.delivered
        receipts.settle(4, 4)
        await c
        await b.delivered
        await c.delivered

    async def test_receipts_that_never_come_raise_asked_for_before_or_after(self) -> None:
        receipts = Receipts()
        a, b = Receipt(mint(), 1), Receipt(mint(), 2)
        receipts.add(a)
        receipts.add(b)
        early = a.delivered
        receipts.settle(1, 0)
        receipts.fail(KeyError("over"))
        await a
        with self.assertRaises(KeyError):
            await b
        for lost in (early, a.delivered, b.delivered):
            with self.assertRaises(KeyError):
                await lost

    async def test_cancelling_who_waits_touches_neither_the_value_nor_the_others(self) -> None:
        deferred: Deferred[int] = Deferred()
        waiting = [asyncio.ensure_future(_await_number(deferred)) for _ in range(3)]
        await turn()
        waiting[0].cancel()
        await turn()
        waiting[1].cancel()
        deferred.resolve(7)
        deferred.resolve(8)
        deferred.reject(KeyError())
        self.assertEqual([await waiting[2], await deferred], [7, 7])
        for one in waiting[:2]:
            with self.assertRaises(asyncio.CancelledError):
                await one
        with self.assertRaises(KeyError):
            await rejected(KeyError("x"))


async def _await(receipt: Receipt) -> Receipt:
    return await receipt


async def _await_number(deferred: Deferred[int]) -> int:
    return await deferred


if __name__ == "__main__":
    unittest.main()
