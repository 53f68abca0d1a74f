"""A file of nothing beside the engine's data, whose bytes are given back at once when the disk is full.

Removing one file of some hundred megabytes takes a fraction of a millisecond and needs no free byte, so the engine, its
databases and our own journal go on working where everything else would fail. Its name says whose it is; nobody else's
file is ever taken for it.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from tonnage.errors import CannotReclaimError

NAME = "tonnage-ballast"
_MOST_BYTES = 256_000_000
_SHARE = 100
_TIMES_FREE = 4
_BLOCK_BYTES = 512
_NEARLY = 0.99
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def ballast_path(data_root: str) -> str:
    """Return where the file of an engine is: in its data root, for what lies beside that may be another disk."""
    return os.path.join(data_root, NAME)  # noqa: PTH118 - text


def ballast_bytes(data_root: str) -> int:
    """Return how many bytes are held; 0 where there is no such file, or what has its name is somebody else's."""
    with suppress(OSError):
        found = os.lstat(ballast_path(data_root))
        mine = found.st_uid in {0, os.geteuid()} and found.st_nlink == 1
        if stat.S_ISREG(found.st_mode) and mine:
            return found.st_blocks * _BLOCK_BYTES
    return 0


def make_ballast(data_root: str, keeps_bytes: int = 0) -> int:
    """Make the file, where there is none: a hundredth of the disk and 256 MB at most.

    Args:
        data_root: Of an engine on this machine.
        keeps_bytes: What has to stay available besides.

    Returns:
        The bytes that are held now: none where four times as much is not free, or this user may not write there.
    """
    held_bytes = ballast_bytes(data_root)
    if held_bytes:
        return held_bytes
    try:
        disk = os.statvfs(data_root)
        wanted_bytes = min(disk.f_blocks * disk.f_frsize // _SHARE, _MOST_BYTES)
        available_bytes = disk.f_bavail * disk.f_frsize
        if wanted_bytes <= 0 or available_bytes < max(_TIMES_FREE * wanted_bytes, keeps_bytes + wanted_bytes):
            return 0
        file = os.open(ballast_path(data_root), _NEW, 0o600)
    except OSError:
        return 0
    held_bytes = 0
    with suppress(OSError):
        # Blocks of its own: a sparse file would hold nothing.
        os.posix_fallocate(file, 0, wanted_bytes)
        held_bytes = os.fstat(file).st_blocks * _BLOCK_BYTES
    os.close(file)
    if held_bytes >= wanted_bytes * _NEARLY:
        return held_bytes
    with suppress(OSError):
        os.unlink(ballast_path(data_root))  # noqa: PTH108 - text
    return 0


def drop_ballast(data_root: str) -> int:
    """Give the bytes back; return how many were held.

    Raises:
        CannotReclaimError: This user may not remove it.
    """
    held_bytes = ballast_bytes(data_root)
    if held_bytes:
        try:
            os.unlink(ballast_path(data_root))  # noqa: PTH108 - text
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise CannotReclaimError(
                f"the ballast {ballast_path(data_root)} cannot be removed",
                why=error.strerror or str(error),
                todo="Run this command with sudo.",
            ) from error
    return held_bytes
