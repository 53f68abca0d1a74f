"""Bytes that lie in directories on which something else is mounted, so that nobody sees them.

It tells where they are; it changes nothing, and nothing that it does is seen by another process.
"""

from __future__ import annotations

import ctypes
import os
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters.host.mount_table import is_within, mount_under, read_mounts
from tonnage.adapters.reclaim.path_sizes import measure

if TYPE_CHECKING:
    from tonnage.adapters.host.mount_table import MountPoint

WITHIN_S = 3.0
"""Seconds after which it tells what it has found so far."""
_AT_FDCWD = -100
_OPEN_TREE = 428
_OPEN_TREE_CLONE = 1


class Hidden(Struct, frozen=True):
    """Bytes in a directory that something else is mounted on."""

    path: str
    size_bytes: int


def hidden_under_mounts(directory: str) -> tuple[Hidden, ...]:
    """Measure what lies in directories of one filesystem that something is mounted on.

    Args:
        directory: Any path on the filesystem.

    Returns:
        Directories that hide something. Empty where it cannot be told: only root may look, on Linux 5.2 and later.

    Source: open_tree(2). Its copy of a mount leaves out what is mounted on it, and is seen by nobody else.
    """
    mounts = read_mounts()
    around = mount_under(mounts, os.path.realpath(directory))
    if around is None:
        return ()
    on_it = [each for each in mounts if each.path != around.path and _directly_on(each, around, mounts)]
    copy = _copy_of(around.path) if on_it else -1
    if copy < 0:
        return ()
    try:
        device = os.fstat(copy).st_dev
        until_s = time.monotonic() + WITHIN_S
        found = []
        for path in dict.fromkeys(each.path for each in on_it):
            inner = f"/proc/self/fd/{copy}/{os.path.relpath(path, around.path)}"
            own_bytes = _contents_bytes(inner, device, until_s - time.monotonic())
            if own_bytes:
                found.append(Hidden(path, own_bytes))
    finally:
        os.close(copy)
    return tuple(sorted(found, key=lambda each: (-each.size_bytes, each.path)))


def _directly_on(mount: MountPoint, around: MountPoint, mounts: tuple[MountPoint, ...]) -> bool:
    """Whether a mount's directory lies on that other mount, not on one between them."""
    if not is_within(mount.path, around.path):
        return False
    return not any(
        each.path not in {mount.path, around.path}
        and is_within(mount.path, each.path)
        and is_within(each.path, around.path)
        for each in mounts
    )


def _copy_of(path: str) -> int:
    """Return an open copy of a mount without what is mounted on it; -1 where the kernel refuses."""
    system = ctypes.CDLL(None, use_errno=True)
    system.syscall.restype = ctypes.c_long
    return int(
        system.syscall(
            ctypes.c_long(_OPEN_TREE),
            ctypes.c_int(_AT_FDCWD),
            ctypes.c_char_p(os.fsencode(path)),
            ctypes.c_uint(_OPEN_TREE_CLONE | os.O_CLOEXEC),
        )
    )


def _contents_bytes(directory: str, device: int, within_s: float) -> int:
    """Return the bytes in a directory, without those of the directory itself."""
    try:
        inside = [f"{directory}/{name}" for name in os.listdir(directory)]  # noqa: PTH208
    except OSError:
        return 0
    sizes = measure([((), inside)], device, within_s=within_s)
    linked_bytes = sum(each.size_bytes for each in sizes.linked.values())
    return sizes.tallies[0].own_bytes + linked_bytes
