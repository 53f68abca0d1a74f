"""Asking a container by HTTP over its own address, with nothing needed inside it: no shell, no published port.

Where the container's network is not this process's own, the socket is opened there: in a network namespace by a
thread that steps into it, behind ``ssh://`` by a tunnel.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import threading
import time
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING

from tonnage.errors import EngineLacksError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.adapters.docker.connect import DockerConnection

_CLONE_NEWNET = 0x40000000
_NAMESPACES = "/run/netns"


def http_status(connection: DockerConnection, address: str, port: int, path: str, timeout_s: float) -> int | str:
    """GET a path and return the status of the answer, or in words why there is none.

    Args:
        connection: The engine, which says how its containers are reached.
        address: The container's address.
        port: The port inside the container.
        path: What is asked for, such as ``/healthz``.
        timeout_s: Seconds for all of it.

    Raises:
        EngineLacksError: The network namespace cannot be entered, or the engine's containers cannot be reached.
        EngineUnreachableError: ssh failed.
    """
    end = time.monotonic() + timeout_s
    try:
        reached = _open(connection, address, port, timeout_s)
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


def _open(connection: DockerConnection, address: str, port: int, timeout_s: float) -> socket.socket:
    """Return a connected socket that leads to the container."""
    if connection.endpoint.startswith("ssh://"):
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
    if connection.netns:
        return _inside(connection.netns, address, port, timeout_s)
    return socket.create_connection((address, port), timeout=timeout_s)


def _inside(namespace: str, address: str, port: int, timeout_s: float) -> socket.socket:
    """Return a socket that was opened and connected inside a network namespace.

    A namespace belongs to a thread: the one that enters it ends afterwards, and the socket stays where it was opened.
    """
    where = namespace if "/" in namespace else f"{_NAMESPACES}/{namespace}"
    opened: list[socket.socket] = []
    failed: list[OSError | EngineLacksError] = []

    def enter() -> None:
        try:
            _enter(where)
            opened.append(socket.create_connection((address, port), timeout=timeout_s))
        except (OSError, EngineLacksError) as error:
            failed.append(error)

    thread = threading.Thread(target=enter, name=f"in {where}")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return opened[0]


def _enter(where: str) -> None:
    """Move the calling thread into the network namespace at this path."""
    todo = "Run this command with sudo, and check the name with:\n  ip netns list"
    try:
        descriptor = os.open(where, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise EngineLacksError(f"the network namespace {where} cannot be entered", why=str(error), todo=todo) from error
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
            reason = os.strerror(ctypes.get_errno())
            raise EngineLacksError(f"the network namespace {where} cannot be entered", why=reason, todo=todo)
    finally:
        os.close(descriptor)


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
