"""Counts what directories hold, and is at the same time the program that counts for somebody else.

Run as a program it is asked over its standard input and answers on its standard output until the input ends. It is
started without anything that is installed, so it imports nothing but a few modules of Python's own: it is there after
a hundredth of a second, and counts while the process that asks does something else.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
import time

BLOCK_BYTES = 512
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Task = tuple[list[str], bool, int, int, float]
"""Paths; whether they were counted themselves already; the device; after how many names to stop; until when."""
Count = tuple[int, int, float, int, list[tuple[int, int, int]], list[str]]
"""Bytes, files and directories, latest use, what could not be looked into, files with several names, what is left."""


def count(task: Task) -> Count:
    """Count what paths hold, each hard link apart, never through a link and on one device only."""
    paths, known, device, most, until_s = task
    counting = _Counting(device)
    if known:
        counting.waiting = paths
    else:
        counting.begin(paths)
    while counting.waiting and counting.names < most:
        if time.monotonic() > until_s:
            counting.unread += len(counting.waiting)
            counting.waiting = []
            break
        counting.look(counting.waiting.pop())
    own_bytes = counting.blocks * BLOCK_BYTES
    return own_bytes, counting.inodes, counting.last_used_s, counting.unread, counting.linked, counting.waiting


class _Counting:
    """One count, so far."""

    def __init__(self, device: int) -> None:
        self._device = device
        self.blocks = self.inodes = self.unread = self.names = 0
        self.last_used_s = 0.0
        self.linked: list[tuple[int, int, int]] = []
        self.waiting: list[str] = []

    def begin(self, paths: list[str]) -> None:
        """Count paths themselves; what is in those that are directories waits."""
        for path in paths:
            try:
                told = os.lstat(path)
            except OSError:
                continue
            if told.st_dev != self._device:
                continue
            if stat.S_ISDIR(told.st_mode):
                self.waiting.append(path)
                self.blocks += told.st_blocks
                self.inodes += 1
                continue
            self.last_used_s = max(self.last_used_s, told.st_atime, told.st_mtime)
            if told.st_nlink > 1:
                self.linked.append((told.st_ino, told.st_blocks * BLOCK_BYTES, told.st_nlink))
            else:
                self.blocks += told.st_blocks
                self.inodes += 1

    def look(self, directory: str) -> None:
        """Count what is in a directory; the directories in it wait."""
        try:
            fd = os.open(directory, _DIRECTORY)
        except OSError:
            self.unread += 1
            return
        try:
            self._look(fd, directory)
        except OSError:
            self.unread += 1
        finally:
            os.close(fd)

    def _look(self, fd: int, directory: str) -> None:
        device, names, blocks, inodes, last_used_s = self._device, 0, 0, 0, self.last_used_s
        with os.scandir(fd) as entries:
            for entry in entries:
                names += 1
                try:
                    told = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if told.st_dev != device:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    self.waiting.append(f"{directory}/{entry.name}")
                elif told.st_nlink > 1:
                    last_used_s = max(last_used_s, told.st_atime, told.st_mtime)
                    self.linked.append((told.st_ino, told.st_blocks * BLOCK_BYTES, told.st_nlink))
                    continue
                else:
                    last_used_s = max(last_used_s, told.st_atime, told.st_mtime)
                blocks += told.st_blocks
                inodes += 1
        self.names += names
        self.blocks += blocks
        self.inodes += inodes
        self.last_used_s = last_used_s


def _serve() -> None:
    asked, told = sys.stdin.buffer, sys.stdout.buffer
    while True:
        try:
            task = marshal.load(asked)  # noqa: S302 - from the process that started this one
        except EOFError:
            return
        marshal.dump(count(task), told)
        told.flush()


if __name__ == "__main__":
    _serve()
