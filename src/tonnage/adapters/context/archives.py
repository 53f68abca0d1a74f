"""What a tar archive of a context holds, entry by entry. Nothing of it is unpacked, and it is read forwards only.

Python's reader believes an archive: that a header has a gigabyte, that an entry ends before it begins, that a list of
holes goes on. What no builder's archive has is refused here before it is read, and so is what unpacks to far more than
any layer has.

Source: CPython 3.11, ``tarfile.py``; moby 28, ``pkg/archive`` for how archives are recognised.
"""

from __future__ import annotations

import lzma
import tarfile
import zlib
from typing import IO, TYPE_CHECKING, Self, cast

from tonnage.lazily import regex
from tonnage.units import told_count
from tonnage.unpacking import pieces

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

_KINDS = {tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "hard link"}
_MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\0": ".xz"}
LONGEST_MAGIC = max(map(len, _MAGIC))
_ZSTANDARD = regex(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
_MOST_HEADER_BYTES = 1 << 20
# Between two entries; a file with holes has one for each 21 of them.
_MOST_READS = 2_000
# Settings for all entries are gone through with each of them, and for each digit of a header all that follow it.
_MOST_SETTINGS = 100
_DIGITS = regex(rb"[0-9]{128}")
_MOST_UNPACKED_BYTES = 16 << 30
_LONGEST_PATH = 4096
_DAMAGED = (OSError, tarfile.TarError, EOFError, ValueError, zlib.error, lzma.LZMAError)


class UnlistedError(Exception):
    """An archive has what cannot be listed; what it brings is not known."""


def packing_of(head: bytes) -> str:
    """Return how a file is packed that begins like this: ``.gz``, ``.bz2``, ``.xz``, ``.zst``, or empty for not."""
    found = next((each for magic, each in _MAGIC.items() if head.startswith(magic)), "")
    return found or (".zst" if _ZSTANDARD.match(head) else "")


def list_archive(file: BinaryIO, take: Callable[[str, str, int], None]) -> bool:
    """List a tar archive, packed or not.

    Args:
        take: Is given path, kind and bytes of each entry.

    Returns:
        Whether it is one. What is damaged further on is listed as far as it can be read; what is packed by zstd is
        not read here.

    Raises:
        UnlistedError: It has what cannot be listed.
    """
    suffix = packing_of(file.read(LONGEST_MAGIC))
    if suffix == ".zst":
        return False
    file.seek(0)
    listed = False
    try:
        with tarfile.TarFile(fileobj=cast("IO[bytes]", _Forwards(file, suffix)), tarinfo=_CheckedHeader) as archive:
            listed = True
            while (entry := archive.next()) is not None:
                # It would keep them all.
                archive.members.clear()  # type: ignore[attr-defined]
                kind = "file" if entry.isreg() else _KINDS.get(entry.type, "other")
                size_bytes = told_count(len(entry.linkname) if kind == "link" else entry.size)
                if len(archive.pax_headers) > _MOST_SETTINGS:
                    raise UnlistedError("it has more settings for all entries than archives have")
                if size_bytes is None or max(len(entry.name), len(entry.linkname)) > _LONGEST_PATH:
                    raise UnlistedError("an entry has a size or a path that no file has")
                take(entry.name, kind, size_bytes)
    except _DAMAGED:
        return listed
    return True


class _CheckedHeader(tarfile.TarInfo):
    """An entry whose size is looked at first: newer Pythons take one below nothing for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        found = super().frombuf(buf, encoding, errors)
        if found.size < 0:
            raise UnlistedError("an entry ends before it begins")
        return found


class _Forwards:
    """A file that is read from its beginning to its end, unpacked on the way."""

    def __init__(self, file: BinaryIO, suffix: str) -> None:
        self._file = file
        self._pieces = pieces(file.read, suffix) if suffix else None
        self._piece, self._used = b"", 0
        self._at = self._reads = 0

    def tell(self) -> int:
        return self._at

    def seek(self, position: int) -> int:
        if position < self._at:
            raise UnlistedError("an entry ends before it begins")
        self._reads = 0
        if self._pieces is None:
            self._at = self._file.seek(position)
            return self._at
        if position > _MOST_UNPACKED_BYTES:
            raise UnlistedError(f"it unpacks to more than {_MOST_UNPACKED_BYTES >> 30} GiB")
        while self._at < position and self._next(position - self._at):
            pass
        return self._at

    def read(self, size: int) -> bytes:
        self._reads += 1
        if not 0 <= size <= _MOST_HEADER_BYTES or self._reads > _MOST_READS:
            raise UnlistedError("a header is larger than one can be")
        found = bytearray()
        while len(found) < size and (part := self._next(size - len(found))):
            found += part
        if size > tarfile.BLOCKSIZE and _DIGITS.search(found):
            raise UnlistedError("a header has a number that is longer than one can be")
        return bytes(found)

    def _next(self, size: int) -> bytes:
        """Return what comes next, at most so many bytes; nothing at the end."""
        if self._pieces is None:
            part = self._file.read(size)
            self._at += len(part)
            return part
        if self._used == len(self._piece):
            self._piece, self._used = next(self._pieces, b""), 0
        part = self._piece[self._used : self._used + size]
        self._used += len(part)
        self._at += len(part)
        return part
