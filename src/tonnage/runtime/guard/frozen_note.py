"""A note of what a run has frozen, beside the locks, so that the next command thaws what two processes left behind.

It lies in the directory that locks are in: that is memory on most machines, not the full disk. Only a file of this very
user that nobody else can write to is believed, and all that is ever done for it is to thaw.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.runtime.lock import shared_directory
from tonnage.runtime.process_identity import Owner, has_died, this_process

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_BEGINNING, _END = "tonnage-frozen-", ".json"
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST = 262_144
_MOST_NOTES = 1000


class FrozenNote:
    """The note of this process.

    Args:
        directory: Where it lies; None for the directory of locks.
        about: Tells the notes of one process apart.
    """

    def __init__(self, directory: Path | None = None, about: str = "") -> None:
        self._path = (directory or shared_directory()) / f"{_BEGINNING}{os.getpid()}{about}{_END}"
        self._file: int | None = None

    def open(self) -> bool:
        """Make the file; return whether that could be done."""
        with contextlib.suppress(OSError):
            # One of that number was left by a process that is gone.
            self._path.unlink(missing_ok=True)
            self._file = os.open(self._path, _NEW, 0o600)
        return self._file is not None and self.write((), 0.0)

    def write(self, groups: Iterable[str], until_s: float) -> bool:
        """Write what is about to be frozen, before it is; return whether that could be done.

        Args:
            until_s: When it has to be thawed in any case, on the monotonic clock.
        """
        if self._file is None:
            return False
        owner = this_process()
        told = {"pid": owner.pid, "host": owner.host, "birth": owner.birth, "until_s": until_s, "groups": list(groups)}
        text = json.dumps(told).encode()
        try:
            # What is longer than before ends where the new text does.
            os.pwrite(self._file, text, 0)
            os.ftruncate(self._file, len(text))
        except OSError:
            return False
        return len(text) < _LONGEST

    def close(self) -> None:
        """Remove it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            with contextlib.suppress(OSError):
                self._path.unlink()


class LeftFrozen(Struct, frozen=True):
    """What a process left frozen, or holds frozen for too long."""

    path: str
    groups: tuple[str, ...]
    died: bool

    def forget(self) -> None:
        """Remove the note of a process that is gone."""
        if self.died:
            with contextlib.suppress(OSError):
                os.unlink(self.path)  # noqa: PTH108 - a string is kept


def left_frozen(directory: Path | None = None) -> tuple[LeftFrozen, ...]:
    """Return what others of this user have left frozen."""
    found = []
    with contextlib.suppress(OSError), os.scandir(directory or shared_directory()) as entries:
        names = [each.path for each in entries if each.name.startswith(_BEGINNING) and each.name.endswith(_END)]
        for path in names[:_MOST_NOTES]:
            left = _read(path)
            if left is not None:
                found.append(left)
    return tuple(found)


def _read(path: str) -> LeftFrozen | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        about = os.fstat(file)
        mine = about.st_uid == os.geteuid() and about.st_nlink == 1 and not about.st_mode & 0o022
        if not stat.S_ISREG(about.st_mode) or not mine:
            return None
        # What follows the first document is the end of a longer one before it.
        told, _ = json.JSONDecoder().raw_decode(os.pread(file, _LONGEST, 0).decode())
        owner = Owner(pid=int(told["pid"]), host=str(told["host"]), birth=str(told["birth"]))
        groups = tuple(str(each) for each in told["groups"])
        late = bool(groups) and float(told["until_s"]) < time.monotonic()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    finally:
        os.close(file)
    died = has_died(owner)
    return LeftFrozen(path, groups, died) if died or late else None
