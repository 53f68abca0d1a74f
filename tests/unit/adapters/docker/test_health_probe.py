"""Asking over HTTP: a status, or in words why there is none, and never longer than allowed."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest

from tonnage.adapters.docker.connect import DockerConnection
from tonnage.adapters.docker.health_probe import http_status
from tonnage.errors import EngineLacksError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCAL = "unix:///nowhere.sock"


def connection(endpoint: str = LOCAL, netns: str = "") -> DockerConnection:
    return DockerConnection(endpoint, docker.DockerClient, "1.41", netns)


@pytest.fixture
def answering() -> Iterator[Callable[[bytes, float], int]]:
    """Listen on a free port; the one connection is read, then gets these bytes, then is held for some seconds."""
    threads: list[threading.Thread] = []

    def start(answer: bytes, hold_s: float = 0.0) -> int:
        listening = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            with listening:
                peer, _ = listening.accept()
                with peer:
                    peer.settimeout(60)
                    asked = peer.recv(65536)
                    assert asked.startswith(b"GET /health?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"), asked
                    peer.sendall(answer)
                    end = time.monotonic() + hold_s
                    while time.monotonic() < end:
                        time.sleep(0.01)
                        try:
                            peer.sendall(b"x")
                        except OSError:
                            return

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return int(listening.getsockname()[1])

    yield start
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("status", [200, 204, 302, 503])
def test_the_status_is_returned_as_it_is(answering: Callable[[bytes, float], int], status: int) -> None:
    port = answering(f"HTTP/1.1 {status} Word\r\nContent-Length: 0\r\n\r\n".encode(), 0)
    assert http_status(connection(), "127.0.0.1", port, "/health?x=1", 60.0) == status


def test_a_path_without_its_slash_gets_one(answering: Callable[[bytes, float], int]) -> None:
    port = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0)
    assert http_status(connection(), "127.0.0.1", port, "health?x=1", 60.0) == 200


def test_a_port_on_which_nobody_listens_is_told_in_words() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert http_status(connection(), "127.0.0.1", free.getsockname()[1], "/", 60.0) == "connection refused"


def test_what_speaks_no_http_is_told_in_words(answering: Callable[[bytes, float], int]) -> None:
    port = answering(b"SSH-2.0-OpenSSH_9.2\r\n", 0)
    assert http_status(connection(), "127.0.0.1", port, "/health?x=1", 60.0) == "not an HTTP answer (BadStatusLine)"


def test_one_that_hangs_up_is_told_in_words(answering: Callable[[bytes, float], int]) -> None:
    said = http_status(connection(), "127.0.0.1", answering(b"", 0), "/health?x=1", 60.0)
    assert said == "connection reset"


def test_one_that_never_answers_takes_no_longer_than_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = http_status(connection(), "127.0.0.1", silent.getsockname()[1], "/", 0.23)
        assert said == "no answer within 0.23 s"


def test_one_that_drips_for_ever_takes_no_longer_than_allowed(answering: Callable[[bytes, float], int]) -> None:
    # Where it is heard to the end, the limit of pytest ends the test.
    port = answering(b"HTTP/1.1 200 OK\r\nX: ", 1009.0)
    assert http_status(connection(), "127.0.0.1", port, "/health?x=1", 0.31) == "no answer within 0.31 s"


def test_containers_behind_tcp_cannot_be_asked_and_that_is_said() -> None:
    with pytest.raises(EngineLacksError, match="cannot be asked by HTTP") as caught:
        http_status(connection("tcp://example.org:2376"), "172.17.0.2", 80, "/", 1.0)
    assert caught.value.exit_code == 7


def test_a_network_namespace_that_is_not_there_is_said() -> None:
    with pytest.raises(EngineLacksError, match="network namespace /run/netns/nosuch"):
        http_status(connection(netns="nosuch"), "127.0.0.1", 80, "/", 1.0)


@contextlib.contextmanager
def answering_inside(*unshared: str) -> Iterator[tuple[int, int]]:
    """A server, status 501 on everything, in namespaces of its own; gives its process and its port."""
    # SIOCSIFFLAGS with IFF_UP, which needs no program ip. Source: netdevice(7).
    program = (
        "import fcntl, socket, struct; up = struct.pack('16sh14x', b'lo', 1);"
        "fcntl.ioctl(socket.socket(), 0x8914, up);"
        "import http.server as h; s = h.HTTPServer(('127.0.0.1', 0), h.BaseHTTPRequestHandler);"
        "print(s.server_port, flush=True); s.serve_forever()"
    )
    inside = subprocess.Popen(
        ["unshare", *unshared, "python3", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with inside:
        assert inside.stdout is not None
        told = inside.stdout.readline()
        if not told:
            pytest.skip(f"no namespaces can be made here: {unshared}")
        try:
            yield inside.pid, int(told)
        finally:
            inside.terminate()


@pytest.mark.skipif(os.geteuid() != 0, reason="entering a network namespace needs root")
def test_the_socket_is_opened_in_the_namespace_and_this_process_stays_outside() -> None:
    with answering_inside("--net") as (pid, port):
        before = Path("/proc/self/ns/net").readlink()
        assert http_status(connection(), "127.0.0.1", port, "/", 60.0) == "connection refused"
        assert http_status(connection(netns=f"/proc/{pid}/ns/net"), "127.0.0.1", port, "/", 60.0) == 501
        assert Path("/proc/self/ns/net").readlink() == before


def test_a_rootless_container_is_asked_beside_its_own_process() -> None:
    with answering_inside("--user", "--map-root-user", "--net") as (pid, port):
        assert http_status(connection(), "127.0.0.1", port, "/", 60.0, beside=pid) == 501
        assert http_status(connection(), "127.0.0.1", 9, "/", 60.0, beside=pid) == "connection refused"
        # The engine of a user is itself in a network that this user cannot enter.
        assert http_status(connection(netns="nosuch"), "127.0.0.1", port, "/", 60.0, beside=pid) == 501


def test_a_process_that_has_ended_is_told_in_words() -> None:
    said = http_status(connection(), "127.0.0.1", 9, "/", 60.0, beside=2**22 - 1)
    assert said == "the container's process has ended"


def test_containers_of_a_rootless_engine_behind_ssh_cannot_be_asked_and_that_is_said() -> None:
    with pytest.raises(EngineLacksError, match="rootless engine"):
        http_status(connection("ssh://example.org"), "172.17.0.2", 80, "/", 1.0, beside=2)
