"""Files that were removed but that a program still holds open: their bytes come free only when it closes them.

Of the programs of other users only root is told.
"""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from pathlib import Path

_BLOCK_BYTES = 512


def held_open(mount: str) -> tuple[tuple[str, int], ...]:
    """Return the programs of this machine that hold removed files of a filesystem open.

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
