"""One run at a time for each stack on each engine.

The lock is a kernel lock on a small file in a directory that all users of the machine share, so it is gone the moment
its process is gone, however that ended, with the programs that hold it as well: Compose brings a switch-over to its end
when its run is killed, and the next run waits for that. What stands in the file is only for the message to those who
come second.
An engine on another machine can be reached from many, so there the same file is locked over there, through ``remote``:
who works on that machine itself meets the same lock. On one that is reached by its interface alone, it is a thing on
the engine, which those meet who reach it so; the file is locked here as well, for the engine may be this machine's, and
who locks files there looks for such things, too.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import pwd
import shlex
import stat
import sys
import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Protocol

from tonnage.errors import LockHeldError, UsageError
from tonnage.escapes import visible_in_line
from tonnage.model.deploy.run import RECLAIM
from tonnage.runtime.clock import SystemClock
from tonnage.runtime.ledger import LONGEST_TEXT_BYTES, one_at_a_time, printable, read_run, runs_in, runs_of
from tonnage.runtime.process_identity import has_died, this_process
from tonnage.runtime.remote_writes import RemoteWrites
from tonnage.units import format_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Self

    from tonnage.model.deploy.run import OtherRun
    from tonnage.runtime.clock import Clock

_OPEN = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_LONGEST_COMMAND = 200
_BESIDE_IMAGES_BYTES = 8192
_TRIES = 50
_TRY_AGAIN_S = 0.01
_PROGRAMS_GO_ON_S = 120.0
"""Seconds for which Compose is waited for that a killed run started: it gives containers time to end."""
_LOOK_S = 0.1


class RemoteLock(Protocol):
    """Takes the same lock on the engine's own machine, when that is another one."""

    def acquire(self, name: str, beginning: str, text: str) -> str | None:
        """Take the lock ``name``, tell of others that begin like ``beginning``, write ``text`` for who comes second.

        Returns:
            None when it is held now, otherwise the text of the one who holds it.

        Raises:
            TonnageError: The machine does not answer, or cannot lock.
        """

    def release(self) -> None:
        """Give it back; harmless when it is not held."""

    def texts(self, name: str, beginning: str) -> Sequence[str]:
        """Return what stands in the other locks there that are held and whose names begin like this.

        As of half a second ago while this one is held; else they are looked at now.
        """

    def write(self, text: str) -> Sequence[str]:
        """Write another text of the same length into the lock that is held, then return those of the others.

        Raises:
            TonnageError: The machine does not answer.
        """


