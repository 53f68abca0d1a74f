"""The search for the set of candidates that gives enough and costs least to get back.

Two sets are made in one pass each: everything without what is not needed, and the pieces that cost least for each
missing byte. An exact search then looks at as many others as its limit allows. What counts is kept as it changes: how
many holders of a group are still there, what choosing them would cost and give. So the passes grow with what there is
to choose from, and not with its square.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MOST_LOOKED_AT = 200_000
"""Groups that the exact search looks at before it takes the best set so far: less than a tenth of a second."""
MOST_ENDS = 3
"""Ways to end that are looked at in each step of the greedy search."""

_Price = tuple[int, int]


class SubsetSearch:
    """The search for one target.

    Args:
        costs: What each candidate counts, in thousandths of a second to get it back.
        seconds: How long it takes to remove each, in thousandths of a second.
        groups: Bytes by the places of the candidates that hold them, in the order that decides between equals.
    """

    def __init__(
        self, costs: Sequence[int], seconds: Sequence[int], groups: Mapping[frozenset[int], int], missing_bytes: int
    ) -> None:
        self._costs, self._seconds = costs, seconds
        self._holders = list(groups)
        self._sizes = list(groups.values())
        self._missing_bytes = missing_bytes
        self._of_holder: list[list[int]] = [[] for _ in costs]
        for number, holders in enumerate(self._holders):
            for place in holders:
                self._of_holder[place].append(number)
        self._looked_at = 0
        self._found: frozenset[int] = frozenset()
        self._price = (0, 0, 0)

    def best(self) -> frozenset[int]:
        """Return the places of the candidates to remove; all that give anything where that is not enough."""
        everything = frozenset().union(*self._holders)
        if sum(self._sizes) <= self._missing_bytes:
            return everything
        self._take(self._without_needless(everything))
        self._take(self._greedy())
        bits = [sum(1 << place for place in holders) for holders in self._holders]
        numbers = sorted(
            range(len(bits)), key=lambda each: (self._cost(self._holders[each])[0] / self._sizes[each], bits[each])
        )
        self._look(numbers, self._rests(numbers, bits), bits, 0, 0)
        return self._found

    def _rests(self, numbers: Sequence[int], bits: Sequence[int]) -> dict[int, int]:
        """Return what all groups from a place on hold, for as many places as the search can come to."""
        deepest = MOST_LOOKED_AT // max(1, len(numbers)) + 1
        found, rest = {len(numbers): 0}, 0
        for place in range(len(numbers) - 1, -1, -1):
            rest |= bits[numbers[place]]
            if place <= deepest:
                found[place] = rest
        return found

    def _gives(self, chosen: frozenset[int]) -> int:
        return sum(size for holders, size in zip(self._holders, self._sizes, strict=True) if holders <= chosen)

    def _cost(self, chosen: Iterable[int]) -> _Price:
        cost = seconds = 0
        for place in chosen:
            cost += self._costs[place]
            seconds += self._seconds[place]
        return cost, seconds

    def _take(self, chosen: frozenset[int]) -> None:
        """Remember a set that gives enough when it is better than the best so far."""
        price = (*self._cost(chosen), self._gives(chosen))
        if not self._found or price < self._price:
            self._found, self._price = chosen, price

    def _without_needless(self, chosen: frozenset[int]) -> frozenset[int]:
        """Leave out whatever is not needed, what costs most first."""
        free = [holders <= chosen for holders in self._holders]
        spare = sum(size for size, is_free in zip(self._sizes, free, strict=True) if is_free) - self._missing_bytes
        for place in sorted(chosen, key=lambda each: (self._costs[each], self._seconds[each], each), reverse=True):
            lost = [number for number in self._of_holder[place] if free[number]]
            lost_bytes = sum(self._sizes[number] for number in lost)
            if lost_bytes <= spare:
                spare -= lost_bytes
                for number in lost:
                    free[number] = False
        # What holds nothing that comes free is of no use.
        return frozenset().union(*(holders for holders, is_free in zip(self._holders, free, strict=True) if is_free))

    def _greedy(self) -> frozenset[int]:
        """Take the pieces that cost least for each missing byte, until it is enough; look at some ways to end there."""
        steps = _Steps(self._costs, self._seconds, self._holders, self._sizes, self._of_holder)
        missing_bytes = self._missing_bytes
        ends: list[tuple[_Price, int, int]] = []
        taken: list[int] = []
        while missing_bytes > 0:
            for cost, seconds, number in steps.last(missing_bytes):
                price = (steps.chosen_cost + cost, steps.chosen_seconds + seconds)
                ends.append((price, len(taken), number))
            number = steps.cheapest(missing_bytes)
            missing_bytes -= steps.gain[number]
            steps.choose(number)
            taken.append(number)
        sets = [frozenset(steps.chosen)]
        for _, begun, number in sorted(ends, key=lambda end: end[0])[:MOST_ENDS]:
            sets.append(frozenset().union(self._holders[number], *(self._holders[each] for each in taken[:begun])))
        return min(map(self._without_needless, sets), key=self._cost)

    def _look(
        self, numbers: Sequence[int], rests: Mapping[int, int], bits: Sequence[int], place: int, chosen: int
    ) -> None:
        self._looked_at += len(numbers)
        if self._looked_at > MOST_LOOKED_AT:
            return
        places = _places(chosen)
        if self._cost(places) > self._price[:2]:
            return
        if _given(chosen, bits, self._sizes) >= self._missing_bytes:
            self._take(self._without_needless(frozenset(places)))
            return
        if place == len(numbers) or _given(chosen | rests[place], bits, self._sizes) < self._missing_bytes:
            return
        if bits[numbers[place]] & ~chosen:
            self._look(numbers, rests, bits, place + 1, chosen | bits[numbers[place]])
        self._look(numbers, rests, bits, place + 1, chosen)


def _given(chosen: int, bits: Sequence[int], sizes: Sequence[int]) -> int:
    return sum(size for each, size in zip(bits, sizes, strict=True) if not each & ~chosen)


def _places(bits: int) -> list[int]:
    return [place for place, bit in enumerate(reversed(f"{bits:b}")) if bit == "1"]


class _Steps:
    """What taking each group would cost and give now, kept as groups are taken.

    Args:
        of_holder: The groups of each candidate.
    """

    def __init__(
        self,
        costs: Sequence[int],
        seconds: Sequence[int],
        holders: Sequence[frozenset[int]],
        sizes: Sequence[int],
        of_holder: Sequence[Sequence[int]],
    ) -> None:
        self._costs, self._seconds = costs, seconds
        self._holders, self._sizes, self._of_holder = holders, sizes, of_holder
        self._order = [sorted(each) for each in holders]
        self._begin = [0] * len(holders)
        self._left = [len(each) for each in holders]
        self._cost = [sum(costs[place] for place in each) for each in holders]
        self._time = [sum(seconds[place] for place in each) for each in holders]
        self._counted: list[set[int]] = [set() for _ in holders]
        self._apart: dict[tuple[int, int], int] = {}
        self._version = [0] * len(holders)
        self._enough: set[int] = set()
        # By cost for a byte; by gain; and of what gives enough, what is taken next and what may be the end.
        self._rated: list[tuple[float, float, int, int, int]] = []
        self._gains: list[tuple[int, int, int]] = []
        self._next: list[tuple[int, int, int, int, int]] = []
        self._ends: list[tuple[int, int, int, int, int]] = []
        self.gain = [0] * len(holders)
        self.chosen: set[int] = set()
        self.chosen_cost = self.chosen_seconds = 0
        for number in range(len(holders)):
            self._count(number)
        for number in range(len(holders)):
            self._enter(number)

    def cheapest(self, missing_bytes: int) -> int:
        """Return the group that costs least for each byte that is of use."""
        self._move(missing_bytes)
        found: list[tuple[float, float, int, int]] = []
        self._drop_stale()
        if self._rated:
            found.append(self._rated[0][:4])
        if self._next:
            cost, seconds, gain, number, _ = self._next[0]
            found.append((cost / missing_bytes, seconds / missing_bytes, gain, number))
        return min(found)[3]

    def last(self, missing_bytes: int) -> Iterator[tuple[int, int, int]]:
        """Yield the cheapest groups that give all that is missing, each with its cost and seconds."""
        self._move(missing_bytes)
        found: list[tuple[int, int, int, int, int]] = []
        while self._ends and len(found) < MOST_ENDS:
            each = heappop(self._ends)
            if each[4] == self._version[each[3]]:
                found.append(each)
        for each in found:
            heappush(self._ends, each)
            yield each[0], each[1], each[3]

    def choose(self, number: int) -> None:
        """Take a group."""
        changed: set[int] = set()
        for place in self._holders[number] - self.chosen:
            self.chosen.add(place)
            self.chosen_cost += self._costs[place]
            self.chosen_seconds += self._seconds[place]
            for each in self._of_holder[place]:
                self._left[each] -= 1
                self._cost[each] -= self._costs[place]
                self._time[each] -= self._seconds[place]
                changed.add(each)
        again = set(changed)
        for each in changed:
            if self._left[each]:
                again |= self._count(each)
            else:
                for other in self._counted[each]:
                    self.gain[other] -= self._sizes[each]
                again |= self._counted[each]
                self._counted[each] = set()
        for each in again:
            self._version[each] += 1
            self._enough.discard(each)
            self._enter(each)

    def _count(self, number: int) -> set[int]:
        """Count a group for all those that, once taken, have it come free too; return those that are new."""
        order = self._order[number]
        while order[self._begin[number]] in self.chosen:
            self._begin[number] += 1
        begin, left, counted = self._begin[number], self._left[number], self._counted[number]
        found = set()
        for other in self._of_holder[order[begin]]:
            if other in counted or self._left[other] < left:
                continue
            # Where a holder is not another's it is not looked for again before it is taken.
            whole, at = self._holders[other], self._apart.get((number, other), begin)
            while at < len(order) and (order[at] in self.chosen or order[at] in whole):
                at += 1
            self._apart[number, other] = at
            if at == len(order):
                found.add(other)
                self.gain[other] += self._sizes[number]
        counted |= found
        return found

    def _enter(self, number: int) -> None:
        """Have a group among those to be taken."""
        if not self._left[number]:
            return
        gain, version = self.gain[number], self._version[number]
        heappush(self._rated, (self._cost[number] / gain, self._time[number] / gain, -gain, number, version))
        heappush(self._gains, (-gain, number, version))

    def _move(self, missing_bytes: int) -> None:
        """Have what gives enough by now among what may be the end."""
        while self._gains and -self._gains[0][0] >= missing_bytes:
            gain, number, version = heappop(self._gains)
            if version == self._version[number]:
                self._enough.add(number)
                cost, seconds = self._cost[number], self._time[number]
                heappush(self._next, (cost, seconds, gain, number, version))
                heappush(self._ends, (cost, seconds, -gain, number, version))

    def _drop_stale(self) -> None:
        """Take off what is no longer so, as far as it is in the way."""
        rated, following = self._rated, self._next
        while rated and (rated[0][4] != self._version[rated[0][3]] or rated[0][3] in self._enough):
            heappop(rated)
        while following and following[0][4] != self._version[following[0][3]]:
            heappop(following)
