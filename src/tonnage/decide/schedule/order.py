"""The order of jobs, one after the other, whose highest moment is the lowest.

A sequence of jobs climbs hills and ends in valleys. What must be done in a row is cut into pieces, each with its hill
and with its change of the level, such that the pieces of any row stand in the order in which they are best done; rows
that nothing ties to each other are then merged by that order. What frees goes first, lowest hill first; then what
keeps, deepest descent first. Source: Abdel-Wahab and Kameda 1978, Liu 1987. It is exact where each job waits for at
most one other, or at most one other waits for it; else the sets of jobs that can be done are searched, as far as a
limit allows, and the answer says whether it is proven.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.schedule.jobs import links

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tonnage.decide.schedule.jobs import ScheduledJob

_MOST_SETS = 4_000
"""How many sets of jobs are looked at where they hang together in no simple way."""


class Ordered(Struct, frozen=True, kw_only=True):
    """An order of jobs.

    Args:
        peak_bytes: The level at its highest moment, above that at the begin.
        proven: No order has a lower one.
    """

    names: tuple[str, ...]
    peak_bytes: int
    proven: bool = True


class _Piece(Struct, frozen=True):
    """Jobs in a row: how high the level rises above where it was, and by how much it has changed at their end."""

    hill: int
    change: int
    jobs: tuple[int, ...]

    @property
    def turn(self) -> tuple[int, int]:
        """When it is best done; lower is earlier."""
        return (0, self.hill) if self.change <= 0 else (1, self.change - self.hill)

    def then(self, other: _Piece) -> _Piece:
        """Return both in a row."""
        hill = max(self.hill, self.change + other.hill)
        return _Piece(hill, self.change + other.change, self.jobs + other.jobs)


def lowest_peak(jobs: Sequence[ScheduledJob], *, on: int = 0) -> Ordered:
    """Return the order with the lowest peak on one filesystem; of equal jobs the first stays first.

    Raises:
        TonnageError: Two have one name, or they wait for each other in a circle.
    """
    before = links(jobs)
    pieces = [_Piece(max(0, job.needed[on], job.kept[on]), job.kept[on], (number,)) for number, job in enumerate(jobs)]
    rows = []
    for group in _groups(before):
        row = _row(group, pieces, before)
        if row is None:
            return _searched(jobs, pieces, before)
        rows.append(row)
    return _ordered(jobs, pieces, [number for piece in _merged(rows) for number in piece.jobs])


def peak_of(jobs: Iterable[ScheduledJob], *, on: int = 0) -> int:
    """Return the level at the highest moment of these jobs one after the other, above that at the begin."""
    level = peak = 0
    for job in jobs:
        peak = max(peak, level + job.needed[on], level + job.kept[on])
        level += job.kept[on]
    return peak


def _ordered(
    jobs: Sequence[ScheduledJob], pieces: Sequence[_Piece], numbers: Sequence[int], *, proven: bool = True
) -> Ordered:
    level = peak = 0
    for number in numbers:
        peak = max(peak, level + pieces[number].hill)
        level += pieces[number].change
    return Ordered(names=tuple(jobs[number].name for number in numbers), peak_bytes=peak, proven=proven)


def _groups(before: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the jobs that hang together, directly or through others."""
    group_of = list(range(len(before)))

    def root(number: int) -> int:
        while group_of[number] != number:
            group_of[number] = group_of[group_of[number]]
            number = group_of[number]
        return number

    for number, each in enumerate(before):
        for other in each:
            one, two = sorted((root(number), root(other)))
            group_of[two] = one
    groups: dict[int, list[int]] = {}
    for number in range(len(before)):
        groups.setdefault(root(number), []).append(number)
    return list(groups.values())


def _row(group: Sequence[int], pieces: Sequence[_Piece], before: Sequence[Sequence[int]]) -> list[_Piece] | None:
    """Return jobs that hang together as a row in their best order; None where they are no tree."""
    after: dict[int, list[int]] = {number: [] for number in group}
    for number in group:
        for other in before[number]:
            after[other].append(number)
    if all(len(after[number]) <= 1 for number in group):
        tree = {number: list(before[number]) for number in group}
        return _tree(next(number for number in group if not after[number]), tree, pieces)
    if all(len(before[number]) <= 1 for number in group):
        # Read from its end, what was kept comes free: the same hills, and a tree that grows together.
        mirrored = {
            each: _Piece(pieces[each].hill - pieces[each].change, -pieces[each].change, (each,)) for each in group
        }
        row = _tree(next(number for number in group if not before[number]), after, mirrored)
        backwards = [number for piece in row for number in piece.jobs]
        return _pieced(pieces[number] for number in reversed(backwards))
    return None


def _tree(root: int, below: dict[int, list[int]], pieces: Sequence[_Piece] | dict[int, _Piece]) -> list[_Piece]:
    """Return the best row of a tree in which each job comes after all that are below it."""
    rows: dict[int, list[_Piece]] = {}
    waiting = [root]
    while waiting:
        number = waiting[-1]
        open_ones = [each for each in below[number] if each not in rows]
        if open_ones:
            waiting += open_ones
            continue
        waiting.pop()
        row = _merged([rows.pop(each) for each in sorted(below[number])])
        _append(row, pieces[number])
        rows[number] = row
    return rows[root]


def _merged(rows: Sequence[list[_Piece]]) -> list[_Piece]:
    """Return rows that nothing ties together as one: each stays in its order, which is that of its turns."""
    if len(rows) == 1:
        return rows[0]
    return list(heapq.merge(*rows, key=lambda piece: piece.turn))


def _pieced(row: Iterable[_Piece]) -> list[_Piece]:
    found: list[_Piece] = []
    for each in row:
        _append(found, each)
    return found


def _append(row: list[_Piece], piece: _Piece) -> None:
    """Put a piece at the end; what would rather come before what it must follow becomes one piece with that."""
    while row and piece.turn < row[-1].turn:
        piece = row.pop().then(piece)
    row.append(piece)


def _searched(jobs: Sequence[ScheduledJob], pieces: Sequence[_Piece], before: Sequence[Sequence[int]]) -> Ordered:
    """Search the sets of jobs that can be done, lowest peak first; at the limit go on by what is best done next."""
    masks = [sum(1 << other for other in each) for each in before]
    whole = (1 << len(jobs)) - 1
    waiting: list[tuple[int, int, int, tuple[int, ...]]] = [(0, 0, 0, ())]
    reached: dict[int, int] = {0: 0}
    while waiting:
        peak, _, done, order = heapq.heappop(waiting)
        if done == whole:
            return _ordered(jobs, pieces, order)
        if len(reached) > _MOST_SETS:
            break
        level = sum(pieces[number].change for number in order)
        for number in _ready(done, masks):
            risen = max(peak, level + pieces[number].hill)
            then = done | 1 << number
            if risen < reached.get(then, risen + 1):
                reached[then] = risen
                heapq.heappush(waiting, (risen, -len(order), then, (*order, number)))
    found: list[int] = []
    done = 0
    while done != whole:
        number = min(_ready(done, masks), key=lambda each: (*pieces[each].turn, each))
        found.append(number)
        done |= 1 << number
    return _ordered(jobs, pieces, found, proven=False)


def _ready(done: int, masks: Sequence[int]) -> list[int]:
    return [number for number, mask in enumerate(masks) if not done >> number & 1 and mask & done == mask]
