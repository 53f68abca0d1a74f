"""What a stranger's files can make this program read: nothing but files, of a bounded size, and what lies in them."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tonnage.small_files import (
    DOCKERFILE,
    VARIABLES,
    FileKind,
    UnfitFileError,
    open_directory_in,
    open_in,
    read_bytes,
    read_bytes_in,
)
from tonnage.sources.compose.files import FilesWithin

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cr3t-of-this-machine"
TINY = FileKind("a tiny file", 11)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file that no project may lead to."""
    file = tmp_path / "outside" / "secret"
    file.parent.mkdir()
    file.write_text(f"{SECRET}:x:0:0\n")
    return file


@pytest.fixture
def context(tmp_path: Path) -> Path:
    directory = tmp_path / "project" / "web"
    directory.mkdir(parents=True)
    return directory


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/dev/zero", "It is a device"),
        ("/dev/tty", "It is a device"),
        ("/proc/self/environ", "the kernel makes up"),
        ("/proc/self/root/proc/self/environ", "the kernel makes up"),
        ("/sys/kernel/notes", "the kernel makes up"),
        ("/sys/kernel/uevent_seqnum", "the kernel makes up"),
        ("\0", "No file can have such a name"),
        ("\ud800", "No file can have such a name"),
    ],
)
def test_what_is_no_file_of_a_disk_is_not_read(path: str, why: str) -> None:
    if path.startswith("/") and not os.path.lexists(path):
        pytest.skip("not on this machine")
    with pytest.raises(UnfitFileError) as refused:
        read_bytes(path, DOCKERFILE)
    assert why in str(refused.value.strerror)


def test_a_pipe_and_a_socket_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(tmp_path, os.O_RDONLY)
        try:
            server.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)
        for name in ("pipe", "socket"):
            with pytest.raises(UnfitFileError, match=f"It is a {name}"):
                read_bytes(tmp_path / name, DOCKERFILE, piped=True)


def test_a_file_may_have_as_many_bytes_as_its_kind_and_not_one_more(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a" * TINY.most_bytes)
    assert read_bytes(file, TINY) == b"a" * 11
    file.write_bytes(b"a" * 12)
    with pytest.raises(UnfitFileError, match="It is larger than the 11 B that a tiny file may have"):
        read_bytes(file, TINY)


def test_a_pipe_that_the_user_gave_is_read_only_where_the_user_names_it() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"A=1\n")
    os.close(writing)
    try:
        with pytest.raises(UnfitFileError, match="It is a pipe"):
            read_bytes(f"/dev/fd/{reading}", VARIABLES)
        assert read_bytes(f"/dev/fd/{reading}", VARIABLES, piped=True) == b"A=1\n"
    finally:
        os.close(reading)


@pytest.mark.parametrize("target", ["../../outside/secret", "{outside}", "dir/../../../../outside/secret", "up/secret"])
def test_a_link_in_a_context_does_not_lead_out_of_it(context: Path, outside: Path, target: str) -> None:
    (context / "dir").mkdir()
    (context / "up").symlink_to(outside.parent)
    (context / "link").symlink_to(target.format(outside=outside))
    for read in (lambda: read_bytes_in(str(context), "link", DOCKERFILE), lambda: open_in(str(context), "link")):
        with pytest.raises(FileNotFoundError):
            read()
    with pytest.raises(FileNotFoundError):
        open_directory_in(str(context), "up")
    # As for a builder, the context is all that there is.
    there = context / str(outside.parent).lstrip("/")
    there.mkdir(parents=True)
    (there / "secret").write_text("of the context")
    (context / "outside").symlink_to(outside.parent)
    assert read_bytes_in(str(context), "link", DOCKERFILE) == b"of the context"


def test_links_in_a_circle_end_and_a_context_below_a_link_is_fine(context: Path, tmp_path: Path) -> None:
    (context / "a").symlink_to("b")
    (context / "b").symlink_to("a")
    (context / "file").write_text("text")
    (tmp_path / "here").symlink_to(context)
    with pytest.raises(OSError, match="Too many levels"):
        read_bytes_in(str(context), "a", DOCKERFILE)
    assert read_bytes_in(str(tmp_path / "here"), "/file", DOCKERFILE) == b"text"
    with pytest.raises(NotADirectoryError):
        read_bytes_in(str(context), "file/..", DOCKERFILE)


def test_a_directory_that_becomes_a_link_meanwhile_shows_nothing_of_what_is_outside(
    context: Path, outside: Path
) -> None:
    (context / "dir").mkdir()
    (context / "dir" / "secret").write_text("of the context")
    (context / "link").symlink_to(outside.parent)
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            (context / "dir").rename(context / "away")
            (context / "link").rename(context / "dir")
            (context / "dir").rename(context / "link")
            (context / "away").rename(context / "dir")

    swapping = threading.Thread(target=swap)
    swapping.start()
    seen: set[bytes] = set()
    within: set[bytes] = set()
    try:
        for _ in range(3000):
            for found, read in (
                (seen, lambda: read_bytes_in(str(context), "dir/secret", DOCKERFILE)),
                (within, lambda: FilesWithin(str(context)).read(str(context / "dir/secret"), DOCKERFILE)),
            ):
                try:
                    found.add(read())
                except OSError:
                    continue
    finally:
        over.set()
        swapping.join()
    assert seen == within == {b"of the context"}


def test_files_within_a_directory_are_read_and_no_others(context: Path, outside: Path) -> None:
    files = FilesWithin(str(context.parent))
    (context / ".env").write_text("A=1\n")
    (context.parent / "inner").symlink_to(context / ".env")
    (context / "outer").symlink_to(outside)
    (context / "up").symlink_to(outside.parent)
    assert files.read(str(context.parent / "inner"), VARIABLES) == b"A=1\n"
    assert files.kind(str(context.parent / "inner")) == "file"
    for path in (
        str(outside),
        str(context / "outer"),
        str(context / "up" / "secret"),
        f"{context}/../../outside/secret",
    ):
        with pytest.raises(UnfitFileError, match="It lies outside of"):
            files.read(path, VARIABLES)
    assert files.kind(str(outside)) == files.kind(str(outside.parent)) == ""
    # What leads out is there, so that whoever reads it is told why not.
    assert files.kind(str(context / "outer")) == files.kind(str(context / "up")) == "file"
    assert files.kind(str(context / "none")) == ""
    assert files.kind(str(context)) == "directory"
