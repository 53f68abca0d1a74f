"""The files in which an engine on this machine keeps what containers printed: measured, and emptied.

A log is emptied where it is, never removed: the engine holds it open and goes on at its new end.
"""

from __future__ import annotations

import os
import stat

from tonnage.errors import StepFailedError

_BLOCK_BYTES = 512
_FLAGS = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def size_bytes(path: str) -> int | None:
    """Return what a log takes on the disk; None where there is none, or this user may not look.

    Args:
        path: The file, as the engine tells it; empty for none.
    """
    if not path:
        return None
    try:
        return os.stat(path, follow_symlinks=False).st_blocks * _BLOCK_BYTES  # noqa: PTH116 - as the engine tells it
    except OSError:
        return None


def empty(path: str) -> None:
    """Empty a log.

    Args:
        path: The file, as the engine tells it.

    Raises:
        StepFailedError: It is no plain file, or this user may not write to it.
    """
    try:
        file = os.open(path, _FLAGS)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise StepFailedError(f"the log {path} is no plain file")
            os.ftruncate(file, 0)
        finally:
            os.close(file)
    except OSError as error:
        todo = "As root it can:\n  sudo --preserve-env tonnage reclaim" if isinstance(error, PermissionError) else ""
        raise StepFailedError(f"the log {path} could not be emptied", why=f"{error.strerror}.", todo=todo) from error
