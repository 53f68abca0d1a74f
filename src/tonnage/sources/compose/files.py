"""The door to the files that a stack is read from: those of this machine, or of another one."""

from __future__ import annotations

import errno
import stat
from pathlib import Path
from typing import Protocol

_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Files(Protocol):
    """Files of one machine, by absolute paths."""

    def read(self, path: str, most_bytes: int) -> bytes:
        """Return what a file begins with.

        Raises:
            OSError: It is not there, or cannot be read.
        """

    def kind(self, path: str) -> str:
        """Return what is there: ``file``, ``directory``, ``other``, or an empty text when there is nothing.

        Raises:
            OSError: It may not be looked at.
        """


class FilesHere:
    """Files of this machine."""

    def read(self, path: str, most_bytes: int) -> bytes:
        """Return what a file begins with."""
        with Path(path).open("rb") as stream:
            return stream.read(most_bytes)

    def kind(self, path: str) -> str:
        """Return what is there."""
        try:
            mode = Path(path).stat().st_mode
        except OSError as error:
            if error.errno in _NOT_THERE:
                return ""
            raise
        return "file" if stat.S_ISREG(mode) else "directory" if stat.S_ISDIR(mode) else "other"


HERE = FilesHere()
