"""Decides what a reclaim removes, in which order, and says so when it cannot be enough. It removes nothing."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.reclaim.subset_search import SubsetSearch
from tonnage.model.reclaim.candidate import Protected
from tonnage.model.reclaim.outcome import ReclaimChoice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
        f"--keep {pattern} matches nothing that was found and could be removed"
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
    begun: set[CandidateId] = set()

    def before(candidate: Candidate) -> Iterator[Candidate]:
        begun.add(candidate.candidate_id)
        first = (by_id[name] for name in candidate.removed_after if name in by_id and name not in ordered)
        return iter(sorted(first, key=_price))

    for one in sorted(chosen, key=_price):
        # Records stand on each other in chains longer than functions may call themselves.
        waiting = [] if one.candidate_id in begun else [(one, before(one))]
        while waiting:
            candidate, first = waiting[-1]
            following = next((each for each in first if each.candidate_id not in begun), None)
            if following is not None:
                waiting.append((following, before(following)))
            else:
                ordered[candidate.candidate_id] = candidate
                waiting.pop()
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


_MILLI = 1000


def freed_bytes(pieces: Iterable[SharedBytes], removed: frozenset[CandidateId]) -> int:
    """Return how many bytes come free when all of ``removed`` is removed."""
    return sum(piece.size_bytes for piece in pieces if piece.holders <= removed)


def freed_in_turn(pieces: Iterable[SharedBytes], removed: Sequence[CandidateId]) -> list[int]:
    """Return how many bytes come free with each of what is removed one after the other."""
    turns = {name: turn for turn, name in enumerate(removed)}
    found = [0] * len(removed)
    for piece in pieces:
        if piece.holders and all(name in turns for name in piece.holders):
            found[max(turns[name] for name in piece.holders)] += piece.size_bytes
    return found


def choose(
    candidates: Sequence[Candidate], pieces: Iterable[SharedBytes], missing_bytes: int
) -> frozenset[CandidateId]:
    """Return what to remove."""
    if missing_bytes <= 0:
        return frozenset()
    ordered = sorted(candidates, key=_price)
    costs = [round(_counted_s(each) * _MILLI) for each in ordered]
    seconds = [round(each.removal_s * _MILLI) for each in ordered]
    chosen = SubsetSearch(costs, seconds, _groups(ordered, pieces), missing_bytes).best()
    return frozenset(ordered[place].candidate_id for place in chosen)


def _groups(candidates: Sequence[Candidate], pieces: Iterable[SharedBytes]) -> dict[frozenset[int], int]:
    """Return bytes by the places of the candidates that hold them."""
    index = {each.candidate_id: number for number, each in enumerate(candidates)}
    sizes: dict[frozenset[int], int] = {}
    for piece in pieces:
        if piece.size_bytes > 0 and piece.holders and all(name in index for name in piece.holders):
            places = frozenset(index[name] for name in piece.holders)
            sizes[places] = sizes.get(places, 0) + piece.size_bytes
    return sizes
