"""Which process of this machine is the engine behind a socket: proven, or not told at all.

Where systemd holds the socket for the engine, both have it open: the engine is then the only other process that does.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

_WITHIN_S = 2.0
_LISTENS = "00010000"
"""The flag of a socket that listens. Source: proc(5), /proc/net/unix."""
_FIELDS = 8


def engine_process(socket_path: str) -> int | None:
    """Return the process that serves a socket.

    Args:
        socket_path: Of the engine, on this machine.

    Returns:
        Its process id; None where that is not certain, such as from inside a container.
    """
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(_WITHIN_S)
            asking.connect(socket_path)
            told = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except OSError:
        return None
    listener, _, _ = struct.unpack("3i", told)
    if listener <= 0:
        return None
    sockets = _listening(listener, socket_path)
    if listener != 1:
        return listener if _holds(str(listener), sockets) else None
    found = [int(each) for each in os.listdir("/proc") if each.isdigit() and each != "1" and _holds(each, sockets)]  # noqa: PTH208
    return found[0] if len(found) == 1 and _same_files(found[0]) else None


def parent_of(process_id: int) -> int:
    """Return the parent of a process; 0 where there is none.

    Source: proc(5), ``/proc/PID/stat`` field 4; the command in field 2 may contain blanks and parentheses.
    """
    try:
        text = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8", errors="replace")
        return int(text.rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def descends_from(process_id: int, ancestor: int) -> bool:
    """Return whether a process was started by another one, through any number of others."""
    for _ in range(_MOST_GENERATIONS):
        if process_id in {0, 1}:
            return False
        process_id = parent_of(process_id)
        if process_id == ancestor:
            return True
    return False


_MOST_GENERATIONS = 64


def _listening(process_id: int, socket_path: str) -> frozenset[str]:
    """Return what the links of open files say of the sockets that listen at a path."""
    found = set()
    with suppress(OSError):
        for line in Path(f"/proc/{process_id}/net/unix").read_text(errors="replace").splitlines():
            fields = line.split(maxsplit=_FIELDS - 1)
            if len(fields) == _FIELDS and fields[3] == _LISTENS and _is_at(fields[-1], socket_path):
                found.add(f"socket:[{fields[6]}]")
    return frozenset(found)


def _is_at(told: str, socket_path: str) -> bool:
    return told == socket_path or os.path.realpath(told) == os.path.realpath(socket_path)


def _holds(process_id: str, sockets: frozenset[str]) -> bool:
    directory = f"/proc/{process_id}/fd"
    with suppress(OSError):
        for number in os.listdir(directory):  # noqa: PTH208
            with suppress(OSError):
                if os.readlink(f"{directory}/{number}") in sockets:  # noqa: PTH115
                    return True
    return False


def _same_files(process_id: int) -> bool:
    """Return whether a process sees the files of this machine as this one does."""
    try:
        return os.readlink(f"/proc/{process_id}/ns/mnt") == os.readlink("/proc/self/ns/mnt")  # noqa: PTH115
    except OSError:
        return False
