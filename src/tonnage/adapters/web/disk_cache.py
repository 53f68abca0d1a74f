"""Answers from outside that are kept on this machine, each in a file of its own.

What has a digest for its name never changes and is kept for ever; anything else is kept with the time it was asked
for, and the reader says how old it may be. The directory may be removed at any time, and one that cannot be written
only means that everything is asked for again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.own_files import private_directory, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable


class DiskCache:
    """Kept answers below one directory.

    Args:
        directory: It need not exist.
        clock: Gives the seconds since the epoch.
    """

    def __init__(self, directory: Path, *, clock: Callable[[], float] = time.time) -> None:
        # A command reads thousands of them: paths stay text.
        self._directory = os.fspath(directory)
        self._clock = clock
        self._new: set[str] = set()

    def read(self, kind: str, name: str, *, within_s: float | None = None) -> bytes | None:
        """Return what was kept under a name; None when there is nothing, or it is too old.

        Args:
            kind: What it is, such as ``manifest``; the name of a directory.
            name: Its name, such as a digest or an address.
            within_s: How many seconds ago it may have been kept at most; None for any age.
        """
        path = self._path(kind, name)
        try:
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a path as text
                if within_s is not None and not 0 <= self._clock() - os.fstat(file.fileno()).st_mtime <= within_s:
                    return None
                return file.read()
        except OSError:
            return None

    def age_s(self, kind: str, name: str) -> float | None:
        """Return how many seconds ago something was kept; None when there is nothing."""
        try:
            return max(0.0, self._clock() - os.stat(self._path(kind, name)).st_mtime)  # noqa: PTH116 - as above
        except OSError:
            return None

    def is_new(self, kind: str, name: str) -> bool:
        """Return whether something was kept through this object, so that it is of now and not of earlier."""
        return self._path(kind, name) in self._new

    def keep(self, kind: str, name: str, content: bytes) -> None:
        """Keep something under a name, in place of what was there."""
        path = self._path(kind, name)
        with contextlib.suppress(OSError):
            there = Path(path)
            private_directory(there.parent, ours=True)
            write_whole(there, content, modified_s=self._clock())
            self._new.add(path)

    def _path(self, kind: str, name: str) -> str:
        return f"{self._directory}/{kind}/{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()}"
