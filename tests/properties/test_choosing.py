"""What is chosen to be removed: enough, at the lowest cost, and nothing that could be left out."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.calls import calls_of

from tonnage.decide.reclaim.choice import choose, freed_bytes
from tonnage.model.reclaim.candidate import Candidate, CandidateId, CandidateKind, SharedBytes

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_OPTIONS = 7


def ids(*names: str) -> frozenset[CandidateId]:
    """Return the identities of things."""
    return frozenset(CandidateId(CandidateKind.IMAGE, name) for name in names)


def thing(name: str, cost_s: float, removal_s: float = 0.0) -> Candidate:
    """Return something that may be removed."""
    return Candidate(
        candidate_id=CandidateId(CandidateKind.IMAGE, name),
        kind="image",
        name=name,
        unique_bytes=0,
        cost_s=cost_s,
        removal_s=removal_s,
        reason="unused",
    )


@st.composite
def problems(draw: st.DrawFn, most: int = MOST_OPTIONS) -> tuple[list[Candidate], list[SharedBytes]]:
    """Draw options and pieces; some pieces are held by something that stays."""
    names = [f"thing-{number}" for number in range(draw(st.integers(1, most)))]
    costs = st.one_of(st.just(0.0), st.integers(1, 9).map(float))
    options = [thing(name, draw(costs), draw(costs)) for name in names]
    holders = st.frozensets(st.sampled_from(sorted(ids(*names, "what stays"))), min_size=1, max_size=3)
    pieces = draw(st.lists(st.builds(SharedBytes, st.integers(0, 97), holders), max_size=2 * most))
    return options, pieces


def price(options: Sequence[Candidate], chosen: frozenset[CandidateId]) -> tuple[float, float]:
    """Return what a set costs to get back, and how long its removal takes."""
    taken = [option for option in options if option.candidate_id in chosen]
    return sum(option.cost_s for option in taken), sum(option.removal_s for option in taken)


@settings(max_examples=400)
@given(problems(), st.integers(0, 300))
def test_it_is_enough_or_everything_that_gives_anything(
    problem: tuple[list[Candidate], list[SharedBytes]], missing_bytes: int
) -> None:
    options, pieces = problem
    chosen = choose(options, pieces, missing_bytes)
    everything = frozenset(option.candidate_id for option in options)
    assert chosen <= everything
    if freed_bytes(pieces, chosen) < missing_bytes:
        assert freed_bytes(pieces, chosen) == freed_bytes(pieces, everything)


@settings(max_examples=400)
@given(problems(), st.integers(0, 300))
def test_nothing_that_was_chosen_could_be_left_out(
    problem: tuple[list[Candidate], list[SharedBytes]], missing_bytes: int
) -> None:
    options, pieces = problem
    chosen = choose(options, pieces, missing_bytes)
    given = freed_bytes(pieces, chosen)
    for name in chosen:
        without = freed_bytes(pieces, chosen - {name})
        assert without < min(missing_bytes, given)


@settings(max_examples=300)
@given(problems(), st.integers(1, 300))
def test_no_other_set_that_is_enough_costs_less(
    problem: tuple[list[Candidate], list[SharedBytes]], missing_bytes: int
) -> None:
    options, pieces = problem
    chosen = choose(options, pieces, missing_bytes)
    if freed_bytes(pieces, chosen) < missing_bytes:
        return
    names = [option.candidate_id for option in options]
    enough = [
        frozenset(some)
        for count in range(len(names) + 1)
        for some in combinations(names, count)
        if freed_bytes(pieces, frozenset(some)) >= missing_bytes
    ]
    assert price(options, chosen) == min(price(options, each) for each in enough)


def test_a_layer_that_two_images_share_is_counted_once_and_only_with_both() -> None:
    options = [thing("a", 1.0), thing("b", 1.0), thing("c", 3.0)]
    pieces = [
        SharedBytes(1_009, ids("a")),
        SharedBytes(1_013, ids("b")),
        SharedBytes(5_003, ids("a", "b")),
        SharedBytes(5_011, ids("c")),
    ]
    assert choose(options, pieces, 5_000) == ids("a", "b")
    assert choose(options, pieces, 1_010) == ids("b")
    assert freed_bytes(pieces, ids("a", "b")) == 7_025


def test_between_equals_the_faster_removal_is_chosen() -> None:
    options = [thing("slow", 5.0, 9.0), thing("fast", 5.0, 1.0)]
    pieces = [SharedBytes(1_009, ids("slow")), SharedBytes(1_009, ids("fast"))]
    assert choose(options, pieces, 1_000) == ids("fast")


def test_hundreds_of_things_are_chosen_from_in_a_moment() -> None:
    options = [thing(f"thing-{n}", (n * 7919) % 101 / 7, n % 5) for n in range(200)]
    pieces = [SharedBytes((n * 104_729) % 90_001, ids(f"thing-{n}")) for n in range(200)]
    pieces += [SharedBytes(50_021, ids(f"thing-{n}", f"thing-{n + 1}")) for n in range(0, 150, 3)]
    found: set[CandidateId] = set()
    assert calls_of(lambda: found.update(choose(options, pieces, 4_500_007))) < 2_000_000
    chosen = frozenset(found)
    given = freed_bytes(pieces, chosen)
    assert given >= 4_500_007
    assert all(freed_bytes(pieces, chosen - {name}) < 4_500_007 for name in chosen)
