"""The journal of an agent as a file: what is noted is remembered at once and written with the next commit, before
anything that depends on it leaves the process. Until the broker has said who this is the file is only read: it may be
another process's. What the records mean is in ``journal_records``; when they are made, in ``session_journal``."""

from __future__ import annotations

import errno
import os
from typing import Callable, List, Optional, Tuple, Union

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


def _need_folder(path: str) -> None:
    os.stat(path)
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


class Journal:
    """Reads what earlier lives wrote, and changes nothing before ``claim``.

    Raises journal_damaged, journal_failed.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        #: Told once, when the file fails: from then on nothing may leave the process.
        self.on_failure: Callable[[AgentworksError], None] = lambda error: None
        # A link to the file stays one, and leads to the file that is written.
        self._path = os.path.realpath(os.fspath(path))
        #: What the file said when it was claimed, and all that was noted since.
        self.memory = JournalMemory()
        #: Tells the file that was read from what came of it; (): there was none.
        self._read: Optional[Tuple[int, ...]] = None
        #: None: not claimed yet, closed, or failed.
        self._file: Optional[int] = None
        self._over = False
        self._bytes = 0
        #: It is looked at whether rewriting it is worth while when it has grown past this.
        self._bytes_max = 0
        self._unwritten: List[str] = []
        try:
            _need_folder(os.path.dirname(self._path))
            self._refresh()
        except OSError as error:
            raise self._failure(error)

    def _refresh(self) -> None:
        """Reads the file, where it is not as it was read before."""
        data = b""
        try:
            there = os.stat(self._path)
            read: Tuple[int, ...] = (there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns)
            if read == self._read:
                return
            with open(self._path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            read = ()
        self.memory = JournalMemory.read(data, self._path)
        self._read = read

    def _failure(self, cause: OSError) -> AgentworksError:
        detail = f"The journal {self._path} cannot be read or written ({cause}). Its folder must exist and have room."
        return client_error("journal_failed", detail, cause)

    def claim(self, owner: Owner) -> Optional[AgentworksError]:
        """The broker has said who this is: now the file is this process's, and begun anew with what is left of what it
        says. Gives why it cannot be: journal_mismatch when it is another agent's, journal_damaged, journal_failed."""
        if self._over:
            return client_error("agent_closed")
        try:
            if self._file is None:
                self._refresh()
            else:
                self._be_in_place(self._file)
            self._own(owner)
            if self._file is None:
                self._rewrite()
        except OSError as error:
            return self._failure(error)
        except AgentworksError as error:
            return error
        return None

    def _own(self, owner: Owner) -> None:
        its = self.memory.owner
        if its is not None and its != owner:
            raise client_error(
                "journal_mismatch",
                f"The journal {self._path} is that of {its.agent} (account {its.account}), and this is {owner.agent} "
                f"(account {owner.account}). Give each agent a journal of its own.",
            )
        self.memory.owner = owner

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
            # What was written to a file that has no name any more, no life after this one reads.
            if os.fstat(self._file).st_nlink == 0:
                self._be_in_place(self._file)
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
        self._over = True
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
        if self._file is not None:
            self._be_in_place(self._file)
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

    def _be_in_place(self, file: int) -> None:
        """Raises where the file by that name is not the one that is open here."""
        try:
            if os.path.samestat(os.stat(self._path), os.fstat(file)):
                return
        except FileNotFoundError:
            pass
        raise client_error(
            "journal_failed",
            f"The journal {self._path} was replaced or taken away while this process wrote it. A journal belongs to one "
            "process at a time.",
        )
