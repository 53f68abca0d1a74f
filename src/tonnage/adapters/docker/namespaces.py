"""Opening a socket inside another network namespace, for engines whose containers are not in this process's network.

A named namespace (root only) is entered by a thread of its own. Those of a rootless engine belong to a user namespace,
which no thread may enter: there a small program opens the socket and hands it over.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
import threading
from pathlib import Path

from tonnage.adapters import process
from tonnage.errors import EngineLacksError
from tonnage.own_files import temporary_directory

_CLONE_NEWNET = 0x40000000
_NAMESPACES = "/run/netns"
_GRACE_S = 5.0
_CONNECT_FAILED = 97
_PROGRAM = f"""\
import socket, sys
address, port, timeout, way = sys.argv[1:]
try:
    opened = socket.create_connection((address, int(port)), float(timeout))
except OSError as error:
    print(error.errno or 110)
    sys.exit({_CONNECT_FAILED})
with socket.socket(socket.AF_UNIX) as back:
    back.connect(way)
    socket.send_fds(back, [b"socket"], [opened.fileno()])
"""


def open_inside(namespace: str, address: str, port: int, timeout_s: float) -> socket.socket:
    """Return a socket that was opened and connected inside a network namespace.

    A namespace belongs to a thread: the one that enters it ends afterwards, and the socket stays where it was opened.

    Raises:
        EngineLacksError: The namespace cannot be entered.
        OSError: The connection failed.
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


def of_listener(socket_path: str) -> str:
    """Return the network namespace of the process that listens on a socket, when it is not this process's own.

    Returns:
        A path below ``/proc``; empty when it is the same, or when this user may not look.
    """
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            asking.connect(socket_path)
            credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            process_id, _, _ = struct.unpack("3i", credentials)
            theirs = Path("/proc", str(process_id), "ns", "net")
            return "" if theirs.samefile("/proc/self/ns/net") else str(theirs)
        except OSError:
            return ""


def open_beside(process_id: int, address: str, port: int, timeout_s: float) -> socket.socket:
    """Return a socket that was opened in the user and network namespace of another process of this user.

    Raises:
        EngineLacksError: The namespaces cannot be entered, or there is no ``nsenter``.
        StepFailedError: It took far longer than ``timeout_s``.
        ProcessLookupError: The process has ended.
        OSError: The connection failed.
    """
    with temporary_directory("way", for_socket=True) as directory, socket.socket(socket.AF_UNIX) as listening:
        way = str(Path(directory, "back.sock"))
        listening.bind(way)
        listening.listen()
        done = process.run(
            [
                *("nsenter", "--user", "--preserve-credentials", "--net", "--target", str(process_id)),
                *(sys.executable, "-I", "-c", _PROGRAM, address, str(port), str(timeout_s), way),
            ],
            timeout_s=timeout_s + _GRACE_S,
        )
        if done.exit_code == _CONNECT_FAILED:
            number = int(done.stdout)
            raise OSError(number, os.strerror(number))
        if done.exit_code and not Path("/proc", str(process_id)).exists():
            raise ProcessLookupError(errno.ESRCH, "The container's process has ended")
        if done.exit_code:
            raise EngineLacksError(
                "a container's network cannot be entered",
                why=done.stderr.strip(),
                todo="Run this command as the user whose engine it is.",
            )
        peer, _ = listening.accept()
        with peer:
            _, (descriptor, *_), _, _ = socket.recv_fds(peer, 16, 1)
    opened = socket.socket(fileno=descriptor)
    opened.settimeout(timeout_s)
    return opened


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
