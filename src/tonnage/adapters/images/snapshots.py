"""Where the files of layers lie that containerd unpacked: its own table of snapshots, read without asking it.

The table is a bolt database: pages of which each transaction writes new ones, so that a reader sees the whole of the
newest one that was ended. Nothing is locked; what was written meanwhile is found out by reading its number again.

Source: containerd 1.6 to 2.1, ``snapshots/storage/bolt.go`` (the buckets) and ``plugins/snapshotter/overlay``
(the directories); bbolt 1.3, ``page.go``, ``db.go`` (``meta``) and ``bucket.go`` (the pages).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.small_files import SNAPSHOTS, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_STORE = "io.containerd.snapshotter.v1.overlayfs"
_TABLE = "metadata.db"
_MAGIC = 0xED0CDAED
_VERSION = 2
_BRANCH, _LEAF = 1, 2
_IS_BUCKET = 1
_HEAD = struct.Struct("<QHHI")  # page: its number, kind, how many elements, how many pages more
_META = struct.Struct("<IIIIQQQQQQ")  # magic, version, page size, flags, root, sequence, free, end, number, sum
_BRANCH_ELEMENT = struct.Struct("<IIQ")  # where its key is, the key's length, a page
_LEAF_ELEMENT = struct.Struct("<IIII")  # flags, where its key is, lengths of key and value
_BUCKET = struct.Struct("<QQ")  # root page, sequence; a page follows where the root is 0
_DEEPEST = 24
_TRIES = 3


class _BrokenTableError(Exception):
    """The pages do not hold together: the table was written while it was read, or is none."""


def layer_directories(root: str, chains: Sequence[str]) -> tuple[str, ...]:
    """Return the directories of an image's layers.

    Args:
        root: Where containerd keeps its files.
        chains: The chain ids of the layers, the lowest first.

    Returns:
        The directories, the topmost first; nothing where one of them is not unpacked here, or they cannot be read.
    """
    store = Path(root, _STORE)
    for _ in range(_TRIES):
        try:
            numbers = _numbers(read_bytes(store / _TABLE, SNAPSHOTS), set(chains))
        except _BrokenTableError:
            continue
        except OSError:
            return ()
        if not chains or len(numbers) < len(set(chains)):
            return ()
        return tuple(str(store / "snapshots" / str(numbers[chain]) / "fs") for chain in reversed(chains))
    return ()


def _numbers(table: bytes, wanted: set[str]) -> Mapping[str, int]:
    """Return the numbers of the snapshots of layers, by the chain id at the end of their names."""
    try:
        pages = _Pages(table)
        version = next((value for flags, key, value in pages.root() if flags & _IS_BUCKET and key == b"v1"), None)
        snapshots = pages.bucket(version, b"snapshots") if version is not None else None
        found: dict[str, int] = {}
        for flags, key, value in pages.elements(snapshots) if snapshots is not None else ():
            # NAMESPACE/NUMBER/CHAIN
            chain = key.decode("utf-8", "replace").rpartition("/")[2]
            if flags & _IS_BUCKET and chain in wanted:
                number = next((told for _, name, told in pages.elements(value) if name == b"id"), None)
                if number is not None:
                    found[chain] = _whole_number(number)
    except (struct.error, IndexError) as error:
        raise _BrokenTableError from error
    return found


def _whole_number(text: bytes) -> int:
    """Read a number as Go's ``PutUvarint`` writes it."""
    number = 0
    for place, byte in enumerate(text[:10]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more follows
            return number
    raise _BrokenTableError


class _Pages:
    """The pages of one table, as its newest transaction left them."""

    def __init__(self, table: bytes) -> None:
        self._table = memoryview(table)
        found = [meta for size in (4096, 8192, 16384, 65536) if (meta := self._meta(size)) and meta[2] == size]
        found += [meta] if (meta := self._meta(0)) else []
        if not found:
            raise _BrokenTableError
        newest = max(found, key=lambda meta: meta[8])
        self._size, self._root = newest[2], newest[4]
        self._seen = 0
        self._most = len(table) // self._size + 1

    def _meta(self, place: int) -> tuple[int, ...] | None:
        if place + _HEAD.size + _META.size > len(self._table):
            return None
        meta = _META.unpack_from(self._table, place + _HEAD.size)
        told = bytes(self._table[place + _HEAD.size : place + _HEAD.size + _META.size - 8])
        return meta if meta[:2] == (_MAGIC, _VERSION) and meta[2] and meta[9] == _sum(told) else None

    def root(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Return what the table's own bucket holds."""
        return self._page(self._at(self._root), 0)

    def bucket(self, inside: bytes, name: bytes) -> bytes | None:
        """Return the bucket of a name inside another one."""
        return next((value for flags, key, value in self.elements(inside) if flags & _IS_BUCKET and key == name), None)

    def elements(self, bucket: bytes) -> Iterator[tuple[int, bytes, bytes]]:
        """Return what a bucket holds: flags, name, value."""
        root, _ = _BUCKET.unpack_from(bucket)
        return self._page(self._at(root) if root else memoryview(bucket)[_BUCKET.size :], 0)

    def _at(self, number: int) -> memoryview:
        place = number * self._size
        if place + self._size > len(self._table):
            raise _BrokenTableError
        *_, more = _HEAD.unpack_from(self._table, place)
        return self._table[place : place + (more + 1) * self._size]

    def _page(self, page: memoryview, depth: int) -> Iterator[tuple[int, bytes, bytes]]:
        _, kind, count, _ = _HEAD.unpack_from(page)
        if kind & _LEAF:
            for number in range(count):
                place = _HEAD.size + number * _LEAF_ELEMENT.size
                flags, offset, key_length, length = _LEAF_ELEMENT.unpack_from(page, place)
                begin = place + offset
                if begin + key_length + length > len(page):
                    raise _BrokenTableError
                value = page[begin + key_length : begin + key_length + length]
                yield flags, bytes(page[begin : begin + key_length]), bytes(value)
        elif kind & _BRANCH and depth < _DEEPEST:
            for number in range(count):
                self._seen += 1
                # A page that leads back to one before it has no end.
                if self._seen > self._most:
                    raise _BrokenTableError
                place = _HEAD.size + number * _BRANCH_ELEMENT.size
                yield from self._page(self._at(_BRANCH_ELEMENT.unpack_from(page, place)[2]), depth + 1)
        else:
            raise _BrokenTableError


def _sum(data: bytes) -> int:
    """Return the sum that a meta page carries. Source: FNV-1a with 64 bits."""
    found = 0xCBF29CE484222325
    for byte in data:
        found = (found ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return found
