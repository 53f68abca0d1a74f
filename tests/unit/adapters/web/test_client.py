from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from tonnage.adapters.web.client import Web
from tonnage.adapters.web.proxies import proxy_of
from tonnage.errors import CannotFetchError


def test_a_host_that_cannot_be_connected_to_is_not_tried_again_and_again() -> None:
    web = Web({})
    begun = time.monotonic()
    reasons = []
    for path in ("a", "b", "c"):
        with pytest.raises(CannotFetchError) as caught:
            # Port 9 of the loopback: nobody listens there.
            web.get(f"http://127.0.0.1:9/{path}")
        reasons.append((caught.value.cause, caught.value.why))

    assert len(set(reasons)) == 1
    assert reasons[0][0] == "unreachable"
    assert time.monotonic() - begun < 5.0


def test_what_is_remembered_of_one_host_is_not_held_against_another() -> None:
    web = Web({})
    with pytest.raises(CannotFetchError, match=r"127\.0\.0\.1:9/"):
        web.get("http://127.0.0.1:9/a")
    with pytest.raises(CannotFetchError, match=r"127\.0\.0\.1:7/"):
        web.get("http://127.0.0.1:7/a")


def test_a_proxy_that_refuses_a_host_is_asked_once() -> None:
    asked: list[bytes] = []

    def refuse(listening: socket.socket) -> None:
        while True:
            with contextlib.suppress(OSError), listening.accept()[0] as client:
                asked.append(client.recv(65_536))
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=refuse, args=(listening,), daemon=True).start()
    web = Web({"HTTPS_PROXY": f"http://127.0.0.1:{listening.getsockname()[1]}"})
    for path in ("a", "b"):
        with pytest.raises(CannotFetchError):
            web.get(f"https://registry.example.org/{path}")

    assert [line.split(b" ")[1] for line in asked] == [b"registry.example.org:443"]


def answering(*answers: bytes) -> tuple[str, list[bytes]]:
    """Give one answer to each connection, the last one to all that follow; return the address and what was asked."""
    asked: list[bytes] = []

    def answer(listening: socket.socket) -> None:
        while True:
            with contextlib.suppress(OSError), listening.accept()[0] as client:
                asked.append(client.recv(65_536))
                client.sendall(answers[min(len(asked), len(answers)) - 1])

    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=answer, args=(listening,), daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}", asked


BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine"


@pytest.mark.parametrize("first", [BUSY, b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nfi"])
def test_what_may_be_over_in_a_moment_is_asked_again(first: bytes) -> None:
    address, asked = answering(first, FINE)
    assert Web({}).get(f"{address}/a").body == b"fine"
    assert len(asked) == 2


def test_a_server_that_stays_busy_is_told_after_a_few_times() -> None:
    address, asked = answering(BUSY)
    assert Web({}).get(f"{address}/a").status == 503
    assert len(asked) == 3


def test_a_form_is_sent_once() -> None:
    address, asked = answering(BUSY)
    assert Web({}).post(f"{address}/token", {"a": "b"}).status == 503
    assert len(asked) == 1


@pytest.mark.parametrize("place", ["http://[", "ftp://example.org/a"])
def test_a_redirection_to_what_is_no_address_is_told(place: str) -> None:
    moved = f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    address, _ = answering(moved)
    with pytest.raises(CannotFetchError, match="no address that can be asked"):
        Web({}).get(f"{address}/a")


@pytest.mark.parametrize(
    ("address", "not_by_proxy", "proxy"),
    [
        ("http://10.1.2.3/a", "10.0.0.0/8", ""),
        ("http://11.1.2.3/a", "10.0.0.0/8", "http://proxy:3128"),
        ("http://[fd00::1]:80/a", "[fd00::]/16", "http://proxy:3128"),
        ("http://[fd00::1]:80/a", "fd00::/16", ""),
        ("http://[::1]/a", "localhost, ::1", ""),
        ("http://a.example.org/a", ".example.org", ""),
        ("http://example.org/a", "*", ""),
        ("http://example.org/a", "", "http://proxy:3128"),
    ],
)
def test_the_proxy_of_an_address_is_the_one_that_the_environment_names(
    address: str, not_by_proxy: str, proxy: str
) -> None:
    environment = {"HTTP_PROXY": "http://other:1", "http_proxy": "proxy:3128", "NO_PROXY": not_by_proxy}
    assert proxy_of(address, environment) == proxy
