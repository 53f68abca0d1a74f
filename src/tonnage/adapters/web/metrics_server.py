"""Serves one text over HTTP to whoever may connect, and nothing else.

A request has a deadline and a largest size, its body is not read, and what is answered was made before it came. Where
it listens on the loopback, only requests that name a loopback host are answered: a page in a browser could have its own
name lead there.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from typing import TYPE_CHECKING, Self

from tonnage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_DEADLINE_S = 5.0
_LONGEST_REQUEST = 8192
_WAITING = 16
_AT_ONCE = 8
_PATHS = frozenset({"/", "/metrics"})


class MetricsServer:
    """Listens on an address as long as its ``with`` block lasts.

    Args:
        host: The address; one of the loopback reaches nobody outside of this machine.
        port: The port; 0 for any that is free.
        answer: Is given what a request accepts, and returns a content type and the text.

    Raises:
        UsageError: It cannot listen there.
    """

    def __init__(self, host: str, port: int, answer: Callable[[str], tuple[str, str]]) -> None:
        self._answer = answer
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=_WAITING)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"--listen: {host}:{port} cannot be listened on", why=f"{why}.") from error
        self._loopback = ipaddress.ip_address(host).is_loopback
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)

    @property
    def address(self) -> str:
        """Where it can be asked."""
        host, port = self._socket.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop to listen."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(_DEADLINE_S)

    def _serve(self) -> None:
        while True:
            # No more are taken than can be answered; the others wait in the kernel, or are turned away there.
            self._slots.acquire()
            try:
                connection, _ = self._socket.accept()
            except OSError:
                self._slots.release()
                if self._socket.fileno() < 0 or not self._listens():
                    return
                continue
            threading.Thread(target=self._reply, args=(connection,), name="metrics-reply", daemon=True).start()

    def _listens(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        return False

    def _reply(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError):
                ends_s = time.monotonic() + _DEADLINE_S
                connection.sendall(self._response(_head(connection, ends_s)))
                connection.shutdown(socket.SHUT_WR)
        finally:
            self._slots.release()

    def _response(self, head: bytes | None) -> bytes:
        if head is None:
            return _error("431 Request Header Fields Too Large")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, _, rest = first.partition(" ")
        target, _, version = rest.partition(" ")
        if not version.startswith("HTTP/1."):
            return _error("400 Bad Request")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if self._loopback and not _is_here(headers.get("host", "localhost")):
            return _error("403 Forbidden")
        if method not in {"GET", "HEAD"}:
            return _error("405 Method Not Allowed", "Allow: GET, HEAD")
        if target.partition("?")[0] not in _PATHS:
            return _error("404 Not Found")
        kind, text = self._answer(headers.get("accept", ""))
        return _written("200 OK", kind, text, body=method == "GET")


def _head(connection: socket.socket, ends_s: float) -> bytes | None:
    """Read up to the end of the headers; None where they are too long.

    Raises:
        OSError: They do not end in time.
    """
    read = b""
    while b"\r\n\r\n" not in read:
        if len(read) > _LONGEST_REQUEST:
            return None
        left_s = ends_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        connection.settimeout(left_s)
        piece = connection.recv(_LONGEST_REQUEST)
        if not piece:
            raise ConnectionAbortedError
        read += piece
    connection.settimeout(max(ends_s - time.monotonic(), 0.1))
    return read.partition(b"\r\n\r\n")[0]


def _is_here(host: str) -> bool:
    """Tell whether a request names a host of the loopback."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() and not host.endswith("]") else host
    if name == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    return False


def _error(status: str, *headers: str) -> bytes:
    return _written(status, "text/plain; charset=utf-8", f"{status[4:]}\n", *headers)


def _written(status: str, kind: str, text: str, *headers: str, body: bool = True) -> bytes:
    content = text.encode("utf-8", "replace")
    lines = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(content)}",
        "Connection: close",
        "X-Content-Type-Options: nosniff",
        *headers,
    )
    return "\r\n".join((*lines, "", "")).encode("latin-1") + (content if body else b"")
