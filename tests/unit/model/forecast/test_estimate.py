"""Figures that nobody knows, and what sums make of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tonnage.model.forecast.estimate import NOTHING, UNKNOWN, Estimate, Grade, above, assumed, exactly, highest, total


def test_a_size_of_weak_grade_without_spread_says_something() -> None:
    archive = replace(exactly(8_034_267), grade=Grade.UNKNOWN)

    assert archive.known
    assert total([exactly(104_729), archive]).high_bytes == 8_138_996
    assert above(highest([archive, exactly(5)]), exactly(7_919)).likely_bytes == 8_026_348


def test_an_assumed_bound_of_nothing_leaves_the_sum_of_the_others() -> None:
    assert total([exactly(104_729), assumed(0)]).likely_bytes == 104_729


def test_a_part_of_an_assumed_figure_that_is_nothing_is_known_to_be_nothing() -> None:
    assert assumed(7_919).share(0, 3) == NOTHING
    assert assumed(7_919).each(lambda _: 0) == NOTHING


def test_a_figure_that_says_nothing_takes_the_sum_along() -> None:
    assert exactly(7_919) + UNKNOWN == UNKNOWN
    assert Estimate(0, 0, 0, Grade.UNKNOWN).each(lambda each: each // 2) == UNKNOWN


_BYTES = st.one_of(st.integers(-5, 5), st.integers(0, 5_000_003), st.just(1_000_000_000))


@st.composite
def _estimates(draw: st.DrawFn) -> Estimate:
    low, likely, high = sorted(draw(st.tuples(_BYTES, _BYTES, _BYTES)))
    found = Estimate(low, likely, high, draw(st.sampled_from(Grade)))
    return found + draw(_estimates()) if draw(st.integers(0, 3)) == 0 else found


@given(st.lists(_estimates(), max_size=8))
def test_a_total_is_what_adding_one_after_the_other_gives(estimates: list[Estimate]) -> None:
    added = NOTHING
    for each in estimates:
        added += each
    assert total(estimates) == added
