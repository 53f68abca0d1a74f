from __future__ import annotations

import pytest

from tonnage.decide.guard.free_space_rate import Falling

MB = 10**6
LINE_BYTES = 1_000 * MB


def at(falling: Falling, *samples: tuple[float, int]) -> object:
    found = None
    for now_s, available_bytes in samples:
        found = falling.sample(now_s, {"/data": available_bytes})
    return found


def steadily(rate: float, last_bytes: int, seconds: float = 1.0) -> list[tuple[float, int]]:
    count = int(seconds / 0.02)
    return [(number * 0.02, int(last_bytes + rate * 0.02 * (count - number))) for number in range(count + 1)]


@pytest.mark.parametrize("rate", [5 * MB, 70 * MB, 500 * MB])
def test_it_is_now_when_the_time_to_react_is_all_that_is_left(rate: int) -> None:
    just_before = Falling({"/data": LINE_BYTES}).sample
    nearest = None
    for now_s, available_bytes in steadily(rate, LINE_BYTES + int(rate * 0.05)):
        nearest = just_before(now_s, {"/data": available_bytes})
    assert nearest is not None
    assert nearest.is_now
    assert nearest.seconds == pytest.approx(0.05, rel=0.05)


def test_the_same_level_is_far_away_when_it_falls_slowly() -> None:
    falling = Falling({"/data": LINE_BYTES})
    nearest = None
    for now_s, available_bytes in steadily(2 * MB, LINE_BYTES + 25 * MB):
        nearest = falling.sample(now_s, {"/data": available_bytes})
    assert nearest is not None
    assert not nearest.is_soon


def test_what_does_not_fall_is_not_near_and_what_is_below_is_at_once() -> None:
    falling = Falling({"/data": LINE_BYTES})
    assert at(falling, *[(n * 0.02, LINE_BYTES + 1) for n in range(30)]) is None
    assert at(falling, *[(1 + n * 0.02, LINE_BYTES + n * MB) for n in range(30)]) is None
    nearest = falling.sample(2.0, {"/data": LINE_BYTES - 1})
    assert nearest is not None
    assert nearest.is_now


def test_a_burst_after_a_long_calm_counts_as_fast_as_it_is() -> None:
    falling = Falling({"/data": LINE_BYTES})
    at(falling, *[(n * 0.02, LINE_BYTES + 100 * MB) for n in range(50)])
    nearest = None
    for number in range(1, 6):
        nearest = falling.sample(1.0 + number * 0.02, {"/data": LINE_BYTES + (100 - 10 * number) * MB})
    assert nearest is not None
    assert nearest.seconds < 0.2


def test_of_several_filesystems_the_nearest_is_told_and_others_are_not_looked_at() -> None:
    falling = Falling({"/data": LINE_BYTES, "/images": LINE_BYTES})
    nearest = None
    for number in range(30):
        nearest = falling.sample(
            number * 0.02,
            {"/data": LINE_BYTES + (90 - number) * MB, "/images": LINE_BYTES + (60 - 2 * number + 1) * MB, "/tmp": 0},
        )
    assert nearest is not None
    assert nearest.mount == "/images"


def test_after_a_pause_nothing_of_before_counts() -> None:
    falling = Falling({"/data": LINE_BYTES})
    at(falling, *steadily(500 * MB, LINE_BYTES + MB))
    falling.forget()
    assert falling.sample(1.1, {"/data": LINE_BYTES + MB}) is None
