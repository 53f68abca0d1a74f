"""Directories and files that only one user may read, made where the user's are, also by ``sudo``.

What root makes below a directory of somebody else is given to that one: otherwise a single ``sudo tonnage reclaim``
would lock its user out of their own journal.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TO_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TO_WRITE = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


def make_private_directory(path: Path) -> None:
    """Make a directory (0700), and those above it as usual, where they are missing.

    Raises:
        OSError: It cannot be made.
    """
    for each in (*reversed(path.parents), path):
        if each.is_dir():
            continue
        each.mkdir(mode=0o700 if each == path else 0o777, exist_ok=True)
        made = os.open(each, _TO_READ)
        try:
            _give_to_the_one_above(made, each)
        finally:
            os.close(made)


def make_private_file(path: Path) -> None:
    """Make an empty file (0600) where there is none, and let nobody else read the one that is there.

    Raises:
        OSError: It cannot be made or changed, or is a link.
    """
    try:
        made = os.open(path, _TO_WRITE | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        made = os.open(path, _TO_WRITE)
    else:
        _give_to_the_one_above(made, path)
    try:
        if os.fstat(made).st_mode & 0o077:
            os.fchmod(made, 0o600)
    finally:
        os.close(made)


def _give_to_the_one_above(made: int, path: Path) -> None:
    above = path.parent.stat()
    if os.geteuid() == 0 and above.st_uid != 0:
        os.fchown(made, above.st_uid, above.st_gid)
