"""The protocol's vectors (test/vectors) through the client half: what the core of every SDK must do, as data."""

from __future__ import annotations

import gzip
import json
import unittest
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple, cast

from agentworks import AgentworksError
from agentworks.journal_records import JournalMemory, Owner, SessionMemory
from agentworks.protocol import client_events, codec
from agentworks.protocol.client import ClientSession
from agentworks.protocol.envelope import Envelope
from agentworks.socket import HEARTBEAT

_folder = Path(__file__).resolve().parents[3] / "test" / "vectors"


def _text(value: Any) -> Any:
    """``{"$text": […]}`` is the string that its parts make."""
    if isinstance(value, dict):
        if list(value) == ["$text"]:
            return "".join(part if isinstance(part, str) else part[0] * part[1] for part in value["$text"])
        return {name: _text(member) for name, member in value.items()}
    return [_text(item) for item in value] if isinstance(value, list) else value


def _read(name: str) -> Dict[str, Any]:
    data = (_folder / name).read_bytes()
    vectors = json.loads(gzip.decompress(data) if name.endswith(".gz") else data)
    assert vectors["format"] == 1
    return cast(Dict[str, Any], vectors)


class Half:
    """The client half as the vectors see it."""

    def __init__(self, start: Dict[str, Any], ids: List[str]) -> None:
        self.ids = list(ids)
        self.core = self._begin(dict(start))

    def _mint(self) -> str:
        return self.ids.pop(0)

    def _begin(self, start: Dict[str, Any]) -> ClientSession:
        how = start.pop("as")
        if how == "accept":
            return ClientSession.accept(_line(start["offer"]), self._mint)
        if how == "recover":
            return ClientSession.recover(start["session_id"], start["peer"], self._mint)
        if how == "recall":
            lines = [codec.encode(line) for line in start.pop("lines")]
            return ClientSession.recall(client_events.Remembered(lines=lines, **start), self._mint)
        metadata = codec.encode(start.pop("metadata")) if "metadata" in start else None
        return ClientSession.offer(start.pop("session_id"), start.pop("to", None), metadata, self._mint, **start)

    def do(self, step: Dict[str, Any]) -> Dict[str, Any]:
        """The same step, with what came of it."""
        core = self.core
        did = step["do"]
        if did == "connected":
            core.connected()
        elif did == "reattach":
            core.reattach()
        elif did == "take":
            core.take(step["seq"])
        elif did == "lines":
            return {**step, "lines": [json.loads(line) for line in core.lines(step["receipts"])]}
        elif did == "receive":
            return {**step, "events": [_heard(event) for event in core.receive(_line(step["envelope"]))]}
        elif did == "send":
            more = (step.get("in_reply_to"), step.get("traceparent"))
            return {**step, "seq": core.send(step["type"], step["id"], codec.encode(step["data"]), *more)}
        elif did == "memory":
            memory = core.remembered
            lines = [json.loads(line) for line in memory.lines]
            remembered = {name: value for name, value in memory._asdict().items() if name != "session_id"}
            return {"do": "memory", **remembered, "lines": lines}
        else:
            return {"do": "facts", **self._facts()}
        return step

    def _facts(self) -> Dict[str, Any]:
        core = self.core
        return {
            "state": core.state,
            "peer": core.peer,
            "backlog": core.waiting,
            "paused": core.paused,
            "oldest_in_flight": core.oldest_in_flight,
            "owes_receipt": core.owes_receipt,
            "awaits": core.awaited is not None,
        }


def _line(envelope: Dict[str, Any]) -> Envelope:
    """It, as it would have come over the wire."""
    decoded = codec.decode_broker_line(codec.encode(envelope))
    assert not isinstance(decoded, codec.Fault), (decoded.reason, envelope)
    return decoded


def _heard(event: client_events.Event) -> Dict[str, Any]:
    if isinstance(event, client_events.Work):
        return {"kind": event.kind, "seq": event.envelope["seq"]}
    if isinstance(event, client_events.Faulted):
        return {"kind": event.kind, "reason": event.fault["data"]["reason"]}
    if isinstance(event, client_events.Unheard):
        return {"kind": event.kind, "requests": [json.loads(data) for data in event.requests]}
    if isinstance(event, client_events.Ended):
        return {"kind": event.kind, "reason": event.reason}
    return {"kind": event.kind, **event._asdict()}


