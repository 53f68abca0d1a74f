"""The space on the filesystem under one directory, now. It loads nothing and writes nothing."""

from __future__ import annotations

import os

from msgspec import Struct

from tonnage.errors import UsageError


class Space(Struct, frozen=True, kw_only=True):
    """One filesystem.

    Args:
        mount: Where it is mounted.
        device: Its device number.
        size_bytes: All its bytes.
        available_bytes: What an ordinary process may still write.
        available_inodes: Inodes that are free for an ordinary process.
        read_only: Whether nothing can be written, and so nothing removed.
    """

    mount: str
    device: int
    size_bytes: int
    available_bytes: int
    available_inodes: int
    read_only: bool


def space_under(directory: str) -> Space:
    """Return how large and how full the filesystem is that a directory lies on.

    Raises:
        UsageError: The path is not there, or cannot be looked at.
    """
    try:
        found = os.statvfs(directory)
        device = os.stat(directory).st_dev  # noqa: PTH116 - beside statvfs
        mount = mount_of(directory, device)
    except OSError as error:
        raise UsageError(
            f"the filesystem under {directory} cannot be read",
            why=f"{error.strerror}.",
            todo="Name a directory that is there, and that this user may look at.",
        ) from error
    return Space(
        mount=mount,
        device=device,
        size_bytes=found.f_blocks * found.f_frsize,
        available_bytes=found.f_bavail * found.f_frsize,
        available_inodes=found.f_favail,
        read_only=bool(found.f_flag & os.ST_RDONLY),
    )


def mount_of(directory: str, device: int) -> str:
    """Return the highest directory above one that is on the same device."""
    highest = os.path.realpath(directory)
    while True:
        parent = os.path.dirname(highest)  # noqa: PTH120 - pathlib need not be loaded
        if parent == highest or os.stat(parent).st_dev != device:  # noqa: PTH116
            return highest
        highest = parent
