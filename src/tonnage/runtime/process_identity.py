"""Which process did something, and whether it is still there.

A process is known by host, number and the moment it started: numbers are given out again, also after a reboot.
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct


class Owner(Struct, frozen=True, kw_only=True):
    """One process.

    Args:
        birth: Identity of the boot and the tick in which it started; empty where the machine does not tell.
    """

    pid: int
    host: str
    birth: str = ""


def this_process() -> Owner:
    """Return the calling process."""
    pid = os.getpid()
    return Owner(pid=pid, host=os.uname().nodename, birth=_birth(pid))


def has_died(owner: Owner) -> bool:
    """Return whether a process is certainly gone: False for a process of another machine, which cannot be seen."""
    if owner.host != os.uname().nodename:
        return False
    # Where processes have a birth, one without has ended, whether or not somebody took notice of it.
    if owner.birth and _birth(os.getpid()):
        return _birth(owner.pid) != owner.birth
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _birth(pid: int) -> str:
    """Return boot and start tick of a process; empty when there is no such process or no ``/proc``.

    Source: proc(5), ``/proc/PID/stat`` field 22; the command in field 2 may contain blanks and parentheses.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return "" if state in {"Z", "X"} else f"{boot}/{started}"