def _remembered(session: SessionMemory) -> Dict[str, Any]:
    """What a journal remembers of a session."""
    it = session.remembered._asdict()
    del it["is_closing"]
    tasks = [
        {"request": task.request, **({} if task.cancel is None else {"cancel": task.cancel})}
        for task in session.tasks.values()
    ]
    return {
        **it,
        "lines": [json.loads(line) for line in it["lines"]],
        "messages": session.messages,
        "redelivered": session.redelivered,
        "ahead": sorted(session.ahead),
        "requested": list(session.requested),
        "tasks": tasks,
        **({} if session.closing is None else {"closing": session.closing._asdict()}),
    }


class Vectors(unittest.TestCase):
    def cases(self, vectors: Dict[str, Any], group: str) -> Iterator[Tuple[Dict[str, Any], Any]]:
        cases = vectors[group]
        self.assertGreater(len(cases), 0)
        for case in cases:
            yield _text(case), self.subTest(group, name=case.get("name"))

    def test_lines_and_frames_of_the_broker(self) -> None:
        vectors = _read("envelopes.json")
        for case, named in self.cases(vectors, "broker_lines"):
            with named:
                decoded = codec.decode_broker_line(case["line"])
                if "fault" in case:
                    self.assertIsInstance(decoded, codec.Fault)
                    fault = {name: getattr(decoded, name, None) for name in ("reason", "id", "session_id")}
                    said = {name: case["fault"].get(name) for name in ("reason", "id", "session_id")}
                    self.assertEqual(fault, said)
                else:
                    self.assertNotIsInstance(decoded, codec.Fault)
                    self.assertIncludes(cast(Envelope, decoded), case["envelope"])
        for case, named in self.cases(vectors, "broker_frames"):
            with named:
                frame = codec.decode_broker_frame(case["text"])
                read = [one.reason if isinstance(one, codec.Fault) else one["type"] for one in frame]
                self.assertEqual(read, case["decoded"])

    def assertIncludes(self, whole: Any, part: Any) -> None:
        """Each member of ``part`` is in ``whole`` with this value; others may be there (E4)."""
        if isinstance(part, dict) and isinstance(whole, dict):
            for name, value in part.items():
                self.assertIn(name, whole)
                self.assertIncludes(whole[name], value)
        else:
            self.assertEqual(whole, part)

    def test_lengths_packing_and_the_heartbeat(self) -> None:
        vectors = _read("envelopes.json")
        self.assertEqual(HEARTBEAT, vectors["heartbeat"]["text"])
        for case, named in self.cases(vectors, "utf8"):
            with named:
                self.assertEqual(codec.utf8_length(case["text"]), case["bytes"])
        for case, named in self.cases(vectors, "packing"):
            with named:
                lines = ["x" * size for size, count in case["lines"] for _ in range(count)]
                frames = [len(frame.split("\n")) for frame in codec.pack_frames(lines)]
                self.assertEqual(frames, case["frames"])

    def test_what_this_sdk_says_is_good(self) -> None:
        """What it would write again is what it read, for every good line of a client."""
        for case, named in self.cases(_read("envelopes.json"), "client_lines"):
            if "envelope" in case:
                with named:
                    self.assertEqual(json.loads(codec.encode(case["envelope"])), case["envelope"])

    def test_sessions(self) -> None:
        self.replay(_read("sessions.json"))

    def test_generated_sessions(self) -> None:
        self.replay(_read("generated/sessions.json.gz"))

    def test_journals(self) -> None:
        for case, named in self.cases(_read("journals.json"), "cases"):
            with named:
                if "damaged" in case:
                    with self.assertRaises(AgentworksError) as raised:
                        JournalMemory.read(case["text"].encode(), "it")
                    self.assertEqual(raised.exception.reason, "journal_damaged")
                    self.assertIn(f"Line {case['damaged']} of", raised.exception.detail)
                    continue
                memory = JournalMemory.read(case["text"].encode(), "it")
                self.assertEqual(memory.owner, None if "owner" not in case else Owner(**case["owner"]))
                self.assertEqual([_remembered(one) for one in memory.sessions.values()], case["sessions"])
                # Written anew it says the same.
                again = JournalMemory.read("".join(memory.text()).encode(), "it")
                self.assertEqual([_remembered(one) for one in again.sessions.values()], case["sessions"])

    def replay(self, vectors: Dict[str, Any]) -> None:
        for case, named in self.cases(vectors, "cases"):
            with named:
                half = Half(case["start"], case["ids"])
                for number, step in enumerate(case["steps"]):
                    self.assertEqual(half.do(step), step, f"step {number}")
                self.assertEqual(half.ids, [])


if __name__ == "__main__":
    unittest.main()
