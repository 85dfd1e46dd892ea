"""The journal as a file: what its records come to, whose it is, and files that are damaged."""

from __future__ import annotations

import json
import stat
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, List

from agentworks import AgentworksError, new_id
from agentworks.journal import Journal
from agentworks.journal_records import JournalMemory, Owner, line_of
from agentworks.protocol.limits import JOURNAL_BYTES_MIN

from .fixtures import as_it_is

_session = new_id()
_head: Dict[str, Any] = {"journal": 1, "agent": "planner", "account": "local"}
_begin: Dict[str, Any] = {"session": _session, "epoch": "e", "peer": "analyst"}


_planner = Owner("planner", "local")


def _wire(kind: str, seq: int, **data: Any) -> str:
    return json.dumps({"type": kind, "id": new_id(), "session_id": _session, "seq": seq, "data": data})


def _read(*records: Dict[str, Any]) -> JournalMemory:
    return JournalMemory.read("".join(map(line_of, records)).encode(), "it")


class Records(unittest.TestCase):
    def test_what_is_remembered_is_written_in_fewer_records_that_say_the_same(self) -> None:
        task = new_id()
        asked, done = new_id(), new_id()
        request = {
            "type": "TASK_REQUEST", "id": new_id(), "session_id": _session, "seq": 3, "from": "analyst",
            "data": {"task_id": task, "capability": "x", "input": None},
        }  # fmt: skip
        memory = _read(
            _head,
            _begin,
            {"session": _session, "line": _wire("MESSAGE", 1, content=1)},
            {"session": _session, "line": _wire("TASK_REQUEST", 2, task_id=asked, capability="x", input=1)},
            {"session": _session, "line": _wire("TASK_REQUEST", 3, task_id=done, capability="x", input=1)},
            {"session": _session, "stored": 1},
            {"session": _session, "ahead": 5},
            {"session": _session, "ahead": 2, "answered": done},
            {"session": _session, "taken": 3, "task": request},
        )
        session = memory.sessions[_session]
        self.assertEqual((session.taken, session.stored, session.ahead, session.messages), (3, 1, {5}, 1))
        self.assertEqual((list(session.requested), list(session.tasks), session.next), ([asked], [task], 4))
        self.assertEqual([json.loads(line)["seq"] for line in session.remembered.lines], [2, 3])
        text = "".join(memory.text())
        again = JournalMemory.read(text.encode(), "it")
        self.assertEqual("".join(again.text()), text)
        self.assertEqual(again.sessions[_session].remembered, session.remembered)
        again.apply({"session": _session, "line": _wire("TASK_RESPONSE", 4, task_id=task, status="succeeded")})
        self.assertEqual(again.sessions[_session].tasks, {})
        again.apply({"session": _session, "closed": "bye"})
        self.assertEqual(
            (again.sessions[_session].closing, list(again.sessions[_session].requested)), (("bye", False), [])
        )
        again.apply({"session": _session, "ended": True})
        self.assertEqual((again.sessions, again.apply({"session": _session, "taken": 9})), ({}, False))

    def test_a_torn_last_line_is_left_out_and_any_other_damage_is_said(self) -> None:
        text = line_of(_head) + line_of(_begin) + line_of({"session": _session, "taken": 4})
        for cut in range(len(text)):
            memory = JournalMemory.read(text[:cut].encode(), "it")
            self.assertLessEqual(len(memory.sessions), 1)
        bad: List[Any] = [
            {"session": _session, "taken": 1},
            {**_begin, "unknown": 1},
            {**_begin, "taken": -1},
            {"session": _session, "epoch": "e"},
            [],
            "x",
        ]
        for record in bad:
            with self.subTest(record=record), self.assertRaises(AgentworksError) as raised:
                JournalMemory.read((line_of(_head) + json.dumps(record) + "\n").encode(), "the file")
            self.assertEqual(raised.exception.reason, "journal_damaged")
            self.assertIn("Line 2 of the journal the file", raised.exception.detail)
        for line in (_wire("MESSAGE", 2, content=1), _wire("PAUSE", 1), "nonsense"):
            with self.subTest(line), self.assertRaises(AgentworksError):
                _read(_head, _begin, {"session": _session, "line": line})
        heads: List[Dict[str, Any]] = [{**_head, "journal": 2}, {"journal": 1}, {}]
        for head in heads:
            with self.assertRaises(AgentworksError):
                _read(head)
        with self.assertRaises(AgentworksError):
            JournalMemory.read(b"\xff\n", "it")

    def test_the_file_is_its_owners_alone_and_grows_no_further_than_twice_what_is_live(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "journal"
            it = Journal(path)
            self.assertIsNone(it.claim(Owner("planner", "local")))
            it.note(_begin)
            self.assertTrue(it.commit())
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            line = _wire("MESSAGE", 0, content="x" * 10_000).replace('"seq": 0', '"seq": %d')
            for seq in range(1, 2_000):
                it.note({"session": _session, "line": line % seq})
                it.note({"session": _session, "stored": seq})
                it.commit()
            self.assertLess(path.stat().st_size, JOURNAL_BYTES_MIN + 50_000)
            it.close()
            again = Journal(path)
            self.assertEqual(again.memory.sessions[_session].stored, 1_999)
            self.assertIsNone(again.claim(Owner("planner", "local")))
            self.assertLess(path.stat().st_size, 1_000)
            again.close()
            with self.assertRaises(AgentworksError) as raised:
                Journal(Path(folder) / "nowhere" / "journal")
            self.assertEqual(raised.exception.reason, "journal_failed")


class Owners(unittest.TestCase):
    """Whose file it is: nobody's before it is claimed, then one process's, and no longer than it is in its place."""

    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name) / "journal"
        self.failed: List[str] = []

    def owned(self, path: Path) -> Journal:
        it = Journal(path)
        it.on_failure = lambda error: self.failed.append(error.reason)
        self.addCleanup(it.close)
        self.assertIsNone(it.claim(_planner))
        return it

    def test_a_successor_goes_on_with_all_that_was_written_and_then_nobody_else_writes(self) -> None:
        first = self.owned(self.path)
        first.note(_begin)
        self.assertTrue(first.commit())
        second = Journal(self.path)
        self.addCleanup(second.close)
        first.note({"session": _session, "taken": 1})
        self.assertTrue(first.commit())
        self.assertIsNone(second.claim(_planner))
        self.assertEqual(second.memory.sessions[_session].taken, 1)
        first.note({"session": _session, "taken": 2})
        self.assertEqual((first.commit(), self.failed), (False, ["journal_failed"]))
        second.note({"session": _session, "taken": 3})
        self.assertTrue(second.commit())
        self.assertEqual(Journal(self.path).memory.sessions[_session].taken, 3)

    def test_one_that_was_moved_away_is_missed_and_a_file_in_its_place_is_left_alone(self) -> None:
        first = self.owned(self.path)
        self.path.rename(f"{self.path}.moved")
        missed = first.claim(_planner)
        self.assertEqual(missed and missed.reason, "journal_failed")
        self.owned(self.path)
        before = as_it_is(self.path)
        missed = first.claim(_planner)
        self.assertEqual(missed and missed.reason, "journal_failed")
        first.close()
        missed = first.claim(_planner)
        self.assertEqual(missed and missed.reason, "agent_closed")
        self.assertEqual(as_it_is(self.path), before)

    def test_one_that_is_a_link_stays_one(self) -> None:
        file = Path(self.folder.name) / "elsewhere" / "journal"
        file.parent.mkdir()
        self.path.symlink_to(Path("elsewhere", "journal"))
        self.owned(self.path)
        self.assertTrue(self.path.is_symlink())
        self.assertEqual(Journal(file).memory.owner, _planner)
