"""Files of large contexts are read once, and then known by what the filesystem says of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.context import known_sums
from tonnage.adapters.context.context_files import ContextFiles
from tonnage.adapters.context.copy_digest import FileTokens
from tonnage.adapters.context.known_sums import KnownSums
from tonnage.adapters.web.disk_cache import DiskCache

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.adapters.context.context_files import ContextEntry
    from tonnage.adapters.context.descent import Descent
    from tonnage.small_files import FileKind


class Counted(ContextFiles):
    """Knows which of its files were read."""

    def __init__(self, directory: Path) -> None:
        super().__init__(str(directory))
        self.seen: list[str] = []

    def read(self, entry: ContextEntry, kind: FileKind, way: Descent | None = None) -> bytes:
        self.seen.append(entry.path)
        return super().read(entry, kind, way)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A context of five files that are a minute old, where five are many."""
    monkeypatch.setattr(known_sums, "LEAST_FILES", 5)
    monkeypatch.setattr(known_sums, "SETTLED_NS", 0)
    directory = tmp_path / "context"
    directory.mkdir()
    for number in range(5):
        (directory / f"f{number}").write_text(str(number))
    return directory


def looked_at(context: Path, kept: DiskCache) -> tuple[list[str], list[str]]:
    """Return the tokens of all files, and which were read for them."""
    files, tokens = Counted(context), FileTokens(KnownSums(kept))
    found = [tokens.token(entry, files) for entry in files.entries]
    tokens.keep()
    return found, files.seen


def test_what_did_not_change_is_not_read_again(context: Path, tmp_path: Path) -> None:
    kept = DiskCache(tmp_path / "cache")
    first, read = looked_at(context, kept)
    assert len(read) == 5
    assert looked_at(context, kept) == (first, [])


def test_a_changed_file_is_read_also_with_its_old_size_and_time(context: Path, tmp_path: Path) -> None:
    kept = DiskCache(tmp_path / "cache")
    first, _ = looked_at(context, kept)
    before = (context / "f2").stat()
    (context / "f2").write_text("x")
    os.utime(context / "f2", ns=(before.st_atime_ns, before.st_mtime_ns))
    again, read = looked_at(context, kept)
    assert read == ["f2"]
    assert [old == new for old, new in zip(first, again, strict=True)] == [True, True, False, True, True]


def test_a_file_in_place_of_another_one_is_read(context: Path, tmp_path: Path) -> None:
    kept = DiskCache(tmp_path / "cache")
    looked_at(context, kept)
    (tmp_path / "new").write_text("y")
    (tmp_path / "new").rename(context / "f3")
    assert looked_at(context, kept)[1] == ["f3"]


def test_what_changed_just_now_is_not_remembered(
    context: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_sums, "SETTLED_NS", 3_600 * 10**9)
    kept = DiskCache(tmp_path / "cache")
    looked_at(context, kept)
    assert len(looked_at(context, kept)[1]) == 5


def test_a_damaged_memory_is_none(context: Path, tmp_path: Path) -> None:
    kept = DiskCache(tmp_path / "cache")
    first, _ = looked_at(context, kept)
    [file] = (tmp_path / "cache").rglob("*/*")
    file.write_bytes(b"\xff")
    assert looked_at(context, kept) == (first, [f"f{number}" for number in range(5)])
