"""Measures what directories hold: bytes by their blocks, each hard link once, and who else holds those.

Bytes that a file has under a name outside everything that was measured do not come free; that is what the counted
links are for. Links are never followed, other filesystems never entered. One group after the other is begun, in the
order that they are given in, and none that is not needed any more.
"""

from __future__ import annotations

import math
import os
import threading
import time
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.adapters.counting import count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tonnage.adapters.counting import Count, Task

_MOST_THREADS = 8
_NAMES_AT_A_TIME = 4000
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
    """The tallies of several groups, and the files with more than one name by inode."""

    tallies: list[Tally]
    linked: dict[int, Linked] = field(default_factory=dict)


def measure(
    groups: Sequence[Sequence[str]],
    device: int,
    *,
    within_s: float = math.inf,
    enough: Callable[[Sequence[int]], bool] = lambda _sizes: False,
    ask: Callable[[Task], Count] = count,
    meanwhile: Callable[[], None] = lambda: None,
) -> Sizes:
    """Measure groups of paths on one filesystem.

    Args:
        groups: Paths, absolute; none inside another.
        device: The number of the filesystem; what lies on another is left out.
        within_s: Seconds after which what was not looked into yet is counted as such.
        enough: Is told the bytes of the first groups; no further one is measured when it says so.
        ask: Counts; called by several threads at the same time.
        meanwhile: Called once while they count.

    Returns:
        One tally for each of the first groups, so many as it takes to be enough, and the files with several names of
        these together. That does not depend on which of them was measured faster.
    """
    measuring = _Measuring(groups, device, time.monotonic() + within_s, enough, ask)
    threads = min(_MOST_THREADS, os.cpu_count() or 1, max(1, len(groups)))
    crew = [threading.Thread(target=measuring.work, name=f"measure-{number}") for number in range(threads)]
    for each in crew:
        each.start()
    try:
        meanwhile()
        for each in crew:
            each.join()
    except BaseException as failure:
        measuring.give_up(failure)
        raise
    return measuring.sizes()


class _Measuring:
    """One measurement: what is still to be counted, and what was."""

    def __init__(
        self,
        groups: Sequence[Sequence[str]],
        device: int,
        until_s: float,
        enough: Callable[[Sequence[int]], bool],
        ask: Callable[[Task], Count],
    ) -> None:
        self._groups = groups
        self._device = device
        self._until_s = until_s
        self._enough = enough
        self._ask = ask
        self._changed = threading.Condition()
        self._tallies: list[Tally] = []
        self._linked: list[list[tuple[int, int, int]]] = []
        self._left: list[tuple[int, list[str]]] = []
        self._at_work = 0
        self._failure: BaseException | None = None

    def work(self) -> None:
        """Count until nothing is left that has to be: what each thread does."""
        try:
            while (job := self._next()) is not None:
                number, paths, known = job
                self._add(number, self._ask((paths, known, self._device, _NAMES_AT_A_TIME, self._until_s)))
        except BaseException as failure:  # noqa: BLE001 - raised again in the thread that waits
            self.give_up(failure)

    def give_up(self, failure: BaseException) -> None:
        """Count nothing further."""
        with self._changed:
            self._failure = failure
            self._changed.notify_all()

    def sizes(self) -> Sizes:
        """Return what was measured."""
        if self._failure:
            raise self._failure
        bytes_of = self._bytes()
        used = next((n for n in range(len(bytes_of) + 1) if self._enough(bytes_of[:n])), len(bytes_of))
        sizes = Sizes(self._tallies[:used])
        for number, found in enumerate(self._linked[:used]):
            for inode, size_bytes, names in found:
                one = sizes.linked.setdefault(inode, Linked(size_bytes, names))
                one.seen[number] = one.seen.get(number, 0) + 1
        return sizes

    def _bytes(self) -> list[int]:
        return [tally.own_bytes for tally in self._tallies]

    def _next(self) -> tuple[int, list[str], bool] | None:
        with self._changed:
            while True:
                if self._failure:
                    return None
                if self._left:
                    self._at_work += 1
                    return *self._left.pop(), True
                if len(self._tallies) < len(self._groups) and not self._enough(self._bytes()):
                    self._at_work += 1
                    self._tallies.append(Tally())
                    self._linked.append([])
                    number = len(self._tallies) - 1
                    return number, list(self._groups[number]), False
                if not self._at_work:
                    self._changed.notify_all()
                    return None
                self._changed.wait()

    def _add(self, number: int, counted: Count) -> None:
        own_bytes, inodes, last_used_s, unread, linked, left = counted
        with self._changed:
            tally = self._tallies[number]
            tally.own_bytes += own_bytes
            tally.inodes += inodes
            tally.last_used_s = max(tally.last_used_s, last_used_s)
            tally.unread += unread
            self._linked[number] += linked
            half = (len(left) + 1) // 2
            self._left += [(number, part) for part in (left[:half], left[half:]) if part]
            self._at_work -= 1
            self._changed.notify_all()
