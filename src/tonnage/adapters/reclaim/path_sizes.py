"""Measures what directories hold: bytes by their blocks, each hard link once, and who else holds those.

Bytes that a file has under a name outside everything that was measured do not come free; that is what the counted
links are for. Links are never followed, other filesystems never entered. What is measured costs time even when it
stays, so what will most probably go is begun first, and nothing that is not needed any more. Nothing is decided here:
what goes is chosen by what was measured.
"""

from __future__ import annotations

import math
import os
import stat
import threading
import time
from bisect import insort
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tonnage.model.reclaim.candidate import CatalogueEntry

_MOST_THREADS = 8
_BLOCK_BYTES = 512
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NAMES_AT_A_TIME = 1000
"""Names after which a count is handed back: what is left of a large directory is then shared by all who count."""
_BYTES_IN_GB = 10**9
_STEP_S_PER_GB = 10.0
_ENOUGH_TIMES = 1.05
"""How much more than what is missing is measured, so that there is something to choose from."""
_PLENTY_TIMES = 1.25
"""With that much it is not looked any further for something that fits better."""
_BEYOND = 0.05
"""What may come free beyond what is missing, as its share, to count as fitting."""
Rank = tuple[float, ...]


def measured_before(entry: CatalogueEntry, missing_bytes: int) -> tuple[float, ...]:
    """Return what sorts entries so that what will most probably go comes first."""
    usual_bytes = max(1, round(entry.usual_gb * _BYTES_IN_GB))
    useful_gb = max(1, min(usual_bytes, missing_bytes)) / _BYTES_IN_GB
    return round(entry.cost_s(usual_bytes) / useful_gb / _STEP_S_PER_GB), -entry.usual_gb


def is_well_enough(sizes: Sequence[int], missing_bytes: int) -> bool:
    """Return whether what was measured suffices, with something to choose from and without giving far too much."""
    found_bytes = sum(sizes)
    if found_bytes < missing_bytes * _ENOUGH_TIMES or found_bytes >= missing_bytes * _PLENTY_TIMES:
        return found_bytes >= missing_bytes * _ENOUGH_TIMES
    beyond_bytes = found_bytes - missing_bytes
    for size_bytes in sorted(sizes, reverse=True):
        # It could be left out.
        if size_bytes <= beyond_bytes:
            beyond_bytes -= size_bytes
    return beyond_bytes <= missing_bytes * _BEYOND


class Linked(Struct):
    """A file with more than one name.

    Args:
        size_bytes: Its bytes.
        names: How many names it has in all.
        seen: How many of them were found in each tally, by the tally's number.
    """

    size_bytes: int
    names: int
    seen: dict[int, int] = field(default_factory=dict)


class Tally(Struct):
    """What one group of paths holds.

    Args:
        own_bytes: Bytes of files with one name, and of directories.
        inodes: Files and directories, those with several names left out.
        last_used_s: When the latest file was read or written, as far as the filesystem notes it; 0 where there is none.
        unread: How many directories could not be looked into.
    """

    own_bytes: int = 0
    inodes: int = 0
    last_used_s: float = 0.0
    unread: int = 0


class Sizes(Struct):
    """What was measured.

    Args:
        measured: Which groups, by their numbers from 0 as they came: the first ones in the order of their ranks.
        tallies: One for each of these.
        linked: The files with more than one name of all of these, by inode; tallies are numbered as they are here.
    """

    measured: list[int]
    tallies: list[Tally]
    linked: dict[int, Linked] = field(default_factory=dict)

    @property
    def total_bytes(self) -> int:
        """All of it, each file once."""
        return sum(each.own_bytes for each in self.tallies) + sum(each.size_bytes for each in self.linked.values())


class Count(Struct):
    """A part of a group, counted by one thread.

    Args:
        device: What lies on another one is left out.
        waiting: Directories that are still to be looked into.
        tally: What was counted.
        linked: Inode, bytes and number of names of each file with several.
        names: How many were looked at.
    """

    device: int
    waiting: list[str] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    linked: list[tuple[int, int, int]] = field(default_factory=list)
    names: int = 0

    def look(self, until_s: float) -> None:
        """Look into directories that wait, until there were enough names; later ones are unread."""
        while self.waiting and self.names < _NAMES_AT_A_TIME:
            if time.monotonic() > until_s:
                self.tally.unread += len(self.waiting)
                self.waiting.clear()
                return
            directory = self.waiting.pop()
            try:
                fd = os.open(directory, _DIRECTORY)
                try:
                    with os.scandir(fd) as entries:
                        self.take(f"{directory}/", _states(entries))
                finally:
                    os.close(fd)
            except OSError:
                self.tally.unread += 1

    def take(self, above: str, found: Iterable[tuple[str, os.stat_result]]) -> None:
        """Count what stands in a directory; the directories in it wait."""
        names, blocks, inodes, last_used_s = 0, 0, 0, self.tally.last_used_s
        for name, told in found:
            names += 1
            if told.st_dev != self.device:
                continue
            if stat.S_ISDIR(told.st_mode):
                self.waiting.append(above + name)
            else:
                last_used_s = max(last_used_s, told.st_atime, told.st_mtime)
                if told.st_nlink > 1:
                    self.linked.append((told.st_ino, told.st_blocks * _BLOCK_BYTES, told.st_nlink))
                    continue
            blocks += told.st_blocks
            inodes += 1
        self.names += names
        self.tally.own_bytes += blocks * _BLOCK_BYTES
        self.tally.inodes += inodes
        self.tally.last_used_s = last_used_s


