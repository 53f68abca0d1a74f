"""The layers of the classic store as the archives that they came from, to the byte.

The engine keeps of each layer a list: pieces of the archive that are no contents of files, and names and sizes of the
files whose contents stood between them. List and files together are the archive, which the digest shows.

A file is opened below the layer's directory, name by name, and no link is followed.

Source: github.com/vbatts/tar-split 0.11, ``tar/storage/entry.go`` and ``tar/asm/assemble.go``.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import io
import os
import zlib
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tonnage.errors import StepFailedError
from tonnage.lazily import learned
from tonnage.unpacking import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PIECE_BYTES = 1 << 20
_BLOCK_BYTES = 4096
_LONGEST_LINE_BYTES = 64 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _Kind(IntEnum):
    FILE = 1
    SEGMENT = 2


class _ListEntry(Struct):
    """One line of the list."""

    type: int = 0
    name: str = ""
    name_raw: str = ""
    size: int = 0
    payload: str | None = None

    @property
    def path(self) -> bytes:
        """The name of the file; one that is no UTF-8 is told apart."""
        return base64.b64decode(self.name_raw) if self.name_raw else self.name.encode()


class TarSplit:
    """The list of one layer.

    Args:
        packed: The list as it lies there, compressed with gzip.
    """

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def sizes(self) -> tuple[int, int]:
        """Return the bytes of the archive, and those that its files take on a disk with blocks of 4 KiB.

        Raises:
            StepFailedError: The list is none.
        """
        archive = disk = 0
        for entry in self._entries():
            if entry.type == _Kind.SEGMENT:
                archive += len(_payload(entry))
            else:
                archive += entry.size
                disk += -(-entry.size // _BLOCK_BYTES) * _BLOCK_BYTES if entry.size else 0
                disk += _BLOCK_BYTES if entry.path.endswith(b"/") else 0
        return archive, disk

    def pieces(self, directory: str) -> Iterator[bytes]:
        """Give the archive, piece by piece.

        Args:
            directory: Where the files of the layer lie.

        Raises:
            StepFailedError: The list is none, or a file is not what it says.
        """
        try:
            handle = os.open(directory, _DIRECTORY)
        except OSError as error:
            raise _unreadable(directory, error) from error
        try:
            for entry in self._entries():
                if entry.type == _Kind.SEGMENT:
                    yield _payload(entry)
                elif entry.size:
                    yield from _file(handle, entry.path, entry.size)
        finally:
            os.close(handle)

    def _entries(self) -> Iterator[_ListEntry]:
        decoder = msgspec.json.Decoder(learned(_ListEntry))
        try:
            for line in _lines(self._packed):
                entry = decoder.decode(line)
                if entry.type in {_Kind.FILE, _Kind.SEGMENT} and entry.size >= 0:
                    yield entry
        except (ValueError, zlib.error, EOFError) as error:
            raise StepFailedError("the engine's list of a layer cannot be read", why=str(error)) from error


def _payload(entry: _ListEntry) -> bytes:
    try:
        return base64.b64decode(entry.payload or "")
    except binascii.Error as error:
        raise StepFailedError("the engine's list of a layer cannot be read", why=str(error)) from error


def _lines(packed: bytes) -> Iterator[bytes]:
    """Give the lines of a compressed text; a line is as long as the longest segment, which is held anyway."""
    waiting = b""
    for piece in pieces(io.BytesIO(packed).read, ".gz"):
        *lines, waiting = (waiting + piece).split(b"\n")
        if len(waiting) > _LONGEST_LINE_BYTES:
            raise ValueError("a line of it has no end")
        yield from filter(None, lines)
    if waiting.strip():
        yield waiting


def _file(root: int, path: bytes, size: int) -> Iterator[bytes]:
    """Give a file below an open directory, of exactly so many bytes."""
    missing = size
    with contextlib.ExitStack() as opened:
        above = root
        *parts, name = _parts(path)
        try:
            for part in parts:
                above = os.open(part, _DIRECTORY, dir_fd=above)
                opened.callback(os.close, above)
            handle = os.open(name, _FILE, dir_fd=above)
            opened.callback(os.close, handle)
            while missing and (piece := os.read(handle, min(missing, _PIECE_BYTES))):
                missing -= len(piece)
                yield piece
        except OSError as error:
            raise _unreadable(os.fsdecode(path), error) from error
    if missing:
        raise StepFailedError(f"{os.fsdecode(path)} of a layer is shorter than the engine's list says")


def _parts(path: bytes) -> list[bytes]:
    found = [part for part in path.split(b"/") if part not in {b"", b"."}]
    if b".." in found or not found:
        raise StepFailedError(f"{os.fsdecode(path)} of a layer leads elsewhere")
    return found


def _unreadable(path: str, error: OSError) -> StepFailedError:
    return StepFailedError(f"{path} of a layer cannot be read", why=error.strerror or str(error))


def joined(pieces: Iterable[bytes], least: int = _PIECE_BYTES) -> Iterator[bytes]:
    """Give the same bytes in pieces of at least so many, so that nobody is asked for every header."""
    waiting: list[bytes] = []
    held = 0
    for piece in pieces:
        waiting.append(piece)
        held += len(piece)
        if held >= least:
            yield b"".join(waiting)
            waiting, held = [], 0
    if waiting:
        yield b"".join(waiting)
