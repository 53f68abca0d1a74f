"""Programs that pull, as real processes; and what an engine's files tell of its downloads."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.reclaim.docker_processes import clients_here, clients_there, downloading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.model.reclaim.pulls import Client

HOST = "unix:///run/it's one.sock"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[int]:
    """A process that is called as ``a-docker`` would be, in a directory with an awkward name; its number."""
    program, directory = tmp_path / "a-docker", tmp_path / "it's $(here)"
    directory.mkdir()
    program.write_text("#!/bin/sh\nread -r line\n")
    program.chmod(0o755)
    with subprocess.Popen(
        [program, "compose", "-f", "a file.yaml", "pull"],
        cwd=directory,
        stdin=subprocess.PIPE,
        env={**os.environ, "DOCKER_HOST": HOST},
    ) as process:
        # Until then it is still this very program.
        end = time.monotonic() + 10
        while b"a-docker" not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
            assert time.monotonic() < end
        yield process.pid
        with contextlib.suppress(OSError):
            process.terminate()


def check(found: Client, pid: int, tmp_path: Path) -> None:
    assert found.pid == pid
    assert found.arguments[1:] == (str(tmp_path / "a-docker"), "compose", "-f", "a file.yaml", "pull")
    assert found.directory == str(tmp_path / "it's $(here)")
    assert found.host == HOST
    assert 0 <= time.time() - found.began_s < 60


def test_a_process_is_found_with_what_it_was_given_where_and_since_when(running: int, tmp_path: Path) -> None:
    (found,) = clients_here({"a-docker"})
    check(found, running, tmp_path)
    assert not clients_here({"a-dock"})


def test_a_process_on_another_machine_is_found_by_ssh(
    running: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "ssh"
    program.write_text("#!/bin/sh\necho hello\nexec sh -s\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    (found,) = clients_there("ssh://vm.example.org", {"a-docker", "another"})
    check(found, running, tmp_path)
    (here,) = clients_here({"a-docker"})
    assert found.began_s == pytest.approx(here.began_s, abs=1.0)


def test_a_layer_that_comes_or_is_unpacked_is_a_download(tmp_path: Path) -> None:
    now_s = time.time()
    assert downloading(str(tmp_path), now_s) is None
    temporary, database = tmp_path / "tmp", tmp_path / "image" / "overlay2" / "layerdb" / "tmp"
    for each in (temporary, database):
        each.mkdir(parents=True)
    assert downloading(str(tmp_path), now_s) is False
    (temporary / "GetImageBlob123").write_bytes(b"")
    assert downloading(str(tmp_path), now_s) is True
    (temporary / "GetImageBlob123").unlink()
    (database / "write-set-123").mkdir()
    assert downloading(str(tmp_path), now_s) is True
    shutil.rmtree(database)
    data = tmp_path / "containerd" / "daemon" / "io.containerd.content.v1.content" / "ingest" / "1" / "data"
    data.parent.mkdir(parents=True)
    data.write_bytes(b"")
    assert downloading(str(tmp_path), now_s) is True
    # What was interrupted stays there for long.
    assert downloading(str(tmp_path), now_s + 3600) is False
