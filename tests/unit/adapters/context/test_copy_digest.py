from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tonnage.adapters.context.context_files import ContextFiles
from tonnage.adapters.context.copy_digest import FileTokens, contents_of
from tonnage.model.forecast.recipe import CopyInstruction, FileSource, FileSourceKind

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.adapters.context.copy_digest import CopyContents

SMALL = b"small"
LARGE_BYTES = 1_000_003


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A context: the same small and large file in ``one`` and ``two``, and another file beside them."""
    made = tmp_path / "context"
    for name in ("one/app", "two/app"):
        (made / name).mkdir(parents=True)
        (made / name / "small").write_bytes(SMALL)
        (made / name / "large").write_bytes(b"x" * LARGE_BYTES)
    (made / "beside").write_bytes(b"beside")
    return made


def looked_at(root: Path, *sources: str, **options: Any) -> CopyContents:  # noqa: ANN401 - passed on
    copy = CopyInstruction(sources=sources, destination="/srv/", origin=FileSource(FileSourceKind.CONTEXT), **options)
    return contents_of(copy, ContextFiles(str(root)), FileTokens())


def alike(root: Path, one: str, other: str) -> bool:
    tokens, files = FileTokens(), ContextFiles(str(root))
    found = [
        contents_of(
            CopyInstruction(sources=(source,), destination="/srv/", origin=FileSource(FileSourceKind.CONTEXT)),
            files,
            tokens,
        )
        for source in (one, other)
    ]
    assert found[0].by_path != found[1].by_path
    return found[0].by_name == found[1].by_name


@pytest.mark.parametrize("source", ["app", "app/", "app/small", "app/large", "app/*"])
def test_the_same_files_elsewhere_are_the_same_by_name(root: Path, source: str) -> None:
    assert alike(root, f"one/{source}", f"two/{source}")


def test_the_last_name_of_a_source_counts(root: Path) -> None:
    assert not alike(root, "one", "two")


@pytest.mark.parametrize("name", ["small", "large"])
def test_a_mode_counts_and_a_time_does_not(root: Path, name: str) -> None:
    os.utime(root / "two" / "app" / name, (1, 1))
    assert alike(root, "one/app", "two/app")

    (root / "two" / "app" / name).chmod(0o600)
    assert not alike(root, "one/app", "two/app")


@pytest.mark.parametrize("name", ["small", "large"])
def test_another_content_of_the_same_length_and_time_counts(root: Path, name: str) -> None:
    changed = root / "two" / "app" / name
    changed.write_bytes(changed.read_bytes()[:-1] + b"y")
    for path in (changed, root / "one" / "app" / name):
        os.utime(path, (1, 1))

    assert not alike(root, "one/app", "two/app")


def test_only_what_a_pattern_matches_counts(root: Path) -> None:
    before = looked_at(root, "one/app/s*")
    (root / "beside").write_bytes(b"changed")
    (root / "one" / "app" / "large").unlink()

    assert looked_at(root, "one/app/s*") == before
    assert [path for path, _ in before.files] == ["one/app", "one", "one/app/small"]


def test_the_builder_is_sent_what_is_below_a_directory_and_those_above(root: Path) -> None:
    assert dict(looked_at(root, "two/app").files) == {
        "two": 4096,
        "two/app": 4096,
        "two/app/small": 4096,
        "two/app/large": 1_003_520,
    }


def test_files_of_a_remote_context_are_the_same_by_their_words_only() -> None:
    copies = [
        CopyInstruction(sources=(name,), destination="/", origin=FileSource(FileSourceKind.CONTEXT))
        for name in ("a/x", "b/x")
    ]
    one, other = (contents_of(copy, None, FileTokens()) for copy in copies)

    assert one.by_name != other.by_name
    assert one.files == ()
