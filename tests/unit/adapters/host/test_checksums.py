from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.host.checksums import Checksums
from tonnage.errors import UsageError
from tonnage.model.stack import NeededFile, SeenFile, WeightsFile

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"tonne" * 2_000_003
DAY_NS = 86_400_000_000_000


def tomorrow() -> int:
    return time.time_ns() + DAY_NS


def needed(path: Path, size_bytes: int = len(CONTENT)) -> NeededFile:
    described = WeightsFile(file=path.name, size_bytes=size_bytes, sha256="")
    return NeededFile(service="web", inside=f"/weights/{path.name}", path=str(path), described=described, place="")


def seen(content: bytes) -> SeenFile:
    return SeenFile(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "weights.bin"
    file.write_bytes(CONTENT)
    return file


def test_a_file_that_did_not_change_is_read_once(tmp_path: Path, file: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        checksums = Checksums(tmp_path / "cache" / "checksums.json", now_ns=tomorrow)
        assert checksums.look([needed(file)], said.append) == {str(file): seen(CONTENT)}
    assert said == ["reading 1 files of weights, 10.0 MB"]


def test_a_file_that_changed_is_read_again_even_when_its_length_and_time_are_the_same(
    tmp_path: Path, file: Path
) -> None:
    memory = tmp_path / "checksums.json"
    before = file.stat()
    Checksums(memory, now_ns=tomorrow).look([needed(file)], print)
    with file.open("r+b") as content:
        content.write(b"T")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    found = Checksums(memory, now_ns=tomorrow).look([needed(file)], print)

    assert found == {str(file): seen(b"T" + CONTENT[1:])}


def test_what_was_written_a_moment_ago_is_not_trusted_to_stay(tmp_path: Path, file: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        Checksums(tmp_path / "checksums.json").look([needed(file)], said.append)
    assert len(said) == 2


@pytest.mark.parametrize("text", ["", "[]", '{"a": 7}', '{"a": [[1, 2], "x"]}', "\x00"])
def test_a_memory_that_cannot_be_read_only_costs_the_reading(tmp_path: Path, file: Path, text: str) -> None:
    memory = tmp_path / "checksums.json"
    memory.write_text(text)
    assert Checksums(memory).look([needed(file)], print) == {str(file): seen(CONTENT)}


def test_a_memory_that_cannot_be_written_only_costs_the_reading(tmp_path: Path, file: Path) -> None:
    (tmp_path / "cache").write_text("no directory")
    checksums = Checksums(tmp_path / "cache" / "checksums.json", now_ns=tomorrow)
    assert checksums.look([needed(file)], print) == {str(file): seen(CONTENT)}


def test_many_files_are_read_at_once(tmp_path: Path) -> None:
    files = {tmp_path / f"{number}.bin": bytes([number]) * (7919 + number) for number in range(23)}
    for path, content in files.items():
        path.write_bytes(content)
    asked = [needed(path, len(content)) for path, content in files.items()]

    found = Checksums(tmp_path / "checksums.json", now_ns=tomorrow).look(asked, print)

    assert found == {str(path): seen(content) for path, content in files.items()}


def test_what_is_no_file_or_of_another_length_is_not_read(tmp_path: Path, file: Path) -> None:
    said: list[str] = []
    directory, missing, below = tmp_path / "directory", tmp_path / "missing", file / "below"
    directory.mkdir()

    found = Checksums(tmp_path / "checksums.json").look(
        [needed(file, 7), needed(directory), needed(missing), needed(below)], said.append
    )

    assert found == {
        str(file): SeenFile(size_bytes=len(CONTENT)),
        str(directory): SeenFile(trouble="it is not a file"),
        str(missing): SeenFile(),
        str(below): SeenFile(),
    }
    assert not said


def test_a_manifest_that_is_no_text_is_told_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(b"\xff\xfe")
    for each in (path, tmp_path):
        with pytest.raises(UsageError, match="of web cannot be read") as told:
            Checksums(tmp_path / "checksums.json").text(str(each), service="web", place="compose.yaml:8")
        assert told.value.place == "compose.yaml:8"
