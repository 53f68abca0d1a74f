"""Intent: an engine that cannot tell its build cache, as one may not after it was killed in a build, is worked with.

Steps: deploy; let every question how the disk is used fail, by a door in front of the engine; deploy, roll back, look.
State checked: exit codes, containers, what people are told.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

SAID = "error getting build cache usage: failed to get usage for abc: snapshot def not found"
ANSWER = f'{{"message":"{SAID}"}}'
REPLY = (
    f"HTTP/1.1 500 no\r\nContent-Type: application/json\r\nContent-Length: {len(ANSWER)}\r\nConnection: close\r\n\r\n"
)


@contextlib.contextmanager
def door(behind: str, path: Path) -> Iterator[str]:
    """Stand in front of an engine, and answer with a failure how its disk is used."""
    threads: list[threading.Thread] = []

    def let_in() -> None:
        with contextlib.suppress(OSError):
            while True:
                came, _ = listening.accept()
                threads.append(threading.Thread(target=_pass_on, args=(came, behind), daemon=True))
                threads[-1].start()

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(64)
        doorkeeper = threading.Thread(target=let_in, daemon=True)
        doorkeeper.start()
        yield f"unix://{path}"
        listening.shutdown(socket.SHUT_RDWR)
        doorkeeper.join()
    for thread in threads:
        thread.join()


def _pass_on(came: socket.socket, behind: str) -> None:
    with came, socket.socket(socket.AF_UNIX) as engine, contextlib.suppress(OSError):
        engine.connect(behind)
        others = {came: engine, engine: came}
        while others:
            for one in select.select(list(others), [], [])[0]:
                piece = one.recv(65536)
                if one is came and b"/system/df" in piece.partition(b"\r\n")[0]:
                    came.sendall((REPLY + ANSWER).encode())
                    return
                if piece:
                    others[one].sendall(piece)
                else:
                    others.pop(one).shutdown(socket.SHUT_WR)


def test_deploy_rollback_and_status_go_on_and_say_what_is_not_known(project: Project, tmp_path: Path) -> None:
    engine = project.engine
    project.web("web", "web 1")
    project.deploy()
    first = engine.container("web")
    project.web("web", "web 2")
    with door(project.real.environment["DOCKER_HOST"].removeprefix("unix://"), tmp_path / "door.sock") as host:
        broken = {"DOCKER_HOST": host}
        ended = project.tonnage("deploy", environment=broken)
        assert ended.exit_code == 0, ended.stderr
        assert SAID in ended.stderr
        assert "/buildkit, and start it again" in ended.stderr
        assert engine.container("web").image != first.image
        ended = project.tonnage("rollback", environment=broken)
        assert ended.exit_code == 0, ended.stderr
        assert engine.container("web").image == first.image
        for command in (["plan", "--again"], ["status"], ["reclaim"], ["verify"], ["forecast"]):
            ended = project.tonnage(*command, environment=broken)
            assert ended.exit_code == 0, (command, ended.stderr)
