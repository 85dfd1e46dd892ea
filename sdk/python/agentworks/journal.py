"""The journal of an agent as a file: what is noted is remembered at once and written with the next commit, before
anything that depends on it leaves the process. What the records mean is in ``journal_records``; when they are made, in
``session_journal``."""

from __future__ import annotations

import os
from typing import Callable, List, Optional, Union

from .error import AgentworksError, client_error
from .journal_records import JournalMemory, Owner, Record, line_of
from .protocol.limits import JOURNAL_BYTES_MIN

_nobody_else = 0o600
_chunk_chars_max = 1024 * 1024


def _write_all(file: int, text: str) -> int:
    """All of it, or it raises: a short write is no error to the operating system."""
    data = text.encode()
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
    return len(data)


class Journal:
    """Reads what earlier lives wrote, and begins a file of its own with what is left of that.

    Raises journal_damaged, journal_failed.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        #: Told once, when the file fails: from then on nothing may leave the process.
        self.on_failure: Callable[[AgentworksError], None] = lambda error: None
        self._path = os.fspath(path)
        #: None: closed, or failed.
        self._file: Optional[int] = None
        self._bytes = 0
        #: It is looked at whether rewriting it is worth while when it has grown past this.
        self._bytes_max = 0
        self._unwritten: List[str] = []
        try:
            self.memory = JournalMemory.read(self._read(), self._path)
            self._rewrite()
        except OSError as error:
            raise self._failure(error)

    def _read(self) -> bytes:
        try:
            with open(self._path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def _failure(self, cause: OSError) -> AgentworksError:
        detail = f"The journal {self._path} cannot be read or written ({cause}). Its folder must exist and have room."
        return client_error("journal_failed", detail, cause)

    def claim(self, owner: Owner) -> Optional[AgentworksError]:
        """The broker has said who this is. Gives journal_mismatch when the journal is another's."""
        its = self.memory.owner
        if its is None:
            self.memory.owner = owner
            self._unwritten.append(self.memory.head)
        elif its != owner:
            return client_error(
                "journal_mismatch",
                f"The journal {self._path} is that of {its.agent} (account {its.account}), and this is {owner.agent} "
                f"(account {owner.account}). Give each agent a journal of its own.",
            )
        return None

    def note(self, record: Record) -> None:
        """It is remembered, and written with the next commit."""
        if self._file is not None and self.memory.apply(record):
            self._unwritten.append(line_of(record))

    def commit(self) -> bool:
        """Writes what was noted. False: it is not written, and nothing that depends on it may happen."""
        if self._file is None:
            return False
        if not self._unwritten:
            return True
        try:
            self._bytes += _write_all(self._file, "".join(self._unwritten))
            self._unwritten.clear()
            if self._bytes > self._bytes_max:
                self._compact()
            return True
        except OSError as error:
            self._release()
            self.on_failure(self._failure(error))
        except AgentworksError as error:
            self._release()
            self.on_failure(error)
        return False

    def close(self) -> None:
        """What was noted is written; what comes later is not kept."""
        self.commit()
        self._release()

    def _release(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def _compact(self) -> None:
        live = sum(len(text.encode()) for text in self.memory.text())
        if live * 2 <= self._bytes:
            self._rewrite()
        self._bytes_max = max(JOURNAL_BYTES_MIN, live * 2)

    def _rewrite(self) -> None:
        """Renaming leaves the whole old file or the whole new one, and another process that still has the old one alone
        with it."""
        if self._is_taken():
            raise client_error("superseded", f"Another process has opened the journal {self._path}.")
        fresh = f"{self._path}.new"
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _nobody_else)
        written = 0
        try:
            chunk: List[str] = []
            size = 0
            for text in self.memory.text():
                chunk.append(text)
                size += len(text)
                if size >= _chunk_chars_max:
                    written += _write_all(file, "".join(chunk))
                    chunk, size = [], 0
            written += _write_all(file, "".join(chunk))
            os.fsync(file)
            os.replace(fresh, self._path)
        except BaseException:
            os.close(file)
            raise
        self._release()
        self._file = file
        self._bytes = written
        self._bytes_max = max(JOURNAL_BYTES_MIN, written * 2)

    def _is_taken(self) -> bool:
        """Whether the file by that name is not the one that is open here. One that is gone is made again."""
        if self._file is None:
            return False
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return False
        return there.st_ino != os.fstat(self._file).st_ino
