"""Measures what directories hold: bytes by their blocks, each hard link once, and who else holds those.

Bytes that a file has under a name outside everything that was measured do not come free; that is what the counted
links are for. Links are never followed, other filesystems never entered.
"""

from __future__ import annotations

import math
import os
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCK_BYTES = 512
_THREADS = 4
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Linked(Struct):
    """A file with more than one name.

    Args:
        size_bytes: Its bytes.
        names: How many names it has in all.
        seen: How many of them were found in each tally, by the tally's number.
    """

    size_bytes: int
    names: int
    seen: dict[int, int] = field(default_factory=dict)


class Tally(Struct):
    """What one group of paths holds.

    Args:
        own_bytes: Bytes of files with one name, and of directories.
        inodes: Files and directories, those with several names left out.
        last_used_s: When the latest file was read or written, as far as the filesystem notes it; 0 where there is none.
        unread: How many directories could not be looked into.
    """

    own_bytes: int = 0
    inodes: int = 0
    last_used_s: float = 0.0
    unread: int = 0


class Sizes(Struct):
    """The tallies of several groups, and the files with more than one name by inode."""

    tallies: list[Tally]
    linked: dict[int, Linked] = field(default_factory=dict)


def measure(groups: Sequence[Sequence[str]], device: int, *, within_s: float = math.inf) -> Sizes:
    """Measure groups of paths on one filesystem.

    Args:
        groups: Paths, absolute; none inside another.
        device: The number of the filesystem; what lies on another is left out.
        within_s: Seconds after which what was not looked into yet is counted as such.

    Returns:
        One tally for each group, and the files with several names of all of them together.
    """
    sizes = Sizes([Tally() for _ in groups])
    lock = threading.Lock()
    until_s = time.monotonic() + within_s
    tasks = [(number, path) for number, group in enumerate(groups) for path in group]
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="measure") as pool:
        for done in pool.map(lambda task: _measure_path(sizes, lock, task[0], task[1], device, until_s), tasks):
            assert done is None  # noqa: S101 - raises here what was raised there
    return sizes


def _measure_path(sizes: Sizes, lock: threading.Lock, number: int, path: str, device: int, until_s: float) -> None:
    tally = Tally()
    linked: list[tuple[int, int, int]] = []
    try:
        top = os.lstat(path)
    except OSError:
        return
    if top.st_dev != device:
        return
    _count(tally, linked, top)
    waiting = [path] if stat.S_ISDIR(top.st_mode) else []
    while waiting:
        directory = waiting.pop()
        if time.monotonic() > until_s:
            tally.unread += 1
            continue
        try:
            fd = os.open(directory, _DIRECTORY)
        except OSError:
            tally.unread += 1
            continue
        try:
            waiting.extend(_look(fd, directory, tally, linked, device))
        except OSError:
            tally.unread += 1
        finally:
            os.close(fd)
    with lock:
        _add(sizes, number, tally, linked)


def _look(fd: int, directory: str, tally: Tally, linked: list[tuple[int, int, int]], device: int) -> list[str]:
    """Count what is in one open directory; return the directories in it."""
    inside = []
    blocks = inodes = 0
    last_used_s = tally.last_used_s
    with os.scandir(fd) as entries:
        for entry in entries:
            try:
                told = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if told.st_dev != device:
                continue
            if entry.is_dir(follow_symlinks=False):
                inside.append(f"{directory}/{entry.name}")
                _count(tally, linked, told)
            elif told.st_nlink > 1:
                _count(tally, linked, told)
            else:
                # Most entries by far come here, so it is what _count does without a call.
                blocks += told.st_blocks
                inodes += 1
                last_used_s = max(last_used_s, told.st_atime, told.st_mtime)
    tally.own_bytes += blocks * _BLOCK_BYTES
    tally.inodes += inodes
    tally.last_used_s = max(tally.last_used_s, last_used_s)
    return inside


def _count(tally: Tally, linked: list[tuple[int, int, int]], told: os.stat_result) -> None:
    is_directory = stat.S_ISDIR(told.st_mode)
    if told.st_nlink > 1 and not is_directory:
        linked.append((told.st_ino, told.st_blocks * _BLOCK_BYTES, told.st_nlink))
    else:
        tally.own_bytes += told.st_blocks * _BLOCK_BYTES
        tally.inodes += 1
    if not is_directory:
        used_s = max(told.st_atime, told.st_mtime)
        tally.last_used_s = max(tally.last_used_s, used_s)


def _add(sizes: Sizes, number: int, tally: Tally, linked: list[tuple[int, int, int]]) -> None:
    into = sizes.tallies[number]
    into.own_bytes += tally.own_bytes
    into.inodes += tally.inodes
    into.unread += tally.unread
    into.last_used_s = max(into.last_used_s, tally.last_used_s)
    for inode, size_bytes, names in linked:
        one = sizes.linked.setdefault(inode, Linked(size_bytes, names))
        one.seen[number] = one.seen.get(number, 0) + 1
