"""The server of metrics: it answers what was made, and bounds what it is asked."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.web import metrics_server
from tonnage.adapters.web.metrics_server import MetricsServer
from tonnage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = "tonnage_up 1\n"


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    with MetricsServer("127.0.0.1", 0, lambda accepts: (f"text/plain; asked={accepts[:20]}", TEXT)) as running:
        yield running


def port(server: MetricsServer) -> int:
    return int(server.address.removesuffix("/metrics").rpartition(":")[2])


def ask(server: MetricsServer, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port(server)), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
        return answer


def test_metrics_are_answered_with_what_the_request_accepts(server: MetricsServer) -> None:
    request = urllib.request.Request(server.address, headers={"Accept": "application/x"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.read().decode() == TEXT
        assert answer.headers["Content-Type"] == "text/plain; asked=application/x"


def test_head_has_no_body(server: MetricsServer) -> None:
    answer = ask(server, b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /other HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 20_000, b"431"),
        (b"GET /metrics HTTP/1.1\r\nHost: evil.example.org\r\n\r\n", b"403"),
        (b"GET /metrics?x=1 HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\n", b"200"),
        (b"GET /metrics HTTP/1.1\r\nHost: [::1]\r\n\r\n", b"200"),
    ],
)
def test_requests_are_bounded(server: MetricsServer, request_: bytes, status: bytes) -> None:
    assert ask(server, request_).split()[1] == status


def test_a_body_is_not_waited_for(server: MetricsServer) -> None:
    began = time.monotonic()
    answer = ask(server, b"GET /metrics HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
    assert b"200 OK" in answer
    assert time.monotonic() - began < metrics_server._DEADLINE_S


def test_slow_requests_end_and_others_are_answered_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "_DEADLINE_S", 0.5)
    with MetricsServer("127.0.0.1", 0, lambda _: ("text/plain", TEXT)) as server:
        slow = [socket.create_connection(("127.0.0.1", port(server)), timeout=10) for _ in range(12)]
        for each in slow:
            each.sendall(b"GET /metrics HT")
        # More are waiting than are read at once: they end by their deadlines, and then this one is answered.
        assert b"200 OK" in ask(server, b"GET / HTTP/1.1\r\n\r\n")
        for each in slow:
            with each:
                assert each.recv(100) == b""


def test_it_stops_to_listen() -> None:
    with MetricsServer("127.0.0.1", 0, lambda _: ("text/plain", TEXT)) as other:
        address = other.address
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=10)


def test_a_port_that_is_taken_is_named(server: MetricsServer) -> None:
    with pytest.raises(UsageError, match=rf"--listen: 127.0.0.1:{port(server)} cannot be listened on"):
        MetricsServer("127.0.0.1", port(server), lambda _: ("", ""))
