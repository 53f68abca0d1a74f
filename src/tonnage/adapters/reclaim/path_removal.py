"""Removes one candidate of files and directories, and measures what its filesystem gained.

Public: ``remove_place(candidate, *, cancel) -> Removed``.

A path that a process has begun to use since it was chosen stays. Swap is turned off before its file goes; a revision of
a snap is removed by snapd. It writes no byte to any disk.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters import process
from tonnage.adapters.host import swap
from tonnage.adapters.reclaim.in_use import Processes
from tonnage.adapters.reclaim.path_patterns import printable
from tonnage.adapters.reclaim.tree_removal import Problem, open_beneath, remove_below
from tonnage.errors import CannotReclaimError
from tonnage.model.reclaim.candidate import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tonnage.adapters.interface import Cancel
    from tonnage.model.reclaim.candidate import Candidate

_THREADS_FOR_EACH_CPU = 1
_MOST_THREADS = 8
_SNAP_WITHIN_S = 120.0
_PROCESSES = Processes()


class Removed(Struct, frozen=True):
    """What came of a removal.

    Args:
        measured_bytes: How many more bytes its filesystem has available; negative when others wrote more meanwhile.
        seconds: How long it took.
        complete: Whether everything of it is gone; False only when it was cancelled.
    """

    measured_bytes: int
    seconds: float
    complete: bool = True


def remove_place(
    candidate: Candidate,
    *,
    cancel: Cancel,
    threads: int = 0,
) -> Removed:
    """Remove a candidate that :func:`tonnage.adapters.reclaim.paths.find_places` found.

    Args:
        candidate: Which. Its paths go in their order.
        cancel: Ends it between two names; what is not gone then stays.
        threads: How many remove at the same time; 0 for one for each processor.

    Returns:
        What was measured.

    Raises:
        CannotReclaimError: Something of it stays; says what, why, and whether ``sudo`` would help.
    """
    began_s = time.monotonic()
    gauge = _gauge(candidate)
    before_bytes = gauge()

    crew = threads or min(_MOST_THREADS, _THREADS_FOR_EACH_CPU * (os.cpu_count() or 1))
    problems: tuple[Problem, ...] = ()
    for path in candidate.paths:
        if cancel.is_set() or _hopeless(problems):
            break
        if used := _why_used_by_now(candidate, path):
            if len(candidate.paths) == 1:
                raise CannotReclaimError(f"{candidate.name} stays: {used}")
            problems += (Problem(path, used),)
            continue
        problems += _remove(candidate, path, crew, cancel)
    removed = Removed(
        gauge() - before_bytes,
        time.monotonic() - began_s,
        complete=not any(map(os.path.lexists, candidate.paths)) if cancel.is_set() else True,
    )
    if problems:
        raise _failure(candidate, problems, removed)
    return removed


def _why_used_by_now(candidate: Candidate, path: str) -> str:
    """Return why a path stays that was free when it was chosen; snapd and the kernel see to snaps and swap."""
    if candidate.kind in {PlaceKind.SNAP, PlaceKind.SWAP}:
        return ""
    used = _PROCESSES.why_used(path)
    return f"{used} by now" if used else ""


def _remove(candidate: Candidate, path: str, threads: int, cancel: Cancel) -> tuple[Problem, ...]:
    if candidate.kind == PlaceKind.SNAP:
        return _remove_snap(path)
    if candidate.kind == PlaceKind.SWAP:
        try:
            swap.turn_off(path)
        except OSError as error:
            return (_problem(path, error),)
    parent, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
    try:
        parent_fd = open_beneath(parent)
    except FileNotFoundError:
        return ()
    except OSError as error:
        return (_problem(parent, error),)
    try:
        return remove_below(parent_fd, name, parent=parent, threads=threads, cancel=cancel)
    except OSError as error:
        return (_problem(path, error),)
    finally:
        os.close(parent_fd)


def _remove_snap(path: str) -> tuple[Problem, ...]:
    name, _, revision = PurePosixPath(path).stem.rpartition("_")
    done = process.run(["snap", "remove", name, f"--revision={revision}"], timeout_s=_SNAP_WITHIN_S)
    if done.exit_code == 0:
        return ()
    said = (done.stderr.strip() or done.stdout.strip() or f"snap ended with {done.exit_code}").splitlines()[-1]
    return (Problem(path, said, refused=os.geteuid() != 0),)


def _gauge(candidate: Candidate) -> Callable[[], int]:
    """Return what reads the available bytes of the candidate's filesystem, by the nearest directory that stays."""
    directory = PurePosixPath(candidate.paths[0]).parent
    while not os.path.isdir(directory):  # noqa: PTH112 - it may vanish, with those above it
        directory = directory.parent
    text = str(directory)

    def available() -> int:
        told = os.statvfs(text)
        return told.f_bavail * told.f_frsize

    return available


def _problem(path: str, error: OSError) -> Problem:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return Problem(path, reason, refused=isinstance(error, PermissionError))


def _hopeless(problems: Sequence[Problem]) -> bool:
    """Whether nothing further of the same candidate can succeed."""
    return any(problem.reason == os.strerror(errno.EROFS) for problem in problems)


def _failure(candidate: Candidate, problems: Sequence[Problem], removed: Removed) -> CannotReclaimError:
    shown = [printable(f"{problem.path}: {problem.reason}") for problem in problems[:3]]
    more = f"\nand {len(problems) - 3} more" if len(problems) > len(shown) else ""
    as_root = any(problem.refused for problem in problems) and os.geteuid() != 0
    return CannotReclaimError(
        f"{candidate.name} could not be removed, or not all of it; {removed.measured_bytes} bytes were freed",
        why="\n".join(shown) + more,
        todo=f"Root can remove all {candidate.unique_bytes} bytes:\n  sudo --preserve-env $(command -v tonnage) reclaim"
        if as_root
        else "",
    )
