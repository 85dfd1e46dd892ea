"""A broker that says anything at all: what it says is refused or taken, and nothing breaks by it."""

from __future__ import annotations

import asyncio
import json
import random
import unittest
from typing import Any, Dict, List

from agentworks import new_id
from agentworks.protocol import codec
from agentworks.protocol.client import ClientSession
from agentworks.protocol.client_events import Event

from .fixtures import AgentTest, soon
from .server import Server
from .test_vectors import _line, _read, _text

_values: List[Any] = [None, True, False, 0, 1, -1, 2**53, 1.5, "", "x", "\ud800", [], {}, [[]], {"a": {}}, "1" * 400]


def _mutated(value: Any, dice: random.Random) -> Any:
    """The same JSON with something else in it."""
    if dice.random() < 0.15:
        return dice.choice(_values)
    if isinstance(value, dict):
        members = {name: _mutated(member, dice) if dice.random() < 0.3 else member for name, member in value.items()}
        if members and dice.random() < 0.2:
            members.pop(dice.choice(list(members)))
        return members
    if isinstance(value, list):
        return [_mutated(item, dice) for item in value] * dice.choice([1, 1, 2])
    if isinstance(value, int) and not isinstance(value, bool):
        return max(0, value + dice.choice([-1, 0, 0, 1, 7]))
    return value


def _samples() -> List[Dict[str, Any]]:
    """One good envelope of each shape that the vectors know."""
    cases = _text(_read("envelopes.json")["broker_lines"])
    return [json.loads(case["line"]) for case in cases if "envelope" in case]


class Core(unittest.TestCase):
    def test_the_core_takes_anything_and_keeps_its_own_order(self) -> None:
        samples = _samples()
        for seed in range(400):
            dice = random.Random(seed)
            session_id = new_id()
            half = ClientSession.offer(session_id, "analyst", None, new_id)
            accept: Dict[str, Any] = {
                "type": "SESSION_ACCEPT", "id": new_id(), "session_id": session_id, "limit": 512,
                "data": {"epoch": "e", "peer": "analyst", "capabilities": []},
            }  # fmt: skip
            half.lines()
            half.receive(_line(accept))
            numbers: List[int] = []
            for _ in range(60):
                envelope: Dict[str, Any] = {**dice.choice(samples), "session_id": session_id}
                if "seq" in envelope and dice.random() < 0.7:
                    envelope["seq"] = dice.randrange(1, 8)
                text = json.dumps(_mutated(envelope, dice) if dice.random() < 0.7 else envelope)
                if dice.random() < 0.05:
                    text = text[: dice.randrange(len(text))]
                with self.subTest(seed=seed, text=text):
                    decoded = codec.decode_broker_line(text)
                    events: "List[Event]" = []
                    if not isinstance(decoded, codec.Fault):
                        events = list(half.receive(decoded))
                    if dice.random() < 0.5:
                        half.send("MESSAGE", new_id(), '{"content":1}')
                    for event in events:
                        if event.kind == "work":
                            half.take(event.envelope["seq"])  # type: ignore[union-attr]
                    sent = [json.loads(line) for line in half.lines(dice.choice(["now", "later"]))]
                    for line in sent:
                        self.assertEqual(line["session_id"], session_id)
                        if line["type"] == "SESSION_RESUME":
                            numbers = []
                        if "seq" in line:
                            numbers.append(line["seq"])
                    # (Not without holes: this broker acknowledges what it was never sent.)
                    self.assertEqual(numbers, sorted(set(numbers)))


class Live(AgentTest):
    async def test_an_agent_lives_through_whatever_its_broker_says(self) -> None:
        samples = _samples()
        async with Server() as server:
            connecting = asyncio.ensure_future(self.dial(url=server.url))
            peer = await soon(server.accepted.get())
            register = json.loads(await soon(peer.text()))
            data: Dict[str, Any] = {
                "agent": "planner", "account": "local", "limits": {}, "heartbeat_ms": 20_000, "sessions": []
            }  # fmt: skip
            ack = {"type": "REGISTER_ACK", "id": new_id(), "in_reply_to": register["id"], "data": data}
            peer.say(json.dumps(ack))
            agent = await soon(connecting)
            self.agents.append(agent)
            agent.handle("summarize", lambda value: value, max_concurrency=2)
            dice = random.Random(5)
            ids = [new_id() for _ in range(40)]
            for number in range(1_500):
                envelope = dict(dice.choice([one for one in samples if one["type"] != "GOAWAY"]))
                if "session_id" in envelope:
                    envelope["session_id"] = dice.choice(ids)
                if "seq" in envelope:
                    envelope["seq"] = dice.randrange(1, 6)
                frame = [json.dumps(_mutated(envelope, dice) if dice.random() < 0.6 else envelope)]
                if dice.random() < 0.3:
                    offer = {
                        "type": "SESSION_INIT", "id": new_id(), "session_id": dice.choice(ids), "from": "analyst",
                        "data": {"capabilities": []},
                    }  # fmt: skip
                    frame.append(json.dumps(offer))
                peer.say("\n".join(frame))
                if number % 50 == 0:
                    await soon(peer.heard())
            # It is still there, and does what it should.
            session_id = new_id()
            await soon(peer.heard())
            opening = asyncio.ensure_future(agent.open("analyst"))
            while True:
                opcode, payload = await soon(peer.read())
                init = [json.loads(line) for line in payload.decode().split("\n") if "SESSION_INIT" in line]
                if init:
                    break
            self.assertEqual(init[0]["to"], "analyst")
            session_id = init[0]["session_id"]
            peer.say(
                json.dumps(
                    {"type": "SESSION_ACCEPT", "id": new_id(), "session_id": session_id, "in_reply_to": init[0]["id"],
                     "limit": 512, "data": {"epoch": "e", "peer": "analyst", "capabilities": []}}
                )
            )  # fmt: skip
            self.assertEqual((await soon(opening)).peer, "analyst")
            await agent.close()


if __name__ == "__main__":
    unittest.main()
