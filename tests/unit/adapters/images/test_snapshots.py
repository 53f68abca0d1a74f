"""Directories of layers that containerd unpacked, from a table written here as bbolt writes it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.images.snapshots import _sum, layer_directories

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 4096
Element = tuple[int, bytes, bytes]


def page(number: int, kind: int, elements: list[Element]) -> bytes:
    """Write a page of leaves (2) or of branches (1), whose values are numbers of pages."""
    heads, bodies = b"", b""
    element = 16
    for place, (flags, key, value) in enumerate(elements):
        offset = (len(elements) - place) * element + len(bodies)
        if kind == 2:
            heads += struct.pack("<IIII", flags, offset, len(key), len(value))
            bodies += key + value
        else:
            heads += struct.pack("<IIQ", offset, len(key), int.from_bytes(value, "little"))
            bodies += key
    return struct.pack("<QHHI", number, kind, len(elements), 0) + heads + bodies


def meta(number: int, transaction: int, root: int) -> bytes:
    told = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, SIZE, 0, root, 0, 2, 9, transaction)
    return struct.pack("<QHHI", number, 4, 0, 0) + told + struct.pack("<Q", _sum(told))


def at(root: int) -> bytes:
    return struct.pack("<QQ", root, 0)


def snapshot(name: str, number: bytes) -> Element:
    inline = page(0, 2, [(0, b"id", number), (0, b"kind", b"\x03")])
    return 1, name.encode(), at(0) + inline


def table(*pages: bytes) -> bytes:
    return b"".join(each.ljust(SIZE, b"\0") for each in pages)


def write(root: Path, content: bytes) -> None:
    store = root / "io.containerd.snapshotter.v1.overlayfs"
    store.mkdir()
    (store / "metadata.db").write_bytes(content)


LEAVES = (
    page(5, 2, [snapshot("moby/1/sha256:aa", b"\x07")]),
    page(6, 2, [snapshot("moby/22/sha256:bb", b"\xac\x02"), snapshot("moby/23/x1-running", b"\x09")]),
)
WHOLE = table(
    meta(0, 8, 7),
    meta(1, 9, 3),
    b"",
    page(3, 2, [(1, b"v1", at(4))]),
    page(4, 2, [(1, b"parents", at(0) + page(0, 2, [])), (1, b"snapshots", at(8))]),
    *LEAVES,
    # What an older transaction left.
    page(7, 2, []),
    page(8, 1, [(0, b"moby/1", (5).to_bytes(8, "little")), (0, b"moby/22", (6).to_bytes(8, "little"))]),
)


def test_directories_are_those_of_the_newest_transaction_with_the_topmost_first(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)
    store = f"{tmp_path}/io.containerd.snapshotter.v1.overlayfs/snapshots"
    assert layer_directories(str(tmp_path), ["sha256:aa", "sha256:bb"]) == (f"{store}/300/fs", f"{store}/7/fs")


def test_an_image_with_a_layer_that_is_not_unpacked_has_none(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)
    assert layer_directories(str(tmp_path), ["sha256:aa", "sha256:cc"]) == ()
    assert layer_directories(str(tmp_path), []) == ()


def test_without_a_table_there_are_none(tmp_path: Path) -> None:
    assert layer_directories(str(tmp_path), ["sha256:aa"]) == ()


ROUND = page(8, 1, [(0, b"moby", (8).to_bytes(8, "little"))])
FAR = page(3, 2, [(1, b"v1", at(4_000_000))])
LONG = struct.pack("<QHHI", 3, 2, 65_535, 0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 9000,
        WHOLE[: SIZE * 5],
        WHOLE[: SIZE * 8] + ROUND.ljust(SIZE, b"\0"),
        WHOLE[: SIZE * 3] + FAR.ljust(SIZE, b"\0") + WHOLE[SIZE * 4 :],
        WHOLE[: SIZE * 3] + LONG.ljust(SIZE, b"\xff") + WHOLE[SIZE * 4 :],
        WHOLE[:30] + b"?" + WHOLE[31 : SIZE + 30] + b"?" + WHOLE[SIZE + 31 :],
    ],
    ids=["empty", "no table", "cut off", "leads to itself", "leads outside", "more elements than bytes", "wrong sums"],
)
def test_a_table_that_does_not_hold_together_tells_nothing(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, content)
    assert layer_directories(str(tmp_path), ["sha256:aa", "sha256:bb"]) == ()


def test_any_byte_may_be_another_one(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)
    file = tmp_path / "io.containerd.snapshotter.v1.overlayfs" / "metadata.db"
    for place in range(0, len(WHOLE), 151):
        file.write_bytes(WHOLE[:place] + bytes([WHOLE[place] ^ 0x5A]) + WHOLE[place + 1 :])
        layer_directories(str(tmp_path), ["sha256:aa", "sha256:bb"])
