"""Decides what a reclaim removes, in which order, and says so when it cannot be enough. It removes nothing."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.model.reclaim.candidate import Protected
from tonnage.model.reclaim.outcome import ReclaimChoice

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tonnage.model.reclaim.candidate import Candidate, CandidateId, Findings, SharedBytes
    from tonnage.model.reclaim.outcome import Reclaimed


def narrowed(findings: Findings, *, keep: Sequence[str] = (), only: Sequence[str] = ()) -> Findings:
    """Return the findings without what the user wants left alone.

    Args:
        only: Kinds that may go; empty for all.
    """
    kept = {each.candidate_id: pattern for each in findings.candidates if (pattern := _matching(each, keep))}
    candidates = tuple(
        each for each in findings.candidates if each.candidate_id not in kept and (not only or each.kind in only)
    )
    protected = tuple(
        Protected(
            candidate_id=each.candidate_id,
            kind=each.kind,
            name=each.name,
            reason=f"--keep {kept[each.candidate_id]}",
            size_bytes=each.unique_bytes,
        )
        for each in findings.candidates
        if each.candidate_id in kept
    )
    return replace(findings, candidates=candidates, protected=(*findings.protected, *protected))


def still_staying(findings: Findings, earlier: Iterable[Protected]) -> Findings:
    """Return the findings of a further look of the same run, in which what stayed before stays.

    So an image does not follow the stopped container that went before it, and what could not go is not tried again.
    """
    stay = {each.candidate_id: each for each in earlier}
    known = {each.candidate_id for each in findings.protected}
    protected = tuple(
        stay[each.candidate_id]
        for each in findings.candidates
        if each.candidate_id in stay and each.candidate_id not in known
    )
    return replace(
        findings,
        candidates=tuple(each for each in findings.candidates if each.candidate_id not in stay),
        protected=(*findings.protected, *protected),
    )


def what_stayed(choice: ReclaimChoice, done: Reclaimed) -> tuple[Protected, ...]:
    """Return what stays for the rest of a run: what was protected when it was decided, and what could not go."""
    refused = tuple(
        Protected(
            candidate_id=each.candidate.candidate_id,
            kind=each.candidate.kind,
            name=each.candidate.name,
            reason=each.error.what,
            size_bytes=each.candidate.unique_bytes,
        )
        for each in done.removals
        if each.error is not None
    )
    return (*choice.findings.protected, *refused)


def telling_unmatched(findings: Findings, keep: Sequence[str]) -> Findings:
    """Return the findings with a note for each pattern that kept nothing: it may be mistyped."""
    reasons = {each.reason for each in findings.protected}
    notes = tuple(
        f"--keep {pattern} matches nothing that was found and may go"
        for pattern in dict.fromkeys(keep)
        if f"--keep {pattern}" not in reasons
    )
    return replace(findings, notes=(*findings.notes, *notes))


def decide(findings: Findings, *, available_bytes: int, target_bytes: int) -> ReclaimChoice:
    """Choose what to remove until a target is reached."""
    chosen = choose(findings.candidates, findings.pieces, target_bytes - available_bytes)
    return _choice(findings, chosen, available_bytes, target_bytes)


def decide_everything(findings: Findings, *, available_bytes: int) -> ReclaimChoice:
    """Choose everything that may go and gives bytes."""
    everything = sum(piece.size_bytes for piece in findings.pieces) + 1
    chosen = choose(findings.candidates, findings.pieces, everything)
    return _choice(findings, chosen, available_bytes, 0)


def _choice(
    findings: Findings, chosen: frozenset[CandidateId], available_bytes: int, target_bytes: int
) -> ReclaimChoice:
    return ReclaimChoice(
        available_bytes=available_bytes,
        target_bytes=target_bytes,
        chosen=_in_order([each for each in findings.candidates if each.candidate_id in chosen]),
        freed_bytes=freed_bytes(findings.pieces, chosen),
        findings=findings,
    )


def _in_order(chosen: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Return what is cheap to get back first, each after what has to go before it."""
    by_id = {each.candidate_id: each for each in chosen}
    ordered: dict[CandidateId, Candidate] = {}

    def visit(candidate: Candidate, on_the_way: frozenset[CandidateId]) -> None:
        if candidate.candidate_id in ordered or candidate.candidate_id in on_the_way:
            return
        first = [by_id[name] for name in candidate.removed_after if name in by_id]
        for each in sorted(first, key=_price):
            visit(each, on_the_way | {candidate.candidate_id})
        ordered[candidate.candidate_id] = candidate

    for each in sorted(chosen, key=_price):
        visit(each, frozenset())
    return tuple(ordered.values())


def _price(candidate: Candidate) -> tuple[float, float, float, CandidateId]:
    return _counted_s(candidate), candidate.cost_s, candidate.removal_s, candidate.candidate_id


def _counted_s(candidate: Candidate) -> float:
    """Return what a candidate counts when several sets of them are compared."""
    return 0.0 if candidate.copy else candidate.cost_s


def _matching(candidate: Candidate, patterns: Sequence[str]) -> str:
    """Return the first pattern that means a candidate: in doubt it is meant, because what is meant stays."""
    # An image is meant by its repository as well, with whatever tag.
    without_digest = [each.partition("@")[0] for each in candidate.names]
    repositories = [each.removesuffix(f":{each.rpartition('/')[2].partition(':')[2]}") for each in without_digest]
    own = (candidate.name, candidate.candidate_id.key, candidate.reason)
    names = {each.casefold() for each in (*own, *candidate.names, *repositories)}
    for path in candidate.paths:
        # By every directory that it lies in as well: by name, or from any directory on.
        parts = path.strip("/").casefold().split("/")
        names.update(parts)
        names.update("/" + "/".join(parts[start:end]) for end in range(1, len(parts) + 1) for start in range(end))
    return next((each for each in patterns if any(fnmatchcase(name, each.casefold()) for name in names)), "")


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
    ordered = sorted(candidates, key=_price)
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
        self._costs = [round(_counted_s(each) * _MILLI) for each in candidates]
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