class StackLock:
    """Holds the lock of one stack on one engine for a ``with`` block.

    Args:
        stack: The project name.
        endpoint: How the engine is reached: for the message only.
        command: What this process does, for the message to others; None for its own command line.
        directory: Where the lock files are; None for the directory that all users of this machine share.
        remote: Takes the lock on the engine's machine when it is another one; None takes it here.
        here_too: Lock the file on this machine besides: ``remote`` is seen by none of those who lock files.
        signs: Returns the text of who holds the lock of that name without locking a file; None where nobody does.
        images: Names of images that the run needs.
    """

    def __init__(
        self,
        engine_id: str,
        stack: str,
        endpoint: str = "",
        *,
        command: str | None = None,
        directory: Path | None = None,
        remote: RemoteLock | None = None,
        here_too: bool = False,
        signs: Callable[[str], str | None] = lambda _name: None,
        clock: Clock | None = None,
        images: Sequence[str] = (),
    ) -> None:
        self._stack = stack
        self._endpoint = endpoint
        self._command = _own_command() if command is None else command
        self._beginning = f"tonnage-{_digest(engine_id)}-"
        self._name = f"{self._beginning}{_digest(stack)}.lock"
        self._path = (directory or shared_directory()) / self._name
        self._claimed_bytes = 0
        self._remote = remote
        self._here_too = here_too
        self._signs = signs
        self._writes: RemoteWrites | None = None
        self._clock = clock or SystemClock()
        self._images = _that_fit(images)
        self._file: int | None = None
        self._started_s = 0.0

    @property
    def path(self) -> Path:
        """The lock file on this machine."""
        return self._path

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The open file that holds the lock; none where it is held on another machine, or not held."""
        return () if self._file is None else (self._file,)

    def __enter__(self) -> Self:
        """Take the lock, at once or not at all.

        Raises:
            LockHeldError: Another run holds it; the message names its owner and its age.
            UsageError: The lock file cannot be used by this user.
            EngineUnreachableError: The engine's own machine, where the lock is to be held, does not answer.
            EngineLacksError: That machine has no program for it.
        """
        self._started_s = self._clock.time()
        text = self._own_text()
        with contextlib.ExitStack() as undo:
            file = self._lock_file() if self._remote is None or self._here_too else None
            if file is not None:
                undo.callback(self._close, file)
                _write_text(file, text)
            held_by = None
            if self._remote is not None:
                undo.callback(self._remote.release)
                held_by = self._remote.acquire(self._name, self._beginning, text)
            held_by = held_by or self._signs(self._name)
            if held_by is not None:
                raise self._held(held_by)
            self._writes = None if self._remote is None else RemoteWrites(self._remote)
            self._file = file
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lock back."""
        if self._writes is not None:
            self._writes.close()
            self._writes = None
        if self._remote is not None:
            self._remote.release()
        if self._file is not None:
            self._close(self._file)
            self._file = None

    def others(self) -> tuple[OtherRun, ...]:
        """Return the runs of other stacks on the engine."""
        if self._remote is not None:
            return runs_of(self._remote.texts(self._name, self._beginning))
        return runs_in(self._path.parent, self._beginning, but=self._name)

    def claim(self, count_bytes: int, known_bytes: int | None = None) -> bool:
        """Write how many bytes this run may still write; not where others claim more than ``known_bytes`` by now."""
        if count_bytes == self._claimed_bytes:
            return True
        if self._writes is not None:
            return self._claim_there(self._writes, count_bytes, known_bytes)
        if self._file is None:
            return True
        with one_at_a_time(self._path.parent):
            if known_bytes is not None and _sum_of(self.others()) > known_bytes:
                return False
            self._claimed_bytes = count_bytes
            _write_text(self._file, self._own_text())
        return True

    def _claim_there(self, writes: RemoteWrites, count_bytes: int, known_bytes: int | None) -> bool:
        """Claim first and look then, so that of two that claim at once at least one sees the other."""
        before_bytes, self._claimed_bytes = self._claimed_bytes, count_bytes
        if known_bytes is None:
            writes.write_soon(self._own_text())
        elif _sum_of(runs_of(writes.write(self._own_text()))) > known_bytes:
            self._claimed_bytes = before_bytes
            writes.write_soon(self._own_text())
            return False
        return True

    def _lock_file(self) -> int:
        """Return the open file with the lock on it."""
        for _ in range(_TRIES):
            file = self._open()
            if file is None:
                continue
            if not self._locked(file):
                text = _read_text(file)
                os.close(file)
                raise self._held(text)
            if _is_at(file, self._path):
                return file
            # It was removed by the one who held it, between our opening it and our locking it.
            os.close(file)
        raise self._unusable("it is removed again and again while it is being taken")

    def _locked(self, file: int) -> bool:
        """Lock an open file; wait a while for programs of a run that was killed, which hold the lock in its place."""
        end_s = self._clock.monotonic() + _PROGRAMS_GO_ON_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not _is_of_killed(_read_text(file)) or self._clock.monotonic() > end_s:
                    return False
                self._clock.wait(Event(), _LOOK_S)
            else:
                return True

    def _open(self) -> int | None:
        """Open the lock file, make it when it is not there; None when another process was faster or is at it."""
        try:
            # First without O_CREAT: fs.protected_regular forbids that flag on a file of another user in a directory
            # like /tmp. Source: docs.kernel.org/admin-guide/sysctl/fs.html
            file = os.open(self._path, _OPEN)
        except FileNotFoundError:
            return self._make()
        except PermissionError as error:
            if not self._path.exists():
                return None
            if stat.S_IMODE(self._path.stat().st_mode) == 0o600:  # noqa: PLR2004 - made, but not yet opened to all
                time.sleep(_TRY_AGAIN_S)
                return None
            raise self._unusable(str(error.strerror)) from error
        except OSError as error:
            raise self._unusable("it is a symbolic link" if error.errno == errno.ELOOP else str(error)) from error
        found = os.fstat(file)
        # A second name would let whoever made it have another file written to by us.
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            os.close(file)
            raise self._unusable("it is not a file that Tonnage made")
        return file

    def _make(self) -> int | None:
        try:
            file = os.open(self._path, _OPEN | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return None
        except OSError as error:
            raise self._unusable(str(error.strerror)) from error
        # Every user of the machine must be able to lock it, whatever the umask of the first one is.
        os.fchmod(file, 0o666)
        return file

    def _close(self, file: int) -> None:
        # In a directory like /tmp only its owner can remove the file; for others it stays, unlocked.
        with contextlib.suppress(OSError):
            if _is_at(file, self._path):
                self._path.unlink()
        os.close(file)

    def _own_text(self) -> str:
        owner = this_process()
        try:
            user = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            user = str(os.geteuid())
        return json.dumps(
            {
                "pid": owner.pid,
                "user": user,
                "host": owner.host,
                "birth": owner.birth,
                "stack": self._stack,
                # Always as long as before, so that who reads it while it changes reads the one or the other.
                "claimed_bytes": f"{self._claimed_bytes:20}",
                "command": self._command[:_LONGEST_COMMAND],
                "started_s": self._started_s,
                "images": self._images,
            }
        )

    def _held(self, text: str) -> LockHeldError:
        engine = f"the engine at {self._endpoint}" if self._endpoint else "this engine"
        whose = "of what reclaims" if self._stack == RECLAIM else f"of stack {self._stack}"
        what = f"another run holds the lock {whose} on {engine}"
        try:
            said = json.loads(text)
            pid, user, host, command = int(said["pid"]), said["user"], said["host"], said["command"]
            age_s = max(0.0, self._clock.time() - float(said["started_s"]))
        except (ValueError, KeyError, TypeError):
            return LockHeldError(what, why="Its owner did not write who it is.", todo="Wait until it has ended.")
        return LockHeldError(
            what,
            why=f"Process {pid} of user {printable(user)} on {printable(host)} has held it for "
            f"{format_seconds(age_s)}: {printable(command)}",
            todo=f"Wait until it has ended, or end it there; what it has done so far stays:\n  kill -INT {pid}",
        )

    def _unusable(self, reason: str) -> UsageError:
        path = visible_in_line(shlex.quote(str(self._path)))
        return UsageError(
            f"the lock file {self._path} cannot be used",
            why=f"{reason[:1].upper()}{reason[1:]}.",
            todo=f"When no run of stack {self._stack} is going on, remove it:\n  rm {path}",
        )


def shared_directory() -> Path:
    """Return the directory for locks that every user of this machine comes to, whoever asks.

    The answer must not depend on the user or on ``TMPDIR``, or two users would lock two different files.
    """
    run_lock = Path("/run/lock")
    with contextlib.suppress(OSError):
        for_all = stat.S_ISVTX | stat.S_IWOTH
        if run_lock.stat().st_mode & for_all == for_all:
            return run_lock
    return Path("/tmp")  # noqa: S108 - opened without following links, and only ever a plain file with one name


def _is_at(file: int, path: Path) -> bool:
    """Return whether the open file is the one that has this path now."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path, follow_symlinks=False))  # noqa: PTH116 - not following
    except FileNotFoundError:
        return False


def _write_text(file: int, text: str) -> None:
    try:
        os.pwrite(file, text.encode(), 0)
        os.ftruncate(file, len(text.encode()))
    except OSError as error:
        # On a full disk the lock holds all the same, only its owner cannot be named.
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise


def _read_text(file: int) -> str:
    """Return what the owner wrote; it may be just about to."""
    text = ""
    for _ in range(_TRIES):
        text = os.pread(file, LONGEST_TEXT_BYTES, 0).decode(errors="replace")
        if text.endswith("}"):
            break
        time.sleep(_TRY_AGAIN_S)
    return text


def _is_of_killed(text: str) -> bool:
    """Return whether the process that wrote this is certainly gone."""
    run = read_run(text)
    return run is not None and has_died(run.owner)


def _sum_of(others: Iterable[OtherRun]) -> int:
    return sum(other.claimed_bytes for other in others)


def _that_fit(images: Iterable[str]) -> list[str]:
    """Return so many names that the text stays one that others read."""
    room = LONGEST_TEXT_BYTES - _BESIDE_IMAGES_BYTES
    kept = []
    for name in images:
        room -= len(json.dumps(name)) + 2
        if room < 0:
            break
        kept.append(name)
    return kept


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _own_command() -> str:
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]) if sys.argv else ""
