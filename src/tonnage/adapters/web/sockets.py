"""Connections that end at a deadline, whoever is on the other side, and lead to the addresses that were looked up.

urllib3 limits each read alone, so one byte now and then keeps it waiting for ever. Here every wait of a socket is cut
into short ones, and between them the deadline of the answer is looked at that this thread waits for: while a server
trickles its headers, chunks or TLS handshake, and those of a proxy.

Source: urllib3 2.8, ``connection.py``; CPython 3.11, ``ssl.py`` and ``socket.py``.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from tonnage.adapters.web.deadlines import LateError
from tonnage.units import format_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tonnage.adapters.web.deadlines import Deadline
    from tonnage.adapters.web.names import HostNames

_Received = TypeVar("_Received")
_LOOK_S = 0.5


class _Waiting(threading.local):
    """The deadline of the answer that a thread waits for."""

    deadline: Deadline | None = None


_WAITING = _Waiting()


@contextlib.contextmanager
def until(deadline: Deadline) -> Iterator[None]:
    """Have every socket that this thread waits for end at a deadline."""
    before, _WAITING.deadline = _WAITING.deadline, deadline
    try:
        yield
    finally:
        _WAITING.deadline = before


def _waited(there: socket.socket, receive: Callable[[], _Received]) -> _Received:
    """Wait for bytes until the deadline.

    Raises:
        LateError: It has passed, or there was silence for too long.
    """
    deadline = _WAITING.deadline
    if deadline is None:
        return receive()
    before, silent_since = there.gettimeout(), deadline.clock()
    try:
        while True:
            left_s = deadline.left_s()
            silent_s = deadline.limits.silent_s
            if deadline.clock() - silent_since > silent_s:
                raise LateError(f"It was silent for {format_seconds(silent_s)}.")
            there.settimeout(min(_LOOK_S, left_s))
            try:
                return receive()
            except TimeoutError:
                continue
    finally:
        with contextlib.suppress(OSError):
            there.settimeout(before)


class PatientSocket(socket.socket):
    """A socket that waits until the deadline of the answer."""

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive some bytes."""
        return _waited(self, lambda: socket.socket.recv(self, bufsize, flags))

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:  # noqa: ANN401 - any buffer
        """Receive some bytes into a buffer."""
        return _waited(self, lambda: socket.socket.recv_into(self, buffer, nbytes, flags))


class PatientTlsSocket(ssl.SSLSocket):
    """The same inside TLS."""

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002, ANN401 - as it is
        """Receive some bytes."""
        return _waited(self, lambda: ssl.SSLSocket.read(self, len, buffer))

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as it is
        """Agree with the other side about TLS."""
        _waited(self, lambda: ssl.SSLSocket.do_handshake(self, block))


def pool_classes(names: HostNames) -> dict[str, type[HTTPConnectionPool]]:
    """Return the pools of connections that look names up in one place, by scheme."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _dialled(self, names)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _dialled(self, names)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _dialled(wanted: HTTPConnection, names: HostNames) -> socket.socket:
    """Connect to the first address of a host that answers; all of them together have the time for connecting."""
    deadline = _WAITING.deadline
    host = wanted._dns_host  # noqa: SLF001 - the name with the dot that it may end with
    try:
        found = names.of(host)
    except socket.gaierror as error:
        raise NameResolutionError(wanted.host, wanted, error) from error
    except OSError as error:
        raise NewConnectionError(wanted, str(error)) from error
    told = wanted.timeout
    left_s = float(told) if isinstance(told, (int, float)) else 10.0
    if deadline is not None:
        left_s = min(left_s, deadline.left_s())
    ends = time.monotonic() + left_s
    failure: OSError = OSError("it has no address")
    for number, each in enumerate(found):
        try:
            there = PatientSocket(each.family, socket.SOCK_STREAM)
        except OSError as error:
            failure = error
            continue
        try:
            for option in wanted.socket_options or ():
                there.setsockopt(*option)
            # Who does not answer must not use up the time of those that come after it.
            there.settimeout(max(0.001, ends - time.monotonic()) / (len(found) - number))
            there.connect(each.at(wanted.port))
        except OSError as error:
            failure = error
            there.close()
            continue
        there.settimeout(left_s)
        return there
    if isinstance(failure, TimeoutError):
        raise ConnectTimeoutError(wanted, f"No answer within {left_s:g} s.") from failure
    raise NewConnectionError(wanted, str(failure)) from failure
