"""Has an engine of this machine stand still for a moment, by SIGSTOP, with the containerd that it started itself.

A containerd that runs beside the engine may serve others, so it is left alone. A process is named by its number and
the tick in which it began, ``/proc/NUMBER@TICK``: whoever lets it run again, also much later, never means another one.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from tonnage.adapters.guard.build_steps import children

BEGINNING = "/proc/"
_STARTED_FIELD = 19
_CONTAINERD = "containerd"


def engine_names(engine: int) -> tuple[str, ...]:
    """Return the names of the engine's process and of the containerd that it started; nothing where one is gone."""
    with suppress(OSError, ValueError, IndexError):
        own = [each for each in children(engine) if _program(each) == _CONTAINERD]
        return tuple(f"{BEGINNING}{each}@{_began(each)}" for each in (engine, *own))
    return ()


def pause_process(name: str) -> bool:
    """Stop a process; return whether that was done."""
    return _told(name, signal.SIGSTOP)


def resume_process(name: str) -> bool:
    """Let it run again; return whether it is there and does, or is gone."""
    return _told(name, signal.SIGCONT) or not _is_there(name)


def is_paused(name: str) -> bool:
    """Return whether a process is there and stopped."""
    with suppress(OSError, ValueError, IndexError):
        return _is_there(name) and _fields(_number(name))[0] == "T"
    return False


def _told(name: str, number: int) -> bool:
    with suppress(OSError, ValueError):
        if _is_there(name):
            os.kill(_number(name), number)
            return True
    return False


def _is_there(name: str) -> bool:
    with suppress(OSError, ValueError, IndexError):
        return _began(_number(name)) == name.rpartition("@")[2]
    return False


def _number(name: str) -> int:
    return int(name.removeprefix(BEGINNING).partition("@")[0])


def _began(process_id: int) -> str:
    return _fields(process_id)[_STARTED_FIELD]


def _fields(process_id: int) -> list[str]:
    """Return what ``/proc/PID/stat`` tells from the state on. Source: proc(5)."""
    text = Path(f"{BEGINNING}{process_id}/stat").read_text(encoding="utf-8", errors="replace")
    return text.rpartition(")")[2].split()


def _program(process_id: int) -> str:
    return Path(f"{BEGINNING}{process_id}/comm").read_text(encoding="utf-8", errors="replace").strip()
