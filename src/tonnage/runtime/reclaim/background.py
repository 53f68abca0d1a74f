"""A reclaim that goes on in the background: how it is begun, and how another process finds it.

Its mark and what it says lie in the directory that locks are in: that is memory on most machines, not the full disk.
Where not even that can be written it goes on all the same; it can then be waited for by the bytes alone.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

from tonnage.errors import LockHeldError
from tonnage.runtime.lock import shared_directory
from tonnage.runtime.process_identity import Owner, has_died, this_process

if TYPE_CHECKING:
    from pathlib import Path

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LAST_LINES = 5
_NICER_BY = 5


class Background:
    """The one background reclaim of this user.

    Args:
        directory: Where its files are; None for the directory of locks.
    """

    def __init__(self, directory: Path | None = None) -> None:
        where = directory or shared_directory()
        self._mark = where / f"tonnage-reclaim-{os.geteuid()}.json"
        self._log = where / f"tonnage-reclaim-{os.geteuid()}.log"

    def begin(self) -> bool:
        """Part in two processes.

        Raises:
            LockHeldError: One goes on already.
        """
        if self.is_going_on():
            raise LockHeldError(
                "a reclaim of this user is already running in the background",
                todo="Wait for it:\n  tonnage reclaim --wait SIZE",
            )
        ready, done = os.pipe()
        if os.fork():
            os.close(done)
            # Ends when the other one has left its mark, or has died.
            os.read(ready, 1)
            os.close(ready)
            return False
        os.close(ready)
        os.setsid()
        # Somebody goes on with something else: that goes first.
        os.nice(_NICER_BY)
        log = self._fresh(self._log)
        if log is None:
            log = os.open(os.devnull, os.O_WRONLY)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, number in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(descriptor, number)
        mark = self._fresh(self._mark)
        if mark is not None:
            owner = this_process()
            with contextlib.suppress(OSError):
                os.write(mark, json.dumps({"pid": owner.pid, "host": owner.host, "birth": owner.birth}).encode())
            os.close(mark)
        os.close(done)
        return True

    def is_going_on(self) -> bool:
        """Return whether it runs."""
        try:
            if self._mark.stat(follow_symlinks=False).st_uid != os.geteuid():
                return False
            told = json.loads(self._mark.read_text())
            return not has_died(Owner(pid=int(told["pid"]), host=str(told["host"]), birth=str(told["birth"])))
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def said(self) -> str:
        """Return the last lines that it said; empty when there are none."""
        try:
            if self._log.stat(follow_symlinks=False).st_uid != os.geteuid():
                return ""
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
        except OSError:
            return ""

    def _fresh(self, path: Path) -> int | None:
        """Return a new file in place of an old one of this user; None when there can be none."""
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        try:
            return os.open(path, _NEW, 0o600)
        except OSError:
            return None
