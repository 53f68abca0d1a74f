from __future__ import annotations

import contextlib
import socket
import threading
import time
from email.utils import formatdate

import pytest

from tonnage.adapters.web.client import Web
from tonnage.adapters.web.pools import proxy_of
from tonnage.errors import CannotFetchError


def test_a_host_that_cannot_be_connected_to_is_not_tried_again_and_again() -> None:
    web = Web({})
    reasons = []
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        for path in ("a", "b", "c"):
            with pytest.raises(CannotFetchError) as caught:
                web.get(f"http://127.0.0.1:{listening.getsockname()[1]}/{path}")
            reasons.append((caught.value.cause, caught.value.why))
            # Whoever tried again would be heard from now on.
            listening.listen()
        listening.setblocking(False)  # noqa: FBT003 - it takes no keyword
        with pytest.raises(BlockingIOError):
            listening.accept()

    assert len(set(reasons)) == 1
    assert reasons[0][0] == "unreachable"


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


def later(status: int, when: str) -> bytes:
    """Return an answer that asks to be left alone for a while."""
    return f"HTTP/1.1 {status} No\r\nRetry-After: {when}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


@pytest.mark.parametrize(
    "when",
    ["1", " 1 ", formatdate(time.time() - 60, usegmt=True), "soon", "9" * 5_000],
    ids=["seconds", "blanks", "past", "no time", "too long"],
)
def test_a_server_that_says_when_to_ask_again_is_asked_then(when: str) -> None:
    address, asked = answering(later(429, when), FINE)
    begun = time.monotonic()
    assert Web({}).get(f"{address}/a").body == b"fine"
    assert len(asked) == 2
    # What is not to be waited for would be waited for until the limit of pytest.
    assert when.strip() != "1" or time.monotonic() - begun >= 1.0


@pytest.mark.parametrize("as_date", [False, True])
def test_a_server_that_wants_an_hour_of_rest_is_not_waited_for(*, as_date: bool) -> None:
    when = formatdate(time.time() + 3_700, usegmt=True) if as_date else "3600"
    address, asked = answering(later(429, when), FINE)
    reply = Web({}).get(f"{address}/a")
    assert (reply.status, reply.answer[:20]) == (429, "429, ask again in 1 ")
    assert len(asked) == 1


def test_what_a_busy_server_goes_on_to_send_is_not_waited_for() -> None:
    endless = b"HTTP/1.1 503 Busy\r\nContent-Length: 999999999\r\nConnection: close\r\n\r\n" + bytes(4_000)
    address, asked = answering(endless, FINE)
    web = Web({})
    assert web.start(f"{address}/a", first_bytes=9).body == b"fine"
    assert len(asked) == 2
    assert web.fetched_bytes == 9 + 4


def test_a_redirection_keeps_the_range_and_leaves_secrets_of_tls_behind() -> None:
    address, asked = answering(FINE)
    moved = f"HTTP/1.1 307 Go\r\nLocation: {address}/b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    first, _ = answering(moved)
    headers = {"Range": "bytes=0-3", "Authorization": "Basic secret", "cookie": "secret"}
    assert Web({}).start(f"{first}/a", headers, first_bytes=4).address == f"{address}/b"
    assert b"Range: bytes=0-3" in asked[0]
    assert b"secret" not in asked[0]


def test_a_form_is_sent_once() -> None:
    address, asked = answering(BUSY)
    assert Web({}).post(f"{address}/token", {"a": "b"}).status == 503
    assert len(asked) == 1


@pytest.mark.parametrize("place", ["http://[", "ftp://example.org/a"])
def test_a_redirection_to_what_is_no_address_is_told(place: str) -> None:
    moved = f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    address, _ = answering(moved)
    with pytest.raises(CannotFetchError, match="not a valid address"):
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
