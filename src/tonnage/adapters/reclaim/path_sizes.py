"""Measures what directories hold: bytes by their blocks, each hard link once, and who else holds those.

Bytes that a file has under a name outside everything that was measured do not come free; that is what the counted
links are for. Links are never followed, other filesystems never entered. What ranks first is begun first, and nothing
that is not needed any more.
"""

from __future__ import annotations

import math
import os
import threading
import time
from bisect import insort
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.adapters.reclaim.count_worker import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tonnage.adapters.reclaim.count_worker import Count, Task

_MOST_THREADS = 8
Rank = tuple[float, ...]
_NAMES_AT_A_TIME = 1000
"""Names after which a count is handed back: what is left of a large directory is then shared by all who count."""


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


def measure(
    groups: Iterable[tuple[Rank, Sequence[str]]],
    device: int,
    *,
    within_s: float = math.inf,
    enough: Callable[[Sequence[int]], bool] = lambda _sizes: False,
    ask: Callable[[Task], Count] = count,
    meanwhile: Callable[[], None] = lambda: None,
) -> Sizes:
    """Measure groups of paths on one filesystem; the first of them already while the last are still to come."""
    measuring = _Measuring(device, time.monotonic() + within_s, enough, ask)
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
    """One group, and what of it was counted."""

    paths: Sequence[str]
    tally: Tally = field(default_factory=Tally)
    linked: list[tuple[int, int, int]] = field(default_factory=list)
    left: list[list[str]] = field(default_factory=list)
    begun: bool = False


class _Measuring:
    """One measurement: what is still to be counted, and what was."""

    def __init__(
        self, device: int, until_s: float, enough: Callable[[Sequence[int]], bool], ask: Callable[[Task], Count]
    ) -> None:
        self._device = device
        self._until_s = until_s
        self._enough = enough
        self._ask = ask
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
                group, paths, known = job
                self._add(group, self._ask((paths, known, self._device, _NAMES_AT_A_TIME, self._until_s)))
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

    def _next(self) -> tuple[_MeasuredGroup, list[str], bool] | None:
        with self._changed:
            while not self._failure:
                for _, number in self._ranked[: self._needed()]:
                    group = self._groups[number]
                    if group.left or not group.begun:
                        self._at_work += 1
                        known, group.begun = group.begun, True
                        return group, group.left.pop() if known else list(group.paths), known
                if self._closed and not self._at_work:
                    self._changed.notify_all()
                    return None
                self._changed.wait()
            return None

    def _add(self, group: _MeasuredGroup, counted: Count) -> None:
        own_bytes, inodes, last_used_s, unread, linked, left = counted
        with self._changed:
            tally = group.tally
            tally.own_bytes += own_bytes
            tally.inodes += inodes
            tally.last_used_s = max(tally.last_used_s, last_used_s)
            tally.unread += unread
            group.linked += linked
            half = (len(left) + 1) // 2
            group.left += [part for part in (left[:half], left[half:]) if part]
            self._at_work -= 1
            self._changed.notify_all()
