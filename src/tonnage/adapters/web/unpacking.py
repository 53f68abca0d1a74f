"""Compressed answers, unpacked in pieces: what a server packs into little may be without end once it is open."""

from __future__ import annotations

import bz2
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
        for piece in _pieces(packed, suffix):
            most_bytes -= len(piece)
            if most_bytes < 0:
                raise ValueError("it holds more than such a file can")
            yield piece
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise ValueError(str(error)) from error


def _pieces(packed: bytes, suffix: str) -> Iterator[bytes]:
    if not suffix:
        yield from (packed[at : at + _PIECE_BYTES] for at in range(0, len(packed), _PIECE_BYTES))
        return
    at = 0
    for _ in range(_MOST_STREAMS):
        stream, waiting = _OPENERS[suffix](), b""
        while not stream.eof:
            if not waiting and getattr(stream, "needs_input", True):
                waiting = packed[at : at + _FED_BYTES]
                at += len(waiting)
            piece = stream.decompress(waiting, _PIECE_BYTES)
            if not (piece or waiting or stream.eof):
                raise EOFError("its end is missing")
            # The other two keep for themselves what they have not read yet.
            waiting = getattr(stream, "unconsumed_tail", b"")
            yield piece
        at -= len(stream.unused_data)
        # Nothing but padding may come behind it.
        if at >= len(packed) or (not packed[at] and not packed[at:].strip(b"\0")):
            return
    raise ValueError("it is made of too many streams")
