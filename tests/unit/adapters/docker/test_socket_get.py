from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.docker.socket_get import answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def engine(path: Path, told: bytes, *, silent: bool = False) -> Iterator[list[bytes]]:
    """Let something listen that answers the same thing once; yields what it was asked."""
    asked: list[bytes] = []
    over = threading.Event()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            door, _ = listening.accept()
            with door:
                asked.append(door.recv(65536))
                if silent:
                    over.wait(10)
                with suppress(BrokenPipeError):
                    door.sendall(told)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (b'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{"a": [1]}\n', {"a": [1]}),
        (b"HTTP/1.1 200 OK\r\n\r\n[]", []),
        (b'HTTP/1.0 404 Not Found\r\n\r\n{"message": "no such image"}', None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", None),
        (b'HTTP/1.0 200 OK\r\nContent-Length: 900\r\n\r\n{"cut off', None),
        (b"HTTP/1.0 200 OK\r\n\r\n\xff\xfe", None),
        (b"SSH-2.0-OpenSSH_9.2\r\n", None),
        (b"", None),
    ],
)
def test_a_plain_success_is_read_and_everything_else_is_left_to_the_sdk(
    tmp_path: Path, told: bytes, found: object
) -> None:
    path = tmp_path / "docker.sock"
    with engine(path, told) as asked:
        assert answer(str(path), "/v1.41/containers/json?all=1", 5) == found
    assert asked[0].startswith(b"GET /v1.41/containers/json?all=1 HTTP/1.0\r\n")


def test_a_long_answer_arrives_whole(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with engine(path, b"HTTP/1.0 200 OK\r\n\r\n[" + b"1," * 500_000 + b"1]"):
        assert answer(str(path), "/images/json", 5) == [1] * 500_001


def test_nobody_who_listens_is_a_failure_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        answer(str(tmp_path / "docker.sock"), "/info", 1)


def test_an_engine_that_is_silent_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with engine(path, b"HTTP/1.0 200 OK\r\n\r\n{}", silent=True), pytest.raises(TimeoutError):
        answer(str(path), "/info", 0.1)
