"""Asking a container by HTTP over its own address, with nothing needed inside it: no shell, no published port.

Where the container's network is not this process's own, the socket is opened there: in a network namespace by a
thread that steps into it, for a rootless engine beside the container's own process, behind ``ssh://`` by a tunnel.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING

from tonnage.adapters.docker import namespaces
from tonnage.errors import EngineLacksError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.adapters.docker.connect import DockerConnection


def http_status(
    connection: DockerConnection, address: str, port: int, path: str, timeout_s: float, *, beside: int = 0
) -> int | str:
    """GET a path and return the status of the answer, or in words why there is none.

    Raises:
        EngineLacksError: The network namespace cannot be entered, or the engine's containers cannot be reached.
        EngineUnreachableError: ssh failed.
    """
    end = time.monotonic() + timeout_s
    try:
        reached = _open(connection, address, port, timeout_s, beside)
        with reached, _ended_by(reached, end):
            host = f"[{address}]" if ":" in address else address
            wanted = path if path.startswith("/") else f"/{path}"
            reached.sendall(
                f"GET {wanted} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: tonnage\r\n"
                "Accept: */*\r\nConnection: close\r\n\r\n".encode()
            )
            response = HTTPResponse(reached, method="GET")
            response.begin()
            response.close()
            # Headers that the end of the time cut off look like a whole answer.
            return response.status if time.monotonic() < end else _overdue(timeout_s)
    except (OSError, HTTPException) as error:
        return _in_words(error, timeout_s, overdue=time.monotonic() >= end)


def _open(connection: DockerConnection, address: str, port: int, timeout_s: float, beside: int) -> socket.socket:
    """Return a connected socket that leads to the container."""
    if connection.endpoint.startswith("ssh://"):
        if beside:
            raise EngineLacksError(
                f"containers of the rootless engine at {connection.endpoint} cannot be asked by HTTP from here",
                why="Their network belongs to that user's own namespace, which ssh does not lead into.",
                todo="Run tonnage there, or give the service a healthcheck in place of the probe.",
            )
        host = f"[{address}]" if ":" in address else address
        reached = socket.socket(socket.AF_UNIX)
        reached.settimeout(timeout_s)
        reached.connect(connection.way_to(f"{host}:{port}"))
        return reached
    if not connection.local:
        raise EngineLacksError(
            f"containers of {connection.endpoint} cannot be asked by HTTP from here",
            why="Their addresses are on the engine's machine, and tcp:// leads to the engine only.",
            todo="Reach the engine by ssh://user@host, or give the service a healthcheck in place of the probe.",
        )
    # A rootless engine itself is in another network too, which its user cannot enter without its user namespace.
    if beside:
        return namespaces.open_beside(beside, address, port, timeout_s)
    if connection.netns:
        return namespaces.open_inside(connection.netns, address, port, timeout_s)
    return socket.create_connection((address, port), timeout=timeout_s)


@contextlib.contextmanager
def _ended_by(reached: socket.socket, end: float) -> Iterator[None]:
    """Shut the socket down when the time is over, however slowly the other side drips."""

    def shut() -> None:
        with contextlib.suppress(OSError):
            reached.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, end - time.monotonic()), shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _overdue(timeout_s: float) -> str:
    return f"no answer within {timeout_s:g} s"


def _in_words(error: OSError | HTTPException, timeout_s: float, *, overdue: bool) -> str:
    """Say for people why there is no answer."""
    if overdue or isinstance(error, TimeoutError):
        return _overdue(timeout_s)
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionResetError):
        return "connection reset"
    if isinstance(error, HTTPException):
        return f"not an HTTP answer ({type(error).__name__})"
    return (error.strerror or str(error) or type(error).__name__).lower()
