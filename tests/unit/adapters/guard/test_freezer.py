"""A real group of processes, frozen and thawed: by this process, and by the watchdog when its process is killed."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.guard.build_steps import freezer_mounts
from tonnage.adapters.guard.freezer import Watchdog, freeze, is_ended, is_frozen, may_be_thawed, thaw, thaw_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_COUNTS = """
import sys, time
n = 0
while True:
    n += 1
    open(sys.argv[1], "w").write(str(n))
    time.sleep(0.005)
"""
_HOLDS = """
import sys, time
from tonnage.adapters.guard.freezer import Watchdog, freeze
watchdog = Watchdog()
assert watchdog.expect([sys.argv[1]], time.monotonic() + float(sys.argv[2]))
freeze(sys.argv[1])
print("frozen", flush=True)
time.sleep(600)
"""


class Group:
    """A control group of its own with one process that counts."""

    def __init__(self, directory: Path, counter: Path) -> None:
        self.directory = directory
        self.counter = counter
        directory.mkdir()
        self.process = subprocess.Popen([sys.executable, "-I", "-S", "-c", _COUNTS, str(counter)])
        (directory / "cgroup.procs").write_text(str(self.process.pid))

    @property
    def count(self) -> str:
        return self.counter.read_text() if self.counter.exists() else ""

    def close(self) -> None:
        thaw(str(self.directory))
        self.process.kill()
        self.process.wait()
        until(lambda: not (self.directory / "cgroup.procs").read_text())
        self.directory.rmdir()


def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    mounts = freezer_mounts(Path("/proc/self/mountinfo").read_text())
    # A watchdog of an earlier test may still be thawing what had the name before.
    directory = Path(mounts[0].path, f"tonnage-test-{os.getpid()}-{secrets.token_hex(4)}") if mounts else tmp_path
    if os.geteuid() != 0 or not mounts or not os.access(directory.parent, os.W_OK):
        pytest.skip("needs root and control groups that can be frozen")
    try:
        made = Group(directory, tmp_path / "count")
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    yield made
    made.close()


def stands_still(group: Group) -> bool:
    before = group.count
    time.sleep(0.1)
    return group.count == before


def test_a_frozen_group_does_nothing_until_it_is_thawed(group: Group) -> None:
    until(lambda: group.count)
    freeze(str(group.directory))
    until(lambda: is_frozen(str(group.directory)))
    assert stands_still(group)
    assert not is_ended(str(group.directory))
    thaw(str(group.directory))
    assert not is_frozen(str(group.directory))
    until(lambda: not stands_still(group))


def test_what_is_killed_while_frozen_is_known_to_end(group: Group) -> None:
    freeze(str(group.directory))
    until(lambda: is_frozen(str(group.directory)))
    group.process.send_signal(signal.SIGKILL)
    until(lambda: is_ended(str(group.directory)))


@pytest.mark.parametrize("how", ["killed", "too late"])
def test_the_watchdog_thaws_when_its_process_is_killed_or_stands_still(group: Group, how: str) -> None:
    until(lambda: group.count)
    directory = str(group.directory)
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDS, directory, "600" if how == "killed" else "0.5"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"frozen\n"
        if how == "killed":
            until(lambda: is_frozen(directory))
            # Its whole group, as a supervisor does: the watchdog is in none of it.
            os.killpg(holder.pid, signal.SIGKILL)
        else:
            holder.send_signal(signal.SIGSTOP)
        until(lambda: not is_frozen(directory) and not stands_still(group), within_s=5.0)
    finally:
        with contextlib.suppress(ProcessLookupError):
            holder.kill()
        holder.wait()
        if holder.stdout is not None:
            holder.stdout.close()


def test_a_watchdog_ends_with_nothing_to_do_and_one_that_is_gone_is_noticed() -> None:
    watchdog = Watchdog()
    assert watchdog.expect(["/nowhere"], 0.0)
    watchdog.close()
    another = Watchdog()
    os.kill(another._started.pid, signal.SIGKILL)
    assert another._started.wait(5.0)
    assert not another.expect(["/nowhere"], time.monotonic() + 60)
    another.close()


def test_only_control_groups_are_written_to_for_a_note(tmp_path: Path) -> None:
    (tmp_path / "freezer.state").write_text("FROZEN")
    assert not may_be_thawed(str(tmp_path))
    assert not may_be_thawed("/sys/fs/cgroup/../../../etc")
    assert thaw_all([str(tmp_path), "/nowhere"])
    assert (tmp_path / "freezer.state").read_text() == "FROZEN"


def test_a_group_that_is_gone_counts_as_frozen_and_is_thawed_without_a_word(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    assert is_frozen(gone)
    assert is_ended(gone)
    thaw(gone)
    with pytest.raises(FileNotFoundError):
        freeze(gone)
