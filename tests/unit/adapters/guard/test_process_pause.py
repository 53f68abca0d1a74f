"""A real process, stopped and let run again: by this process, and by the watchdog when its process is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.guard.freezer import Watchdog, thaw_all
from tonnage.adapters.guard.process_pause import engine_names, is_paused, pause_process, resume_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="needs /proc")

_HOLDS = """
import sys, time
from tonnage.adapters.guard.freezer import Watchdog
from tonnage.adapters.guard.process_pause import pause_process
watchdog = Watchdog()
assert watchdog.expect([sys.argv[1]], time.monotonic() + 600)
assert pause_process(sys.argv[1])
print("stopped", flush=True)
time.sleep(600)
"""


def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)


@pytest.fixture
def sleeping() -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(["sleep", "600"])
    yield started
    started.send_signal(signal.SIGCONT)
    started.kill()
    started.wait()


def test_a_process_stands_still_until_it_is_let_run(sleeping: subprocess.Popen[bytes]) -> None:
    (name,) = engine_names(sleeping.pid)
    assert not is_paused(name)
    assert pause_process(name)
    until(lambda: is_paused(name))
    assert resume_process(name)
    until(lambda: not is_paused(name))


def test_the_containerd_that_an_engine_started_belongs_to_it(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    for name in ("containerd", "another"):
        (tmp_path / name).symlink_to(sleep)
    script = f"{tmp_path}/containerd 600 & {tmp_path}/another 600 & wait"
    engine = subprocess.Popen(["sh", "-c", script], start_new_session=True)
    try:
        until(lambda: len(engine_names(engine.pid)) == 2)
        own, containerd = engine_names(engine.pid)
        assert own.startswith(f"/proc/{engine.pid}@")
        assert Path(containerd.partition("@")[0], "comm").read_text() == "containerd\n"
    finally:
        os.killpg(engine.pid, signal.SIGKILL)
        engine.wait()
    assert engine_names(engine.pid) == ()
    assert resume_process(own)
    assert not pause_process(own)


def test_a_number_that_is_another_process_by_now_is_left_alone(sleeping: subprocess.Popen[bytes]) -> None:
    stale = f"/proc/{sleeping.pid}@1"
    assert not pause_process(stale)
    assert not pause_process("/proc/self@")
    assert not pause_process("/proc/1/../2@3")
    (name,) = engine_names(sleeping.pid)
    assert pause_process(name)
    until(lambda: is_paused(name))
    assert thaw_all([stale])
    assert is_paused(name)
    assert thaw_all([name])
    until(lambda: not is_paused(name))


def test_the_watchdog_lets_it_run_when_its_process_is_killed_or_is_late(sleeping: subprocess.Popen[bytes]) -> None:
    (name,) = engine_names(sleeping.pid)
    holder = subprocess.Popen([sys.executable, "-c", _HOLDS, name], stdout=subprocess.PIPE, start_new_session=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"stopped\n"
    until(lambda: is_paused(name))
    os.killpg(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    until(lambda: not is_paused(name), within_s=5.0)
    watchdog = Watchdog()
    assert watchdog.expect([name], time.monotonic() + 0.3)
    assert pause_process(name)
    until(lambda: is_paused(name))
    until(lambda: not is_paused(name), within_s=5.0)
    watchdog.close()
