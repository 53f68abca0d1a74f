"""What a layer takes on a disk once it is unpacked, counted from its archive in blocks of 4 KiB."""

from __future__ import annotations

import io
import tarfile
import zlib
from lzma import LZMAError
from typing import TYPE_CHECKING

from tonnage.errors import StepFailedError
from tonnage.unpacking import pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK_BYTES = 4096
_HELD_BYTES = 1 << 20


def disk_bytes(content: Iterator[bytes], media_type: str) -> int | None:
    """Return the bytes that a layer takes; None for one that is packed in a way that cannot be read here.

    Raises:
        StepFailedError: It is no archive.
    """
    if not media_type.endswith(("tar", "gzip")):
        return None
    taken = 0
    unpacked = pieces(as_file(content).read1, ".gz") if media_type.endswith("gzip") else content
    try:
        with tarfile.open(fileobj=as_file(unpacked), mode="r|") as archive:
            for entry in archive:
                taken += -(-entry.size // _BLOCK_BYTES) * _BLOCK_BYTES if entry.isreg() else 0
                taken += _BLOCK_BYTES if entry.isdir() else 0
                # Else all entries are kept in memory.
                archive.members = []  # type: ignore[attr-defined]
    except (tarfile.TarError, zlib.error, LZMAError, EOFError, ValueError) as error:
        raise StepFailedError("a layer is not a readable archive", why=str(error)) from error
    return taken


def as_file(content: Iterator[bytes]) -> io.BufferedReader:
    """Return these bytes as a file that is read once."""
    return io.BufferedReader(_Pieces(content), _HELD_BYTES)


class _Pieces(io.RawIOBase):
    """Pieces as a file that is read once."""

    def __init__(self, content: Iterator[bytes]) -> None:
        self._content = content
        self._waiting = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001 - any buffer
        """Fill a buffer as far as the next piece goes."""
        while not self._waiting:
            piece = next(self._content, None)
            if piece is None:
                return 0
            self._waiting = piece
        size = min(len(buffer), len(self._waiting))
        buffer[:size], self._waiting = self._waiting[:size], self._waiting[size:]
        return size
