from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from tonnage.adapters.web import Web
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
