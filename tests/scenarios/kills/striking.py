"""Strikes a run: waits for its moment by the journal, then kills it, its engine, or the room on the disk."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shutil
import signal
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from tests.scenarios.kills.blows import Way
from tests.scenarios.watching import available_bytes, soon

from tonnage.adapters.private_engine.daemon import end_daemon, start_daemon
from tonnage.adapters.private_engine.layout import read_state
from tonnage.adapters.private_engine.network import Addresses, host_mtu

if TYPE_CHECKING:
    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Running
    from tests.scenarios.kills.blows import Blow

_COUNT = """
SELECT (SELECT count(*) FROM run) + (SELECT count(*) FROM run WHERE outcome != 'running')
    + (SELECT count(*) FROM step) + (SELECT count(*) FROM step WHERE outcome != 'running')
"""
_LOOK_S = 0.002
_LONGEST_S = 200.0


def entries(journal: Path) -> int:
    """Return how many entries a journal has: beginnings and ends of runs and steps."""
    with contextlib.suppress(sqlite3.Error):
        connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=0.0)
        with contextlib.closing(connection):
            return int(connection.execute(_COUNT).fetchone()[0])
    return 0


def strike(blow: Blow, running: Running, real: RealEngine, journal: Path, before: int) -> bool:
    """Wait for the moment of a blow and strike; return whether the run was still going on by then.

    Args:
        before: The entries that the journal had before the run.
    """
    end_s = time.monotonic() + _LONGEST_S
    while blow.entry and entries(journal) < before + blow.entry:
        if not running.goes_on() or time.monotonic() > end_s:
            return False
        time.sleep(_LOOK_S)
    until_s = time.monotonic() + blow.after_s
    while time.monotonic() < until_s:
        if not running.goes_on():
            return False
        time.sleep(_LOOK_S)
    if not running.goes_on():
        return False
    match blow.way:
        case Way.GROUP:
            running.signal(signal.SIGKILL)
        case Way.ALL:
            _kill_all(running.pid)
        case Way.ENGINE:
            kill_engine(real)
        case Way.DISK:
            fill(real.images_mount, blow.left_bytes)
    return True


def _kill_all(leader: int) -> None:
    """Kill a process with all that it started, whatever sessions these made."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(leader)
        process.suspend()
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


def kill_engine(real: RealEngine) -> None:
    """Kill the engine with everything in it."""
    assert end_daemon(real.private._layout)


def start_engine(real: RealEngine) -> None:
    """Start an engine again that was killed, on the disk that it had."""
    layout = real.private._layout
    # What it keeps beside its disk goes with every end of a machine; in it are numbers of processes.
    for place in (layout.exec_root, layout.run_overlay):
        shutil.rmtree(place)
    state = read_state(layout)
    assert state is not None
    started = start_daemon(layout, Addresses(ipaddress.IPv4Network(state.network)), host_mtu(), real.environment)
    started.leave()


def _filling(mount: str) -> Path:
    return Path(mount, "somebody-elses-file")


def fill(mount: str, left_bytes: int) -> None:
    """Leave so many bytes of a disk; what runs on it may fill the rest meanwhile."""
    size_bytes = available_bytes(mount) - left_bytes
    if size_bytes > 0:
        with _filling(mount).open("wb") as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, size_bytes)


def empty(mount: str) -> None:
    """Take away what :func:`fill` wrote."""
    _filling(mount).unlink(missing_ok=True)


def settled(text: str) -> bool:
    """Wait until no program has this in its command line any more; return whether that came true."""
    from tests.scenarios.seeing import processes_with  # noqa: PLC0415

    return soon(lambda: not processes_with(text), within_s=60.0)
