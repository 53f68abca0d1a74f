"""The grade of a sum says how nearly all of it is known; how much is known less well stands beside it."""

from __future__ import annotations

from itertools import permutations

import pytest

from tonnage.model.forecast.estimate import UNKNOWN, Estimate, Grade, above, assumed, exactly, highest, total

LARGE = exactly(5_360_000_017)
USUAL = Estimate(0, 5_450_000, 9_000_003, Grade.DECLARED)
LEARNED = Estimate(900, 1_000, 1_100, Grade.LEARNED)


def test_a_learned_kilobyte_does_not_pull_gigabytes_down() -> None:
    whole = LARGE + USUAL + LEARNED
    assert whole.grade is Grade.EXACT
    assert whole.weaker == ((Grade.DECLARED, 9_000_003), (Grade.LEARNED, 1_100))


def test_more_than_a_hundredth_does() -> None:
    assert (exactly(60_000_011) + USUAL).grade is Grade.DECLARED
    assert (LARGE + assumed(500_000_003)).grade is Grade.UNKNOWN


@pytest.mark.parametrize(("unknown_bytes", "grade"), [(1_000_000, Grade.EXACT), (1_000_001, Grade.UNKNOWN)])
def test_of_what_nobody_knows_one_megabyte_may_be_in_it(unknown_bytes: int, grade: Grade) -> None:
    whole = LARGE + assumed(unknown_bytes)
    assert whole.grade is grade
    assert whole.high_bytes == LARGE.high_bytes + unknown_bytes


def test_what_says_nothing_makes_a_sum_that_says_nothing() -> None:
    assert total((LARGE, UNKNOWN, USUAL)) == UNKNOWN


def test_the_order_of_the_parts_does_not_matter() -> None:
    parts = (LARGE, USUAL, LEARNED, exactly(60_000_011), assumed(400_009))
    sums = {(each.grade, frozenset(each.parts)) for each in map(total, permutations(parts))}
    assert len(sums) == 1


def test_a_part_of_a_sum_has_its_part_of_what_is_weaker() -> None:
    half = (LARGE + USUAL).share(1, 2)
    assert (half.grade, half.weaker) == (Grade.EXACT, ((Grade.DECLARED, 4_500_001),))


def test_what_is_needed_on_top_is_not_weak_because_of_what_is_kept() -> None:
    kept = LARGE + USUAL
    assert above(kept + exactly(18_000_003), kept) == exactly(18_000_003)


def test_what_was_not_counted_is_all_of_what_is_needed_on_top_of_what_was() -> None:
    needed = Estimate(0, 32_768, 1_000_000, Grade.DECLARED)
    assert (LARGE + needed).grade is Grade.EXACT
    assert above(LARGE + needed, LARGE) == needed
    on_top = above(LARGE + exactly(9_000_011) + needed, LARGE)
    assert (on_top.grade, on_top.parts) == (Grade.DECLARED, ((Grade.EXACT, 9_000_011),))


def test_what_is_below_another_for_certain_does_not_weaken_the_higher_one() -> None:
    needed = Estimate(0, 32_768, 1_000_000, Grade.DECLARED)
    assert highest((needed, exactly(1_000_001))) == exactly(1_000_001)
    assert highest((needed, exactly(999_999))) == Estimate(999_999, 999_999, 1_000_000, Grade.DECLARED)
