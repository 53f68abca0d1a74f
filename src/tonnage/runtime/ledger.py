"""Which other runs work on an engine, which images each needs, and how many bytes it may still write.

There is no further file for that: each run writes it into the lock of its stack, and whoever plans or removes reads
those of the other stacks. What a run claims is taken back with its process, as the lock is: only what is locked counts.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tonnage.model.deploy.run import OtherRun
from tonnage.runtime.process_identity import Owner, has_died

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LONGEST_TEXT_BYTES = 32_768
_MOST_IMAGES = 300
_LONGEST_COMMAND = 200
_LONGEST_NAME = 512
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
    """Return the runs whose lock files begin like this and are locked, one of them left out."""
    texts: list[str] = []
    with contextlib.suppress(OSError):
        names = [each.name for each in os.scandir(directory) if each.name.startswith(beginning) and each.name != but]
        texts = [_text_of_locked(str(directory / name)) for name in names]
    return runs_of(texts)


def runs_of(texts: Iterable[str]) -> tuple[OtherRun, ...]:
    """Return the runs that wrote these."""
    found = [run.told for run in map(read_run, texts) if run is not None]
    return tuple(sorted(found, key=lambda run: run.stack))


def printable(text: object, longest: int = _LONGEST_COMMAND) -> str:
    """Return one line without control characters: any user can write into the file."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(text)[:longest])


class WrittenRun:
    """What stands in a lock file."""

    def __init__(self, said: dict[str, object]) -> None:
        self.owner = Owner(pid=int(str(said["pid"])), host=str(said["host"]), birth=str(said["birth"]))
        images = said.get("images")
        claimed_bytes = min(max(0, int(str(said["claimed_bytes"]))), _MOST_BYTES)
        self.told = OtherRun(
            stack=printable(said["stack"]),
            pid=self.owner.pid,
            user=printable(said["user"]),
            command=printable(said["command"]),
            claimed_bytes=claimed_bytes,
            images=tuple(printable(each, _LONGEST_NAME) for each in images[:_MOST_IMAGES])
            if isinstance(images, list)
            else (),
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


def _text_of_locked(path: str) -> str:
    """Return what stands in a lock file that is locked."""
    try:
        file = os.open(path, _OPEN)
    except OSError:
        return ""
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            return ""
        text = os.pread(file, LONGEST_TEXT_BYTES, 0).decode(errors="replace")
    finally:
        os.close(file)
    return text if _is_locked(found.st_ino, text) else ""


def _is_locked(inode: int, text: str) -> bool:
    """Return whether a lock file is locked, without touching the lock: who just takes it would find it taken.

    Source: proc_locks(5), whose sixth field is ``major:minor:inode``.
    """
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        run = read_run(text)
        return run is not None and not has_died(run.owner)
    return any(" FLOCK " in line and f":{inode} " in line for line in lines)
