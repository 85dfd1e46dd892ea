"""The two files of an agent's identity, certificate and key, replaced so that no moment leaves a pair that cannot be
used, however many processes replace them and wherever one dies: the key's file has the key's certificate, too, and is
replaced in one step; the certificate's file follows. Whoever finds a certificate there that is not the key's takes the
one that is with the key."""

from __future__ import annotations

import os
import re
import secrets
import time
from typing import List, NamedTuple, Optional

from .common_name import certificate_in, common_name_of
from .signing_request import is_pair


class IdentityFiles(NamedTuple):
    """Paths, and what the key is encrypted with."""

    certificate: str
    key: str
    key_password: Optional[str] = None


class Identity(NamedTuple):
    """PEM texts."""

    certificate: str
    key: str


#: A draft that is older was left by a process that died.
_draft_s_max = 10 * 60
_draft_name = re.compile(r"\.[0-9a-f]{16}\.new")


def _draft(file: str, text: str) -> str:
    """Readable by its owner alone, on the disk before anything is given up for it, and by a name that no other process
    writes to."""
    path = f"{file}.{secrets.token_hex(8)}.new"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        return path
    except BaseException:
        _remove(path)
        raise


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _sync_folder_of(file: str) -> None:
    """Its renames so far are on the disk. Not every system can say so of a folder."""
    try:
        folder = os.open(os.path.dirname(file) or ".", os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(folder)
    except OSError:
        pass
    finally:
        os.close(folder)


def try_files(files: IdentityFiles, key: str) -> None:
    """Shows that there is room and the right to write, before anything depends on it. Raises OSError."""
    # As long as what will come, or a little longer.
    for file in (files.key, files.certificate):
        _remove(_draft(file, key * 16))


def write_identity(files: IdentityFiles, identity: Identity) -> None:
    """Replaces both, mode 0600. Raises OSError."""
    drafts: List[str] = []
    try:
        drafts.append(_draft(files.key, f"{identity.key.rstrip()}\n{identity.certificate}"))
        drafts.append(_draft(files.certificate, identity.certificate))
        os.replace(drafts[0], files.key)
        # A certificate without its key is the one thing that nobody could use.
        _sync_folder_of(files.key)
        os.replace(drafts[1], files.certificate)
    finally:
        for path in drafts:
            _remove(path)


def _read(file: str) -> str:
    with open(file, encoding="ascii") as text:
        return text.read()


def read_pair(files: IdentityFiles) -> Optional[Identity]:
    """What the files hold; None where that is no pair."""
    try:
        # In this order: a new certificate comes after its key.
        beside = _read(files.certificate) if os.path.exists(files.certificate) else ""
        key = _read(files.key)
    except (OSError, ValueError):
        return None
    inside = certificate_in(key)
    if is_pair(beside, key, files.key_password):
        return Identity(beside, key)
    # Files of two agents are nobody's pair.
    if inside is None or (beside != "" and common_name_of(beside) != common_name_of(inside)):
        return None
    return Identity(inside, key) if is_pair(inside, key, files.key_password) else None


def _remove_old_drafts(file: str) -> None:
    folder, name = os.path.split(file)
    for entry in os.scandir(folder or "."):
        if not entry.name.startswith(name) or not _draft_name.fullmatch(entry.name[len(name) :]):
            continue
        if time.time() - entry.stat().st_mtime > _draft_s_max:
            _remove(entry.path)


def settle_identity(files: IdentityFiles) -> None:
    """Finishes a replacement that was cut short between its two files, and removes what processes that died left behind.
    Where that cannot be done nothing is said: the pair can be read all the same."""
    pair = read_pair(files)
    try:
        if pair is not None and (not os.path.exists(files.certificate) or _read(files.certificate) != pair.certificate):
            os.replace(_draft(files.certificate, pair.certificate), files.certificate)
        for file in (files.certificate, files.key):
            _remove_old_drafts(file)
    except (OSError, ValueError):
        pass  # The next one tries again.
