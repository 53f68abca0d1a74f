"""Copies of large contexts are remembered as long as nothing in the context changes."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.context import known_copies
from tonnage.adapters.context.context_files import ContextFiles
from tonnage.adapters.context.copied_files import CopyMeter
from tonnage.adapters.context.copy_digest import FileTokens, contents_of, sent_files
from tonnage.adapters.context.known_copies import KnownCopies
from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.adapters.web.remote_sizes import RemoteSizes
from tonnage.model.forecast.recipe import CopyInstruction, FileSource, FileSourceKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tonnage.adapters.context.copy_digest import CopyContents
    from tonnage.model.forecast.file_tree import Tree

LATER_NS = 10_000_000_000


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a context that counts as large, and whose files were all written a while ago."""
    monkeypatch.setattr(known_copies, "LEAST_ENTRIES", 3)
    now_ns = time.time_ns()
    monkeypatch.setattr("tonnage.adapters.context.known_copies.time.time_ns", lambda: now_ns + LATER_NS)
    context = tmp_path / "context"
    (context / "a" / "b").mkdir(parents=True)
    for name in ("a/one", "a/b/two", "three"):
        (context / name).write_text(name)
    (context / "a" / "link").symlink_to("../three")
    return context


def copy(*sources: str, **more: object) -> CopyInstruction:
    origin = FileSource(FileSourceKind.CONTEXT)
    return CopyInstruction(sources=sources or (".",), destination="/x/", origin=origin, **more)  # type: ignore[arg-type]


def looked_at(asked: CopyInstruction, context: Path, kept: DiskCache) -> tuple[CopyContents, Tree]:
    """Look at a copy, and have it remembered."""
    files = ContextFiles(str(context))
    found = contents_of(asked, files, FileTokens())
    tree = CopyMeter(RemoteSizes(Web({}, offline=True), kept)).tree(asked, files)
    KnownCopies(kept).keep(asked, files, found, tree, packing=False)
    return found, tree


def remembered(asked: CopyInstruction, context: Path, kept: DiskCache) -> tuple[CopyContents, Tree] | None:
    return KnownCopies(kept).find(asked, ContextFiles(str(context)), packing=False)


@pytest.mark.parametrize(
    "asked", [copy(), copy("a"), copy("a", "three"), copy("*"), copy("a/link"), copy(excludes=("three",))]
)
def test_of_an_unchanged_context_everything_is_as_it_was(tmp_path: Path, context: Path, asked: CopyInstruction) -> None:
    kept = DiskCache(tmp_path / "cache")
    assert remembered(asked, context, kept) is None
    found = looked_at(asked, context, kept)
    assert remembered(asked, context, kept) == found
    assert sent_files(asked, ContextFiles(str(context))) == found[0].files


def with_its_old_time(context: Path) -> None:
    """Change what a file holds, and neither its size nor what tells when it was changed, as far as programs can."""
    path = context / "a" / "one"
    before = path.stat()
    path.write_text("a/eno")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def with_another_end(context: Path) -> None:
    (context / "a" / "link").unlink()
    (context / "a" / "link").symlink_to("../3hree")


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file holds something else": with_its_old_time,
    "a file may be run": lambda context: (context / "three").chmod(0o755),
    "a file is new": lambda context: (context / "a" / "four").touch(),
    "a file is gone": lambda context: (context / "three").unlink(),
    "a directory is new": lambda context: (context / "c").mkdir(),
    "a directory has another mode": lambda context: (context / "a").chmod(0o700),
    "the context has another mode": lambda context: context.chmod(0o700),
    "a name is another one": lambda context: (context / "three").rename(context / "four"),
    "a link leads elsewhere": with_another_end,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_after_any_change_nothing_is_known(tmp_path: Path, context: Path, change: Callable[[Path], object]) -> None:
    kept = DiskCache(tmp_path / "cache")
    looked_at(copy(), context, kept)
    change(context)
    assert remembered(copy(), context, kept) is None


def test_other_instructions_are_others(tmp_path: Path, context: Path) -> None:
    kept = DiskCache(tmp_path / "cache")
    looked_at(copy(), context, kept)
    for other in (copy("a"), copy(excludes=("three",)), copy(parents=True)):
        assert remembered(other, context, kept) is None
    assert KnownCopies(kept).find(copy(), ContextFiles(str(context)), packing=True) is None


def test_what_is_changing_now_is_not_remembered(tmp_path: Path, context: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(known_copies, "LEAST_ENTRIES", 3)
    kept = DiskCache(tmp_path / "cache")
    looked_at(copy(), context, kept)
    assert remembered(copy(), context, kept) is None


def test_large_files_and_what_is_added_from_elsewhere_are_looked_at_each_time(tmp_path: Path, context: Path) -> None:
    kept = DiskCache(tmp_path / "cache")
    looked_at(copy(adds=True), context, kept)
    assert remembered(copy(adds=True), context, kept) is None
    with (context / "large").open("wb") as file:
        file.truncate(1_000_001)
    looked_at(copy(), context, kept)
    assert remembered(copy(), context, kept) is None


def test_small_contexts_and_names_that_are_no_text_are_looked_at_each_time(
    tmp_path: Path, context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = DiskCache(tmp_path / "cache")
    (context / os.fsdecode(b"\xff")).touch()
    looked_at(copy(), context, kept)
    assert remembered(copy(), context, kept) is None
    (context / os.fsdecode(b"\xff")).unlink()
    monkeypatch.setattr(known_copies, "LEAST_ENTRIES", 100)
    looked_at(copy(), context, kept)
    assert remembered(copy(), context, kept) is None
