"""Sums of the files of large contexts, remembered between commands by what the filesystem says of each file.

A file whose bytes, times and number are what they were holds what it held, as for the index of git. A file that was
changed just now is not remembered: it may change once more within what the clock of the filesystem can tell.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from tonnage.lazily import learned

if TYPE_CHECKING:
    from tonnage.adapters.context.context_files import ContextEntry, ContextFiles
    from tonnage.adapters.web.disk_cache import DiskCache

# The number changes with what is kept, so that what another way kept is never read.
_KIND = "sums-2"
LEAST_FILES, MOST_FILES = 1_000, 300_000
"""Smaller contexts are read as quickly; what is remembered of larger ones takes too much memory."""
SETTLED_NS = 2_000_000_000


class _RememberedFiles(Struct):
    """What is known of one directory.

    Args:
        known: By path the stamp of the file, and then its sum.
        new: What was found out now.
        files: How many files it has.
    """

    known: dict[str, bytes]
    new: dict[str, bytes] = field(default_factory=dict)
    files: int = 0


class KnownSums:
    """Remembered sums.

    Args:
        kept: Where they are kept; None to remember nothing.
    """

    def __init__(self, kept: DiskCache | None) -> None:
        self._kept = kept
        self._directories: dict[str, _RememberedFiles] = {}
        self._begun_ns = time.time_ns()
        self._last: tuple[ContextFiles | None, _RememberedFiles | None] = (None, None)

    def sum(self, entry: ContextEntry, files: ContextFiles) -> str:
        """Return the sum of a file as it was when it was what it is now; empty where that is not known."""
        directory = self._directory(files)
        if directory is None or not entry.stamp:
            return ""
        found = directory.known.get(entry.path, b"")
        if not found.startswith(entry.stamp):
            return ""
        return found[len(entry.stamp) :].hex()

    def learn(self, entry: ContextEntry, files: ContextFiles, told: str) -> None:
        """Remember the sum of a file, where it is not changing now."""
        directory = self._directory(files)
        if directory is not None and entry.stamp and entry.changed_ns < self._begun_ns - SETTLED_NS:
            directory.new[entry.path] = entry.stamp + bytes.fromhex(told)

    def keep(self) -> None:
        """Keep what was found out; what has gone from a directory is forgotten when there is much of it."""
        for name, directory in self._directories.items():
            if self._kept is None or not directory.new:
                continue
            old = directory.known if len(directory.known) <= 2 * directory.files else {}
            # A name that is no UTF-8 is read each time.
            kept = {path: told for path, told in (old | directory.new).items() if path.isascii() or _is_text(path)}
            self._kept.keep(_KIND, name, msgspec.msgpack.encode(kept))
            directory.new = {}

    def _directory(self, files: ContextFiles) -> _RememberedFiles | None:
        if self._last[0] is not files:
            self._last = (files, self._looked_up(files))
        return self._last[1]

    def _looked_up(self, files: ContextFiles) -> _RememberedFiles | None:
        if self._kept is None or not LEAST_FILES <= len(files.entries) <= MOST_FILES:
            return None
        found = self._directories.get(files.directory)
        if found is None:
            known: dict[str, bytes] = {}
            told = self._kept.read(_KIND, files.directory)
            if told is not None:
                try:
                    known = msgspec.msgpack.decode(told, type=learned(dict[str, bytes]))
                except msgspec.MsgspecError:
                    known = {}
            found = self._directories[files.directory] = _RememberedFiles(known, files=len(files.entries))
        return found


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
