"""Bytes that nobody sees: removed files that are held open, what lies under mounts, layers that an engine forgot.

They are told and nothing is changed: a program, a mount or the engine alone can give them back.
"""

from __future__ import annotations

import ctypes
import os
import stat
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters.host.mount_table import is_within, mount_under, read_mounts
from tonnage.adapters.reclaim.path_sizes import measure

if TYPE_CHECKING:
    from tonnage.adapters.host.mount_table import MountPoint

_BLOCK_BYTES = 512


def held_open(mount: str) -> tuple[tuple[str, int], ...]:
    """Return the programs of this machine that hold removed files of a filesystem open; of other users only for root.

    Args:
        mount: Any path on the filesystem.

    Returns:
        The program with its process id, and the bytes of such files; each file counts once, the most bytes first.
    """
    device = os.stat(mount).st_dev  # noqa: PTH116 - a string is asked for
    found: dict[str, int] = defaultdict(int)
    seen: set[int] = set()
    for directory in Path("/proc").glob("[0-9]*"):
        for inode, size_bytes in _of_process(directory, device):
            if inode not in seen:
                seen.add(inode)
                found[f"{_name(directory)} ({directory.name})"] += size_bytes
    return tuple(sorted(found.items(), key=lambda each: (-each[1], each[0])))


def _of_process(directory: Path, device: int) -> list[tuple[int, int]]:
    held = []
    try:
        entries = list(os.scandir(directory / "fd"))
    except OSError:
        return []
    for entry in entries:
        try:
            told = os.stat(entry.path)  # noqa: PTH116 - an entry of a scan
        except OSError:
            continue
        if told.st_dev == device and told.st_nlink == 0 and stat.S_ISREG(told.st_mode) and told.st_blocks:
            held.append((told.st_ino, told.st_blocks * _BLOCK_BYTES))
    return held


def _name(directory: Path) -> str:
    try:
        return (directory / "comm").read_text(errors="replace").strip()
    except OSError:
        return "a program"


WITHIN_S = 3.0
"""Seconds after which what was found so far is told."""
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
    on_it = [
        each
        for each in mounts
        if each.path != around.path and _directly_on(each, around, mounts) and not _shows_the_same(each, around)
    ]
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


def _shows_the_same(mount: MountPoint, around: MountPoint) -> bool:
    """Whether a directory is mounted on itself, as engines do with their data root: then it hides nothing."""
    below = os.path.relpath(mount.path, around.path)
    return mount.device == around.device and mount.root == os.path.join(around.root, below)  # noqa: PTH118 - paths of the table


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
    return measure([((), inside)], device, within_s=within_s).total_bytes


OLD_S = 600.0
"""A layer that is younger may belong to a pull or a build that goes on."""
_LINKS = "l"
_NAME_FILES = ("sha256/*/cache-id", "mounts/*/mount-id", "mounts/*/init-id")


class Orphans(Struct, frozen=True):
    """Layers that nothing of the engine refers to: their directories, and their bytes as far as they were counted."""

    paths: tuple[str, ...]
    size_bytes: int


def orphan_layers(data_root: str, *, now_s: float) -> Orphans:
    """Find layers of overlay2 on disk that the engine does not know: left by pulls and builds that were torn off.

    Args:
        data_root: The engine's, on this machine.
        now_s: The time, in seconds since 1970.

    Returns:
        Them. Nothing where this user may not look, or where layers are kept in another way.

    Source: moby, layer/filestore.go: cache-id, mount-id and init-id name the directories below overlay2. The names
    that the builder uses stand in its database, in clear text; a name that occurs anywhere in it is taken for known.
    """
    store, layers = Path(data_root, "overlay2"), Path(data_root, "image", "overlay2", "layerdb")
    try:
        known = {each.read_text().strip() for pattern in _NAME_FILES for each in layers.glob(pattern)}
        databases = [each.read_bytes() for each in Path(data_root, "buildkit").glob("*.db")]
        if not known:
            return Orphans((), 0)
        found = [
            each.path
            for each in os.scandir(store)
            if each.name != _LINKS
            and each.name not in known
            and each.stat(follow_symlinks=False).st_mtime < now_s - OLD_S
            and not any(each.name.removesuffix("-init").encode() in database for database in databases)
        ]
        device = os.stat(store).st_dev  # noqa: PTH116 - beside the scan above
    except OSError:
        return Orphans((), 0)
    sizes = measure([((), (path,)) for path in found], device, within_s=WITHIN_S)
    return Orphans(tuple(sorted(found)), sizes.total_bytes)
