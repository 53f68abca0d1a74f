from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.guard.engine_process import descends_from, engine_process, parent_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

_PASSED_ON = "import socket, sys, time; print('ready', flush=True); time.sleep(600)"


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "s"))
        made.listen()
        yield made


def test_it_is_the_process_that_listens(listening: socket.socket, tmp_path: Path) -> None:
    assert engine_process(str(tmp_path / "s")) == os.getpid()
    (tmp_path / "link").symlink_to(tmp_path / "s")
    assert engine_process(str(tmp_path / "link")) == os.getpid()
    listening.close()
    assert engine_process(str(tmp_path / "s")) is None
    assert engine_process(str(tmp_path / "nothing")) is None


def test_one_that_has_let_go_of_its_socket_is_not_the_engine(listening: socket.socket, tmp_path: Path) -> None:
    # Another process has the socket now; the kernel still names the one that began to listen.
    held = subprocess.Popen([sys.executable, "-c", _PASSED_ON], pass_fds=[listening.fileno()], stdout=subprocess.PIPE)
    try:
        assert held.stdout is not None
        held.stdout.readline()
        listening.close()
        assert engine_process(str(tmp_path / "s")) is None
    finally:
        held.kill()
        held.wait()
        with contextlib.suppress(AttributeError):
            held.stdout.close()  # type: ignore[union-attr]


def test_descent_goes_through_any_number_of_processes() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"],
        stdin=subprocess.PIPE,
    )
    try:
        assert parent_of(child.pid) == os.getpid()
        assert descends_from(child.pid, os.getpid())
        assert not descends_from(os.getpid(), child.pid)
        assert not descends_from(os.getpid(), os.getpid())
    finally:
        child.communicate(b"\n")
    assert parent_of(2**22 + 1) == 0
