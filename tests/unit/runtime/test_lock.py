from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest

from tonnage.errors import LockHeldError, UsageError
from tonnage.runtime.lock import StackLock, shared_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tonnage.adapters.interface import Cancel

ENGINE = "ABCD:EFGH"


class StandingClock:
    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def time(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, cancel: Cancel, seconds: float) -> bool:
        self.now_s += seconds
        return cancel.is_set()


class OtherMachine:
    """Remembers locks by name, like a machine that two others reach."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.mine = ""

    def acquire(self, name: str, beginning: str, text: str) -> str | None:
        assert name.startswith(beginning)
        if name in self.held:
            return self.held[name]
        self.held[name] = text
        self.mine = name
        return None

    def release(self) -> None:
        self.held.pop(self.mine, None)

    def texts(self, name: str, beginning: str) -> list[str]:
        return [text for held, text in self.held.items() if held.startswith(beginning) and held != name]

    def write(self, text: str) -> list[str]:
        assert len(text) == len(self.held[self.mine])
        self.held[self.mine] = text
        return self.texts(self.mine, "")


class SlowMachine(OtherMachine):
    """Takes a while for the second text, so that the third could overtake it."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = 0
        self.written: list[int] = []
        self.third = Event()

    def write(self, text: str) -> list[str]:
        self.begun += 1
        mine = self.begun
        if mine == 2:
            self.third.wait(0.3)
        others = super().write(text)
        self.written.append(mine)
        if mine == 3:
            self.third.set()
        return others


def wait_for(condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.005)


