"""A journal that cannot be read is set aside under another name, with what SQLite keeps beside it.

What it held is for reports and forecasts: which versions are good is known by images on the engine as well, so a run
need not end for it. Two processes that find the same damage set it aside once.
"""

from __future__ import annotations

import fcntl
import os
import shlex
from typing import TYPE_CHECKING

from tonnage.errors import DamagedJournalError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

_BESIDE = ("-journal", "-wal", "-shm")


def damaged(path: Path, why: str) -> DamagedJournalError:
    """Return that a journal cannot be read, with what is lost and what is not."""
    return DamagedJournalError(
        str(path),
        why=why,
        todo="The next deploy, build or rollback sets it aside and begins a new one. What was learned of sizes and\n"
        "reports of runs are lost with it; services are not touched, and versions to roll back to are known by\n"
        f"their images. To set it aside now:\n  mv {shlex.quote(str(path))} {shlex.quote(f'{path}.damaged')}",
    )


def set_aside(path: Path) -> str:
    """Give a damaged journal another name, and return what people should read about it.

    Raises:
        UsageError: It cannot be renamed.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            now, found = os.fstat(file), path.lstat()
            if (now.st_dev, now.st_ino) != (found.st_dev, found.st_ino):
                return f"The journal {path} was damaged; another process set it aside."
            aside = _free_name(path)
            # What is beside it first: SQLite would put pages of the damaged file into the new one.
            for end in _BESIDE:
                if os.path.lexists(f"{path}{end}"):
                    os.rename(f"{path}{end}", f"{aside}{end}")  # noqa: PTH104 - one form for both
            path.rename(aside)
        finally:
            os.close(file)
    except OSError as error:
        raise UsageError(
            f"the damaged journal {path} cannot be set aside",
            why=f"{error.strerror or error}.",
            todo="Give this user the right to write there, or set TONNAGE_STATE_DIR to another directory.",
        ) from error
    return (
        f"The journal {path} was damaged and is {aside.name} now; a new one is begun."
        " What was learned of sizes is lost."
    )


def _free_name(path: Path) -> Path:
    number, name = 1, path.with_name(f"{path.name}.damaged")
    while os.path.lexists(name):
        number += 1
        name = path.with_name(f"{path.name}.damaged-{number}")
    return name