def _states(entries: Iterable[os.DirEntry[str]]) -> Iterator[tuple[str, os.stat_result]]:
    for entry in entries:
        try:
            yield entry.name, entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue


def _own_states(paths: Iterable[str]) -> Iterator[tuple[str, os.stat_result]]:
    for path in paths:
        try:
            yield path, os.lstat(path)
        except OSError:
            continue


def measure(
    groups: Iterable[tuple[Rank, Sequence[str]]],
    device: int,
    *,
    within_s: float = math.inf,
    enough: Callable[[Sequence[int]], bool] = lambda _sizes: False,
    look: Callable[[Count, float], None] = Count.look,
    meanwhile: Callable[[], None] = lambda: None,
) -> Sizes:
    """Measure groups of paths on one filesystem; the first of them already while the last are still to come.

    Args:
        groups: Absolute paths, none inside another, each group with its rank; what ranks alike stays as it came.
        device: The number of the filesystem.
        within_s: Seconds after which what was not looked into yet is counted as unread.
        enough: Is told the bytes of the groups that rank first; when it says so, what ranks behind is not needed.
        look: Counts; called by several threads at the same time.
        meanwhile: Called once while they count, after the last group has come.

    Returns:
        The groups that rank first, so many as it takes to be enough, whichever of them was measured faster.
    """
    measuring = _Measuring(device, time.monotonic() + within_s, enough, look)
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    crew = [threading.Thread(target=measuring.work, name=f"measure-{number}") for number in range(threads)]
    for each in crew:
        each.start()
    try:
        for rank, paths in groups:
            measuring.add(rank, paths)
        measuring.close()
        meanwhile()
        for each in crew:
            each.join()
    except BaseException as failure:
        measuring.give_up(failure)
        raise
    return measuring.sizes()


class _MeasuredGroup(Struct):
    """One group, and what of it was counted; what is left of it, in parts."""

    paths: Sequence[str]
    tally: Tally = field(default_factory=Tally)
    linked: list[tuple[int, int, int]] = field(default_factory=list)
    left: list[list[str]] = field(default_factory=list)
    begun: bool = False


class _Measuring:
    """One measurement: what is still to be counted, and what was."""

    def __init__(
        self,
        device: int,
        until_s: float,
        enough: Callable[[Sequence[int]], bool],
        look: Callable[[Count, float], None],
    ) -> None:
        self._device = device
        self._until_s = until_s
        self._enough = enough
        self._look = look
        self._changed = threading.Condition()
        self._groups: list[_MeasuredGroup] = []
        self._ranked: list[tuple[Rank, int]] = []
        self._closed = False
        self._at_work = 0
        self._failure: BaseException | None = None

    def add(self, rank: Rank, paths: Sequence[str]) -> None:
        """Have one more group counted."""
        with self._changed:
            insort(self._ranked, (rank, len(self._groups)))
            self._groups.append(_MeasuredGroup(paths))
            self._changed.notify()

    def close(self) -> None:
        """Take it that all groups have come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def give_up(self, failure: BaseException) -> None:
        """Count nothing further."""
        with self._changed:
            self._failure = failure
            self._changed.notify_all()

    def work(self) -> None:
        """Count until nothing is left that has to be: what each thread does."""
        try:
            while (job := self._next()) is not None:
                group, directories = job
                count = Count(self._device, directories)
                if not directories:
                    count.take("", _own_states(group.paths))
                self._look(count, self._until_s)
                self._add(group, count)
        except BaseException as failure:  # noqa: BLE001 - raised again in the thread that waits
            self.give_up(failure)

    def sizes(self) -> Sizes:
        """Return what was measured."""
        if self._failure:
            raise self._failure
        measured = [number for _, number in self._ranked[: self._needed()]]
        sizes = Sizes(measured, [self._groups[number].tally for number in measured])
        for place, number in enumerate(measured):
            for inode, size_bytes, names in self._groups[number].linked:
                one = sizes.linked.setdefault(inode, Linked(size_bytes, names))
                one.seen[place] = one.seen.get(place, 0) + 1
        return sizes

    def _needed(self) -> int:
        """Return how many of those that rank first have to be measured, as far as it can be told by now."""
        if not self._closed:
            return len(self._ranked)
        sizes: list[int] = []
        for _, number in self._ranked:
            if self._enough(sizes):
                return len(sizes)
            group = self._groups[number]
            sizes.append(group.tally.own_bytes)
            if not group.begun:
                break
        return len(sizes)

    def _next(self) -> tuple[_MeasuredGroup, list[str]] | None:
        """Wait for a part of a group to count; it is no directories for its paths themselves."""
        with self._changed:
            while not self._failure:
                for _, number in self._ranked[: self._needed()]:
                    group = self._groups[number]
                    if group.left or not group.begun:
                        self._at_work += 1
                        group.begun = True
                        return group, group.left.pop() if group.left else []
                if self._closed and not self._at_work:
                    self._changed.notify_all()
                    return None
                self._changed.wait()
            return None

    def _add(self, group: _MeasuredGroup, count: Count) -> None:
        with self._changed:
            tally, added = group.tally, count.tally
            tally.own_bytes += added.own_bytes
            tally.inodes += added.inodes
            tally.last_used_s = max(tally.last_used_s, added.last_used_s)
            tally.unread += added.unread
            group.linked += count.linked
            half = (len(count.waiting) + 1) // 2
            group.left += [part for part in (count.waiting[:half], count.waiting[half:]) if part]
            self._at_work -= 1
            self._changed.notify_all()