@contextmanager
def holding_process(
    directory: Path, *, before_holding: str = "", umask: int = 0o022
) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds the lock of stack ``hello`` until its standard input ends."""
    program = f"""
    import os, pathlib, subprocess, sys
    from tonnage.runtime.lock import StackLock
    os.umask({umask:#o})
    {before_holding}
    with StackLock({ENGINE!r}, "hello", command="tonnage deploy web", directory=pathlib.Path({str(directory)!r})):
        subprocess.run(["true"], close_fds=False)
        sleeper = subprocess.Popen(["sleep", "60"], close_fds=False, stdin=subprocess.DEVNULL)
        print(sleeper.pid, flush=True)
        sys.stdin.read()
        sleeper.kill()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        sleeper = int(process.stdout.readline())
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)
            if process.returncode != 0:
                os.kill(sleeper, signal.SIGKILL)


def test_the_lock_is_taken_and_given_back_and_leaves_nothing(tmp_path: Path) -> None:
    with StackLock(ENGINE, "hello", directory=tmp_path) as lock:
        assert lock.path.exists()
    with StackLock(ENGINE, "hello", directory=tmp_path):
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_second_run_is_told_who_holds_the_lock_for_how_long_and_what_to_do(tmp_path: Path) -> None:
    clock = StandingClock(1_700_000_003.0)
    with StackLock(ENGINE, "hello", command="tonnage deploy --plan p.json", directory=tmp_path, clock=clock):
        clock.now_s += 185.0
        with pytest.raises(LockHeldError) as caught:
            StackLock(ENGINE, "hello", "unix:///run/d.sock", directory=tmp_path, clock=clock).__enter__()

    error = caught.value
    assert error.exit_code == 9
    assert error.what == "another run holds the lock of stack hello on the engine at unix:///run/d.sock"
    assert f"Process {os.getpid()} of user " in error.why
    assert error.why.endswith("has held it for 3 min 05 s: tonnage deploy --plan p.json")
    assert f"\n  kill -INT {os.getpid()}" in error.todo


def test_another_stack_and_another_engine_are_not_locked(tmp_path: Path) -> None:
    with (
        StackLock(ENGINE, "hello", directory=tmp_path),
        StackLock(ENGINE, "world", directory=tmp_path),
        StackLock("OTHER", "hello", directory=tmp_path),
    ):
        assert len(list(tmp_path.iterdir())) == 3


def test_a_lock_held_by_another_process_is_free_again_when_that_ends(tmp_path: Path) -> None:
    with (
        holding_process(tmp_path) as process,
        pytest.raises(LockHeldError, match="stack hello") as caught,
        StackLock(ENGINE, "hello", directory=tmp_path),
    ):
        pass
    assert f"Process {process.pid} of user" in caught.value.why

    with StackLock(ENGINE, "hello", directory=tmp_path):
        pass


def test_a_killed_process_holds_nothing_even_while_its_child_lives(tmp_path: Path) -> None:
    with holding_process(tmp_path) as process:
        process.kill()
        process.wait(10)
        (left_behind,) = tmp_path.iterdir()

        with StackLock(ENGINE, "hello", directory=tmp_path) as lock:
            assert lock.path == left_behind

    assert list(tmp_path.iterdir()) == []


def test_the_file_can_be_locked_by_every_user_whatever_the_umask(tmp_path: Path) -> None:
    with holding_process(tmp_path, umask=0o077):
        (file,) = tmp_path.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o666


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_another_user_of_the_machine_meets_the_same_lock(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    for parent in (tmp_path, *tmp_path.parents[:3]):
        if parent != Path("/tmp") and parent != Path("/"):
            parent.chmod(0o755)
    become_nobody = "os.setgid(65534); os.setuid(65534)"

    with (
        holding_process(shared, before_holding=become_nobody) as process,
        pytest.raises(LockHeldError) as caught,
        StackLock(ENGINE, "hello", directory=shared),
    ):
        pass
    assert f"Process {process.pid} of user nobody" in caught.value.why

    with StackLock(ENGINE, "hello", directory=shared) as lock:
        lock.path.touch()
    with holding_process(shared, before_holding=become_nobody):
        pass


def test_what_another_user_wrote_cannot_play_with_the_terminal(tmp_path: Path) -> None:
    with StackLock(ENGINE, "hello", directory=tmp_path) as lock:
        lock.path.write_text(
            '{"pid": 7, "user": "eve\\u001b[2J", "host": "h", "command": "x\\ny", "started_s": 1}', encoding="utf-8"
        )
        with pytest.raises(LockHeldError) as caught:
            StackLock(ENGINE, "hello", directory=tmp_path).__enter__()

    assert "user eve?[2J on h" in caught.value.why
    assert caught.value.why.endswith(": x?y")


def test_an_owner_that_wrote_nothing_is_still_an_owner(tmp_path: Path) -> None:
    with StackLock(ENGINE, "hello", directory=tmp_path) as lock:
        os.truncate(lock.path, 0)
        with pytest.raises(LockHeldError, match="another run holds the lock") as caught:
            StackLock(ENGINE, "hello", directory=tmp_path).__enter__()

    assert caught.value.why == "Its owner did not write who it is."


def test_a_symbolic_link_in_its_place_is_refused_and_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep me", encoding="utf-8")
    lock = StackLock(ENGINE, "hello", directory=tmp_path)
    lock.path.symlink_to(precious)

    with pytest.raises(UsageError, match="cannot be used") as caught:
        lock.__enter__()

    assert "symbolic link" in caught.value.why
    assert precious.read_text(encoding="utf-8") == "keep me"


def test_a_file_with_a_second_name_is_refused_and_not_written(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep me", encoding="utf-8")
    lock = StackLock(ENGINE, "hello", directory=tmp_path)
    lock.path.hardlink_to(precious)

    with pytest.raises(UsageError, match="cannot be used"):
        lock.__enter__()

    assert precious.read_text(encoding="utf-8") == "keep me"


def test_a_pipe_in_its_place_is_refused_without_waiting(tmp_path: Path) -> None:
    lock = StackLock(ENGINE, "hello", directory=tmp_path)
    os.mkfifo(lock.path)

    with pytest.raises(UsageError, match="cannot be used"):
        lock.__enter__()


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path}/gone/")):
        StackLock(ENGINE, "hello", directory=tmp_path / "gone").__enter__()


def test_an_engine_on_another_machine_is_locked_there(tmp_path: Path) -> None:
    machine = OtherMachine()
    with StackLock(ENGINE, "hello", directory=tmp_path, remote=machine) as lock:
        assert list(machine.held) == [lock.path.name]
        assert list(tmp_path.iterdir()) == []
    assert machine.held == {}


def test_a_lock_held_on_the_other_machine_is_told(tmp_path: Path) -> None:
    machine = OtherMachine()
    with (
        StackLock(ENGINE, "hello", command="tonnage deploy", directory=tmp_path, remote=machine),
        pytest.raises(LockHeldError, match="stack hello") as caught,
        StackLock(ENGINE, "hello", directory=tmp_path, remote=machine),
    ):
        pass

    assert caught.value.why.endswith(": tonnage deploy")


def test_runs_tell_each_other_on_the_other_machine_what_they_claim(tmp_path: Path) -> None:
    machine, further = OtherMachine(), OtherMachine()
    further.held = machine.held
    with (
        StackLock(ENGINE, "hello", directory=tmp_path, remote=machine, images=("redis:7",)) as first,
        StackLock(ENGINE, "shop", directory=tmp_path, remote=further) as second,
    ):
        assert first.claim(1_009, known_bytes=0)
        [other] = second.others()
        assert (other.stack, other.claimed_bytes, other.images) == ("hello", 1_009, ("redis:7",))
        assert not second.claim(2_003, known_bytes=1_008)
        wait_for(lambda: [each.claimed_bytes for each in first.others()] == [0])
        assert second.claim(2_003, known_bytes=1_009)
        assert second.claim(31)
        wait_for(lambda: [each.claimed_bytes for each in first.others()] == [31])


def test_a_claim_is_not_overtaken_by_the_one_that_was_taken_back_before(tmp_path: Path) -> None:
    machine, slow = OtherMachine(), SlowMachine()
    slow.held = machine.held
    with (
        StackLock(ENGINE, "hello", directory=tmp_path, remote=machine) as first,
        StackLock(ENGINE, "shop", directory=tmp_path, remote=slow) as second,
    ):
        assert first.claim(1_009, known_bytes=0)
        assert not second.claim(2_003, known_bytes=0)
        assert second.claim(2_003, known_bytes=1_009)
        assert [each.claimed_bytes for each in first.others()] == [2_003]
    assert slow.written == [1, 2, 3]


def test_all_users_share_one_directory_that_everybody_can_write_to(monkeypatch: pytest.MonkeyPatch) -> None:
    before = shared_directory()
    monkeypatch.setenv("TMPDIR", "/var/tmp")

    assert shared_directory() == before
    assert before.stat().st_mode & 0o1002 == 0o1002


def test_of_many_that_try_at_once_never_two_hold_it(tmp_path: Path) -> None:
    locks, marks = tmp_path / "locks", tmp_path / "marks"
    locks.mkdir()
    marks.mkdir()
    program = f"""
    import os, pathlib
    from tonnage.errors import LockHeldError
    from tonnage.runtime.lock import StackLock
    held = 0
    while held < 17:
        try:
            with StackLock({ENGINE!r}, "hello", directory=pathlib.Path({str(locks)!r})):
                os.close(os.open({str(marks / "mine")!r}, os.O_CREAT | os.O_EXCL))
                held += 1
                os.unlink({str(marks / "mine")!r})
        except LockHeldError:
            pass
    """
    arguments = [sys.executable, "-c", textwrap.dedent(program)]
    started = [subprocess.Popen(arguments) for _ in range(4)]

    assert [process.wait() for process in started] == [0, 0, 0, 0]


class Patient(StandingClock):
    """Lets what goes on end when it was waited for three times; no time passes meanwhile."""

    def __init__(self, goes_on: int) -> None:
        super().__init__(1_700_000_003.0)
        self._goes_on = goes_on
        self.looked = 0

    def wait(self, cancel: Cancel, seconds: float) -> bool:
        self.looked += 1
        if self.looked == 3:
            os.close(self._goes_on)
        time.sleep(0.01)
        return super().wait(cancel, 0.0 * seconds)


def test_what_goes_on_of_a_killed_run_holds_its_lock_and_is_waited_for(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    program = f"""
    import pathlib, subprocess, sys
    from tonnage.runtime.lock import StackLock
    with StackLock({ENGINE!r}, "hello", directory=pathlib.Path({str(tmp_path)!r})) as lock:
        goes_on = subprocess.Popen(["cat"], stdin={read_end}, stdout=subprocess.DEVNULL, pass_fds=lock.descriptors)
        print("held", flush=True)
        sys.stdin.read()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(read_end,),
    ) as process:
        os.close(read_end)
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        process.kill()
    clock = Patient(write_end)
    with StackLock(ENGINE, "hello", directory=tmp_path, clock=clock):
        assert clock.looked >= 3
