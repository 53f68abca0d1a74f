"""Intent: an engine that cannot tell its build cache, as one may not after it was killed in a build, is worked with.

Steps: deploy; let every question how the disk is used fail, by a door in front of the engine; deploy, roll back, look.
State checked: exit codes, containers, what people are told.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.scenarios.driving import Project

pytestmark = [pytest.mark.engine, pytest.mark.each_engine]

SAID = "error getting build cache usage: failed to get usage for abc: snapshot def not found"
ANSWER = f'{{"message":"{SAID}"}}'
REPLY = (
    f"HTTP/1.1 500 no\r\nContent-Type: application/json\r\nContent-Length: {len(ANSWER)}\r\nConnection: close\r\n\r\n"
)


@contextlib.contextmanager
def door(behind: str, path: Path) -> Iterator[str]:
    """Stand in front of an engine, and answer with a failure how its disk is used."""

    def pass_on(one: socket.socket, other: socket.socket, *, asks: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := one.recv(65536):
                if asks and b"/system/df" in piece.partition(b"\r\n")[0]:
                    one.sendall((REPLY + ANSWER).encode())
                    break
                other.sendall(piece)
        for each, how in ((other, socket.SHUT_WR), (one, socket.SHUT_RD if not asks else socket.SHUT_RDWR)):
            with contextlib.suppress(OSError):
                each.shutdown(how)

    def let_in() -> None:
        with contextlib.suppress(OSError):
            while True:
                came, _ = listening.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(behind)
                for one, other, asks in ((came, engine, True), (engine, came, False)):
                    threading.Thread(target=pass_on, args=(one, other), kwargs={"asks": asks}, daemon=True).start()

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(64)
        threading.Thread(target=let_in, daemon=True).start()
        yield f"unix://{path}"
        listening.shutdown(socket.SHUT_RDWR)


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
        for command in (["plan"], ["status"], ["reclaim"], ["verify"], ["forecast"]):
            ended = project.tonnage(*command, environment=broken)
            assert ended.exit_code == 0, (command, ended.stderr)
