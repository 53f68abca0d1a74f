"""Files of another machine, by a program in place of ``ssh`` that runs the script here, as another user."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import pytest

from tonnage.adapters.ssh.files import RemoteFiles, missing_there
from tonnage.errors import EngineUnreachableError
from tonnage.small_files import COMPOSE_FILE, VARIABLES, UnfitFileError

ENDPOINT = "ssh://user@vm.example.org"
NOBODY = "setpriv --reuid 65534 --regid 65534 --clear-groups"
needs_root = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="becoming another user")


def instead_of_ssh(where: Path, monkeypatch: pytest.MonkeyPatch, *, as_user: str = "", greeting: str = "") -> Path:
    """Put a program in place of ssh; return the file in which it counts its calls."""
    calls = where / "calls"
    (where / "bin").mkdir()
    program = where / "bin" / "ssh"
    said = f"echo {shlex.quote(greeting)}\n" if greeting else ""
    program.write_text(f"#!/bin/sh\necho call >> {shlex.quote(str(calls))}\n{said}exec {as_user} sh -s\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{where}/bin:{os.environ['PATH']}")
    return calls


def test_what_is_there_is_told_and_read_byte_by_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = instead_of_ssh(tmp_path, monkeypatch, greeting="Welcome to the machine\ntonnage-files are welcome")
    content = bytes(range(256)) * 5003
    awkward = tmp_path / "it's a $(name)\nof two lines"
    awkward.write_bytes(content)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "link").symlink_to("empty")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    names = {
        awkward.name: "file",
        "empty": "file",
        "link": "file",
        "dangling": "",
        "pipe": "other",
        "bin": "directory",
        "none/at/all": "",
        "empty/below": "",
    }
    files = RemoteFiles(ENDPOINT, [str(tmp_path / name) for name in names])
    assert {name: files.kind(str(tmp_path / name)) for name in names} == names
    assert files.read(str(awkward), COMPOSE_FILE) == content
    with pytest.raises(UnfitFileError, match=r"larger than the 1\.00 MB that a file of variables may have"):
        files.read(str(awkward), VARIABLES)
    assert files.read(str(tmp_path / "empty"), COMPOSE_FILE) == b""
    with pytest.raises(FileNotFoundError):
        files.read(str(tmp_path / "dangling"), COMPOSE_FILE)
    with pytest.raises(IsADirectoryError):
        files.read(str(tmp_path / "bin"), COMPOSE_FILE)
    assert files.kind("/") == "directory"
    assert calls.read_text().count("call") == 2


def as_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let ssh lead to a user who may look at the directory, but not into the one below it that is returned."""
    for each in (tmp_path, *tmp_path.parents):
        if each == Path("/tmp"):
            break
        each.chmod(0o755)
    instead_of_ssh(tmp_path, monkeypatch, as_user=NOBODY)
    (tmp_path / "calls").touch(0o666)
    (tmp_path / "calls").chmod(0o666)
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    return closed


@needs_root
def test_what_may_not_be_read_there_is_not_taken_for_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = as_nobody(tmp_path, monkeypatch)
    (closed / "compose.yaml").write_text("services: {}\n")
    (tmp_path / "secret").write_text("services: {}\n")
    (tmp_path / "secret").chmod(0o600)
    files = RemoteFiles(ENDPOINT)
    for path in (closed / "compose.yaml", closed / "deeper" / "compose.yaml", tmp_path / "secret"):
        with pytest.raises(PermissionError):
            files.kind(str(path))
    assert not files.kind(str(tmp_path / "gone"))


def test_a_machine_that_says_nothing_of_files_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of_ssh(tmp_path, monkeypatch, as_user="false")
    with pytest.raises(EngineUnreachableError, match=r"files of ssh://.* cannot be read"):
        RemoteFiles(ENDPOINT).kind("/etc")


def test_what_is_missing_there_is_asked_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = instead_of_ssh(tmp_path, monkeypatch, greeting="tonnage-files are welcome")
    (tmp_path / "it's $(here)").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    gone = [str(tmp_path / name) for name in ("dangling", "none", "bin/none/at/all")]
    there = [str(tmp_path / name) for name in ("it's $(here)", "bin")] + ["/", "/dev/null"]
    assert missing_there(ENDPOINT, [*there, *gone]) == set(gone)
    assert calls.read_text().count("call") == 1
    assert missing_there(ENDPOINT, []) == frozenset()
    assert calls.read_text().count("call") == 1


@needs_root
def test_what_may_not_be_looked_at_there_is_not_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = as_nobody(tmp_path, monkeypatch)
    paths = [str(closed / "app.conf"), str(closed / "deeper" / "app.conf"), str(tmp_path / "gone")]
    assert missing_there(ENDPOINT, paths) == {paths[2]}


def test_a_machine_that_does_not_answer_misses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of_ssh(tmp_path, monkeypatch, as_user="false")
    with pytest.raises(EngineUnreachableError):
        missing_there(ENDPOINT, ["/etc/app.conf"])
