"""Which things to remove so that enough bytes come free: those that cost least to get back, and none too many.

Bytes belong to pieces, not to things: a layer that three images share comes free only with the last of them. So what
a set of things gives is not the sum of what each gives alone, and the search is over sets of pieces.

It is exact while there are few pieces; beyond that it is greedy, with what turned out to be needless left out again.
Either way nothing that was chosen could be left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tonnage.model.reclaim.candidate import Candidate, CandidateId, SharedBytes

MOST_LOOKED_AT = 200_000
"""Pieces that the exact search looks at before it takes the best set so far: less than a tenth of a second."""
MOST_ENDS = 3
"""Ways to end that are looked at in each step of the greedy search."""
_MILLI = 1000


class _HolderGroup(Struct, frozen=True):
    """Pieces with the same holders, as bits."""

    bits: int
    size_bytes: int


def freed_bytes(pieces: Iterable[SharedBytes], removed: frozenset[CandidateId]) -> int:
    """Return how many bytes come free when all of ``removed`` is removed."""
    return sum(piece.size_bytes for piece in pieces if piece.holders <= removed)


def choose(
    candidates: Sequence[Candidate], pieces: Iterable[SharedBytes], missing_bytes: int
) -> frozenset[CandidateId]:
    """Return what to remove."""
    if missing_bytes <= 0:
        return frozenset()
    ordered = sorted(candidates, key=lambda each: (each.cost_s, each.removal_s, each.candidate_id))
    search = _SubsetSearch(ordered, _groups(ordered, pieces), missing_bytes)
    chosen = search.best()
    return frozenset(each.candidate_id for index, each in enumerate(ordered) if chosen >> index & 1)


def _groups(candidates: Sequence[Candidate], pieces: Iterable[SharedBytes]) -> list[_HolderGroup]:
    index = {each.candidate_id: number for number, each in enumerate(candidates)}
    sizes: dict[int, int] = {}
    for piece in pieces:
        if piece.size_bytes > 0 and piece.holders and all(name in index for name in piece.holders):
            bits = sum(1 << index[name] for name in piece.holders)
            sizes[bits] = sizes.get(bits, 0) + piece.size_bytes
    return [_HolderGroup(bits, size_bytes) for bits, size_bytes in sizes.items()]


def _neighbours(groups: Sequence[_HolderGroup]) -> list[list[int]]:
    """Return for each group those that share a holder with it, itself among them."""
    of_holder: dict[int, list[int]] = {}
    for number, group in enumerate(groups):
        for place in _places(group.bits):
            of_holder.setdefault(place, []).append(number)
    return [sorted({other for place in _places(group.bits) for other in of_holder[place]}) for group in groups]


def _places(bits: int) -> list[int]:
    places = []
    while bits:
        places.append((bits & -bits).bit_length() - 1)
        bits &= bits - 1
    return places


class _SubsetSearch:
    """The search for one target. A set of candidates is a number whose bits are their places."""

    def __init__(self, candidates: Sequence[Candidate], groups: list[_HolderGroup], missing_bytes: int) -> None:
        self._costs = [round(each.cost_s * _MILLI) for each in candidates]
        self._seconds = [round(each.removal_s * _MILLI) for each in candidates]
        self._groups = groups
        self._neighbours = _neighbours(groups)
        self._missing_bytes = missing_bytes
        self._looked_at = 0
        self._found = 0
        self._price = (0, 0, 0)

    def best(self) -> int:
        everything = 0
        for group in self._groups:
            everything |= group.bits
        if self._gives(everything) <= self._missing_bytes:
            return everything
        self._take(self._without_needless(everything))
        self._take(self._greedy())
        ordered = sorted(self._groups, key=lambda group: (self._cost(group.bits)[0] / group.size_bytes, group.bits))
        rest = [0] * (len(ordered) + 1)
        for place in range(len(ordered) - 1, -1, -1):
            rest[place] = rest[place + 1] | ordered[place].bits
        self._look(ordered, rest, 0, 0)
        return self._found

    def _gives(self, chosen: int) -> int:
        return sum(group.size_bytes for group in self._groups if not group.bits & ~chosen)

    def _cost(self, chosen: int) -> tuple[int, int]:
        places = _places(chosen)
        return sum(self._costs[place] for place in places), sum(self._seconds[place] for place in places)

    def _take(self, chosen: int) -> None:
        """Remember a set that gives enough when it is better than the best so far."""
        price = (*self._cost(chosen), self._gives(chosen))
        if not self._found or price < self._price:
            self._found, self._price = chosen, price

    def _without_needless(self, chosen: int) -> int:
        """Leave out whatever is not needed, what costs most first."""
        places = [place for place in range(len(self._costs)) if chosen >> place & 1]
        for place in sorted(places, key=lambda each: (self._costs[each], self._seconds[each], each), reverse=True):
            fewer = self._of_use(chosen & ~(1 << place))
            if self._gives(fewer) >= self._missing_bytes:
                chosen = fewer
        return self._of_use(chosen)

    def _of_use(self, chosen: int) -> int:
        """Return the candidates that hold a piece which comes free."""
        used = 0
        for group in self._groups:
            if not group.bits & ~chosen:
                used |= group.bits
        return used

    def _greedy(self) -> int:
        """Take the pieces that cost least for each missing byte, until it is enough; look at some ways to end there."""
        chosen, missing_bytes = 0, self._missing_bytes
        ends: list[int] = []
        while missing_bytes > 0:
            steps, last = [], []
            for number, group in enumerate(self._groups):
                more = group.bits & ~chosen
                if not more:
                    continue
                gain = self._gain(number, chosen)
                cost, seconds = self._cost(more)
                useful = min(gain, missing_bytes)
                steps.append((cost / useful, seconds / useful, -gain, number))
                if gain >= missing_bytes:
                    last.append((cost, seconds, gain, number))
            ends += [chosen | self._groups[number].bits for *_, number in sorted(last)[:MOST_ENDS]]
            number = min(steps)[3]
            missing_bytes -= self._gain(number, chosen)
            chosen |= self._groups[number].bits
        found = [self._without_needless(each) for each in (chosen, *sorted(ends, key=self._cost)[:MOST_ENDS])]
        return min(found, key=self._cost)

    def _gain(self, number: int, chosen: int) -> int:
        """Return the bytes that come free when the holders of one group go too."""
        after = chosen | self._groups[number].bits
        near = (self._groups[other] for other in self._neighbours[number])
        return sum(each.size_bytes for each in near if not each.bits & ~after and each.bits & ~chosen)

    def _look(self, groups: Sequence[_HolderGroup], rest: Sequence[int], place: int, chosen: int) -> None:
        self._looked_at += len(self._groups)
        if self._looked_at > MOST_LOOKED_AT:
            return
        cost = self._cost(chosen)
        if cost > self._price[:2]:
            return
        if self._gives(chosen) >= self._missing_bytes:
            self._take(self._without_needless(chosen))
            return
        if place == len(groups) or self._gives(chosen | rest[place]) < self._missing_bytes:
            return
        if groups[place].bits & ~chosen:
            self._look(groups, rest, place + 1, chosen | groups[place].bits)
        self._look(groups, rest, place + 1, chosen)
