"""How far the files of a context compress: tried on blocks that are spread over all of them, a few megabytes at most.

A layer is one archive of its files in the order of their paths, which is compressed as one stream. Each block is
compressed as it would be in there, after what comes before it in the window of the compressor. Where blocks lie follows
from the sizes of the files alone, so that the same files have the same forecast; what is between them may be anything,
which the low and the high figure say.

Source: ``cache/blobs.go`` of BuildKit; blobs of Docker 26.1 and 28.5 beside zlib's, which are within 3 %.
"""

from __future__ import annotations

import math
import os
import threading
import zlib
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tonnage.lazily import learned
from tonnage.model.forecast.compression import at_most_compressed
from tonnage.model.forecast.estimate import Estimate, Grade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.adapters.context.context_files import ContextEntry, ContextFiles
    from tonnage.adapters.web.disk_cache import DiskCache

# The number changes with the way of trying, so that what another way found is never read.
_KIND = "compressed-1"
_LEVEL = 6
_BLOCK_BYTES = _WINDOW_BYTES = 32_768
_BLOCKS = 128
_MOST_BLOCKS = 20 * _BLOCKS
"""As many are tried for one forecast, whatever its files say: two to four seconds of one processor."""
_HEAD_BYTES = 512
# Its multiples lie at places between 0 and 1 that have no pattern in common with the content.
_GOLDEN = (math.sqrt(5) - 1) / 2
# How sure the ends are: deviations of the mean, and how much content of another kind may lie where nothing was tried.
_DEVIATIONS, _UNSEEN = 3.3, 5.0
_OTHER_COMPRESSOR = 0.03
# What a block takes because it ends, which it does not do in a stream.
_ENDED_BYTES = 16
_END_BYTES = 4096


class Packed(Struct, frozen=True):
    """One entry of an archive: a file of the context, a text, or neither, which is a head alone.

    Args:
        path: Its path in the image.
    """

    path: str
    size_bytes: int = 0
    entry: ContextEntry | None = None
    text: bytes = b""


class Packing:
    """Tries how far files compress, within what one forecast may take. Safe to use from several threads."""

    def __init__(self, kept: DiskCache) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._left = _MOST_BLOCKS

    def tried(self, key: str, files: ContextFiles | None, entries: Sequence[Packed]) -> Estimate | None:
        """Return what some entries take in a compressed layer; None where that was not tried.

        Args:
            key: What tells them from others; what was found is kept under it.
        """
        found = self._kept.read(_KIND, key)
        if found is not None:
            try:
                return msgspec.msgpack.decode(found, type=learned(Estimate))
            except msgspec.MsgspecError:
                pass
        stream = _Stream(entries, files)
        blocks = min(_BLOCKS, math.ceil(stream.size_bytes / _BLOCK_BYTES))
        with self._lock:
            if blocks > self._left:
                return None
            self._left -= blocks
        try:
            estimate = _tried(stream)
        except OSError:
            return None
        self._kept.keep(_KIND, key, msgspec.msgpack.encode(estimate))
        return estimate


class _Stream:
    """The archive of some entries, of which any part can be read."""

    def __init__(self, entries: Sequence[Packed], files: ContextFiles | None) -> None:
        self._entries = sorted(entries, key=lambda each: each.path)
        self._files = files
        self._ends = list(accumulate(_HEAD_BYTES + _padded(each.size_bytes) for each in self._entries))
        self.size_bytes = (self._ends[-1] if self._ends else 0) + 2 * _HEAD_BYTES

    def read(self, start: int, count: int) -> bytes:
        """Return a part of it.

        Raises:
            OSError: A file cannot be read.
        """
        parts, at, end = [], start, start + count
        number = bisect_right(self._ends, start)
        while at < end:
            if number == len(self._entries):
                parts.append(bytes(end - at))
                break
            each = self._entries[number]
            size = _HEAD_BYTES + _padded(each.size_bytes)
            inside = at - (self._ends[number] - size)
            wanted = min(end - at, size - inside)
            parts.append(self._part(each, inside, wanted))
            at += wanted
            number += 1
        return b"".join(parts)

    def _part(self, each: Packed, start: int, count: int) -> bytes:
        head = _head(each)[start : start + count] if start < _HEAD_BYTES else b""
        start, count = max(0, start - _HEAD_BYTES), count - len(head)
        content = each.text[start : start + count]
        if each.entry is not None and self._files is not None and start < each.size_bytes and count:
            opened = self._files.open(each.entry)
            try:
                content = os.pread(opened, min(count, each.size_bytes - start), start)
            finally:
                os.close(opened)
        return head + content + bytes(count - len(content))


def _tried(stream: _Stream) -> Estimate:
    """Compress all of a small archive, and blocks of a large one."""
    if stream.size_bytes <= _BLOCKS * _BLOCK_BYTES:
        whole = zlib.compressobj(_LEVEL, wbits=-15)
        count = sum(
            len(whole.compress(stream.read(at, min(_BLOCK_BYTES, stream.size_bytes - at))))
            for at in range(0, stream.size_bytes, _BLOCK_BYTES)
        ) + len(whole.flush())
        return _estimate(stream.size_bytes, count, count, count)
    stride = stream.size_bytes / _BLOCKS
    ratios = []
    for number in range(_BLOCKS):
        at = int(number * stride + number * _GOLDEN % 1 * (stride - _BLOCK_BYTES))
        before = min(at, _WINDOW_BYTES)
        content = stream.read(at - before, before + _BLOCK_BYTES)
        block = zlib.compressobj(_LEVEL, wbits=-15, zdict=content[:before])
        ratios.append((len(block.compress(content[before:])) + len(block.flush())) / _BLOCK_BYTES)
    mean, size = sum(ratios) / _BLOCKS, stream.size_bytes
    variance = sum((ratio - mean) ** 2 for ratio in ratios) / (_BLOCKS - 1)
    missed = 1 - _BLOCKS * _BLOCK_BYTES / size
    off = _DEVIATIONS * math.sqrt(variance / _BLOCKS * missed)
    unseen = _UNSEEN / _BLOCKS * missed
    high = mean + off + max(0.0, 1 - mean) * unseen
    low = (mean - off - mean * unseen) * size - _ENDED_BYTES * size / _BLOCK_BYTES
    return _estimate(size, int(low), int(mean * size), int(high * size))


def _estimate(size_bytes: int, low: int, likely: int, high: int) -> Estimate:
    high = min(int(high * (1 + _OTHER_COMPRESSOR)) + _END_BYTES, at_most_compressed(size_bytes))
    low = max(0, int(low * (1 - _OTHER_COMPRESSOR)))
    return Estimate(min(low, high), min(likely, high), high, Grade.DECLARED)


def _head(each: Packed) -> bytes:
    """Return the head of an entry as archives have it: its name, numbers, and much that is zero."""
    name = os.fsencode(each.path.lstrip("/"))[-100:]
    numbers = b"%07o\0%07o\0%07o\0%011o\0%011o\0%06o\0 0" % (0o644, 0, 0, each.size_bytes, 0o14000000000, sum(name))
    return (name.ljust(100, b"\0") + numbers + bytes(100) + b"ustar\00000").ljust(_HEAD_BYTES, b"\0")


def _padded(count_bytes: int) -> int:
    return -(-count_bytes // _HEAD_BYTES) * _HEAD_BYTES
