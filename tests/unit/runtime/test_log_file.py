"""Logs as they are saved and downloaded: packed, written by Windows, cut, and what is no log."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import zipfile
from typing import TYPE_CHECKING

import pytest

from tonnage.errors import UsageError
from tonnage.runtime import log_file
from tonnage.runtime.log_file import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "cp: error writing '/srv/a': No space left on device\nmake: *** [all] Error 1\n"


class Pipe(io.BytesIO):
    """What cannot be read from another place."""

    def seekable(self) -> bool:
        return False


def read(content: bytes, *, piped: bool = False) -> list[str]:
    return [line.rstrip("\n") for line in lines_of(Pipe(content) if piped else io.BytesIO(content), "a.log")]


def zipped(members: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return packed.getvalue()


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize(
    "pack",
    [
        str.encode,
        lambda text: gzip.compress(text.encode()),
        lambda text: bz2.compress(text.encode()),
        lambda text: lzma.compress(text.encode()),
        lambda text: zipped({"0_build.txt": text}),
        lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.encode("utf-16-le"),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        # A program went on where it was, in a file that was emptied under it.
        lambda text: b"\0" * 70_001 + text.encode(),
    ],
    ids=["plain", "gzip", "bzip2", "xz", "zip", "utf-16-le", "utf-16-be", "no-mark", "mark", "crlf", "hole"],
)
def test_a_log_is_read_as_it_is_saved(pack: Callable[[str], bytes], *, piped: bool) -> None:
    assert read(pack(TEXT), piped=piped)[:2] == TEXT.splitlines()


def test_of_a_zip_the_logs_of_jobs_are_read_in_their_order_and_those_of_steps_not_again() -> None:
    members = {"10_test.txt": "third", "2_lint.txt": "second", "0_build.txt": "first", "build/1_Set up.txt": "again"}

    assert [line for line in read(zipped(members)) if line] == ["first", "second", "third"]


def test_a_zip_of_directories_is_read_whole() -> None:
    assert [line for line in read(zipped({"build/1_Set up.txt": "one", "build/2_Run.txt": "two"})) if line] == [
        "one",
        "two",
    ]


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\0" * 5_000, gzip.compress(b"", mtime=0)])
def test_an_empty_log_is_told(content: bytes) -> None:
    with pytest.raises(UsageError, match="is empty"):
        read(content)


@pytest.mark.parametrize("content", [b"\x7fELF" + bytes(range(32)) * 400, random.Random(7).randbytes(40_000)])
def test_what_is_not_text_is_told(content: bytes) -> None:
    with pytest.raises(UsageError, match="is not text"):
        read(content)


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(TEXT.encode() * 900, mtime=0)[:-12],
        b"PK\x03\x04 and nothing of a zip",
        b"\x1f\x8b and nothing of gzip",
    ],
)
def test_an_archive_that_is_cut_is_told(content: bytes) -> None:
    with pytest.raises(UsageError, match="cannot be unpacked"):
        read(content)


def test_what_is_packed_may_not_be_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "_MOST_UNPACKED_BYTES", 3 * 2**20)

    several = io.BytesIO()
    with zipfile.ZipFile(several, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}_job.txt", b"a\n" * 2**19)
            archive.writestr(f"{number}_again.txt", b"a\n" * 2**19)

    for content in (gzip.compress(b"a\n" * 2**21), several.getvalue()):
        with pytest.raises(UsageError, match="cannot be unpacked") as told:
            read(content)
        assert "2 GiB" in told.value.why


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_of_a_long_log_the_end_is_read(monkeypatch: pytest.MonkeyPatch, encoding: str, *, piped: bool) -> None:
    monkeypatch.setattr(log_file, "_LONGEST_BYTES", 4_096)
    monkeypatch.setattr(log_file, "_PIECE_BYTES", 1_000)

    found = read(("one line of many\n" * 3_000 + TEXT).encode(encoding), piped=piped)

    assert found[-2:] == TEXT.splitlines()
    assert len(found) < 300
