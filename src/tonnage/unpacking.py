"""Compressed answers, unpacked in pieces: what a server packs into little may be without end once it is open."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Protocol

    class _Stream(Protocol):
        @property
        def eof(self) -> bool: ...
        @property
        def unused_data(self) -> bytes: ...
        def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


_PIECE_BYTES, _FED_BYTES = 1 << 20, 1 << 16
# Files are made of one stream, by several programs at once of a few.
_MOST_STREAMS = 1000
# ``xz -9`` needs 65 MB.
_MOST_MEMORY_BYTES = 128 << 20
_OPENERS: Mapping[str, Callable[[], _Stream]] = {
    ".xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_MEMORY_BYTES),
    ".gz": lambda: zlib.decompressobj(31),
    ".bz2": bz2.BZ2Decompressor,
}
SUFFIXES = (*_OPENERS, "")
"""What can be unpacked; nothing stands for what is not packed."""


def unpacked(packed: bytes, suffix: str, most_bytes: int) -> Iterator[bytes]:
    """Yield what a file holds, in pieces of at most a mebibyte.

    Args:
        suffix: How it is packed, one of :data:`SUFFIXES`.
        most_bytes: How much it may hold.

    Raises:
        ValueError: It cannot be unpacked, is cut, or holds more.
    """
    try:
        for piece in pieces(io.BytesIO(packed).read, suffix):
            most_bytes -= len(piece)
            if most_bytes < 0:
                raise ValueError("it holds more than such a file can")
            yield piece
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise ValueError(str(error)) from error


def pieces(read: Callable[[int], bytes], suffix: str) -> Iterator[bytes]:
    """Yield what is packed, in pieces of at most a mebibyte; whatever its readers raise is raised.

    Args:
        read: Gives so many bytes of what is packed; none at its end.
        suffix: How it is packed, one of :data:`SUFFIXES`.

    Raises:
        EOFError: It is cut.
        ValueError: It is made of more streams than anybody makes.
    """
    if not suffix:
        while piece := read(_PIECE_BYTES):
            yield piece
        return
    waiting = b""
    for _ in range(_MOST_STREAMS):
        stream = _OPENERS[suffix]()
        while not stream.eof:
            if not waiting and getattr(stream, "needs_input", True):
                waiting = read(_FED_BYTES)
            piece = stream.decompress(waiting, _PIECE_BYTES)
            if not (piece or waiting or stream.eof):
                raise EOFError("its end is missing")
            # The other two keep for themselves what they have not read yet.
            waiting = getattr(stream, "unconsumed_tail", b"")
            if piece:
                yield piece
        # Between streams, and behind the last one, there may be padding.
        waiting = (stream.unused_data or read(_FED_BYTES)).lstrip(b"\0")
        while not waiting and (padding := read(_FED_BYTES)):
            waiting = padding.lstrip(b"\0")
        if not waiting:
            return
    raise ValueError("it is made of too many streams")
