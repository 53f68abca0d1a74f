"""Which other runs work on an engine, and how many bytes each may still write.

There is no further file for that: each run writes it into the lock of its stack, and whoever plans reads those of the
other stacks. What a run claims is taken back with its process, as the lock is.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from typing import TYPE_CHECKING, Protocol

from tonnage.model.deploy.run import OtherRun
from tonnage.runtime.process_identity import Owner, has_died

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LONGEST_TEXT_BYTES = 4096
_LONGEST_COMMAND = 200
_MOST_BYTES = 2**62
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_ONE_AT_A_TIME_S = 2.0
_TRY_AGAIN_S = 0.005


class Ledger(Protocol):
    """What runs on one engine tell each other."""

    def others(self) -> Sequence[OtherRun]:
        """Return the runs of other stacks that go on now."""

    def claim(self, count_bytes: int, known_bytes: int | None = None) -> bool:
        """Write how many bytes this run may still write.

        Args:
            known_bytes: What others claimed when it was planned; None to claim whatever they do.

        Returns:
            Whether it was written: not where others claim more than that by now.
        """


class HeldLock(Ledger, Protocol):
    """The lock of a stack, through which its run and others on the engine tell each other."""

    @property
    def descriptors(self) -> Sequence[int]:
        """The open files that hold it; none where it is not held on this machine."""


class Alone:
    """The ledger of an engine on which nobody else can be seen to work."""

    def others(self) -> tuple[OtherRun, ...]:
        """Return nobody."""
        return ()

    def claim(self, count_bytes: int, known_bytes: int | None = None) -> bool:
        """Claim nothing."""
        del count_bytes, known_bytes
        return True


ALONE = Alone()


def runs_in(directory: Path, beginning: str, *, but: str) -> tuple[OtherRun, ...]:
    """Return the runs whose lock files begin like this, one of them left out."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(directory):
            if entry.name.startswith(beginning) and entry.name != but:
                run = read_run(_text(entry.path))
                if run is not None and not has_died(run.owner):
                    found.append(run.told)
    return tuple(sorted(found, key=lambda run: run.stack))


def printable(text: object) -> str:
    """Return one line without control characters: any user can write into the file."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(text))[:_LONGEST_COMMAND]


class WrittenRun:
    """What stands in a lock file."""

    def __init__(self, said: dict[str, object]) -> None:
        self.owner = Owner(pid=int(str(said["pid"])), host=str(said["host"]), birth=str(said["birth"]))
        claimed_bytes = min(max(0, int(str(said["claimed_bytes"]))), _MOST_BYTES)
        self.told = OtherRun(
            stack=printable(said["stack"]),
            pid=self.owner.pid,
            user=printable(said["user"]),
            command=printable(said["command"]),
            claimed_bytes=claimed_bytes,
        )


def read_run(text: str) -> WrittenRun | None:
    """Return what a run wrote of itself; None where that is not readable, or was not written yet."""
    try:
        return WrittenRun(json.loads(text))
    except (ValueError, KeyError, TypeError):
        return None


@contextlib.contextmanager
def one_at_a_time(directory: Path) -> Iterator[None]:
    """Keep others from claiming meanwhile; only for a moment, and not for ever from somebody who holds it longer."""
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        end_s = time.monotonic() + _ONE_AT_A_TIME_S
        while time.monotonic() < end_s:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(_TRY_AGAIN_S)
        yield
    finally:
        os.close(held)


def _text(path: str) -> str:
    try:
        file = os.open(path, _OPEN)
    except OSError:
        return ""
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            return ""
        return os.pread(file, LONGEST_TEXT_BYTES, 0).decode(errors="replace")
    finally:
        os.close(file)
