from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.errors import UsageError
from tonnage.units import format_bytes, format_seconds, parse_bytes, parse_seconds

counts = st.integers(min_value=0, max_value=10**17)
factors = st.sampled_from(
    [
        *(("B", 1), ("kB", 10**3), ("MB", 10**6), ("GB", 10**9), ("TB", 10**12)),
        *(("KiB", 2**10), ("MiB", 2**20), ("GiB", 2**30), ("TiB", 2**40)),
    ]
)


@given(count=counts, factor=factors)
def test_a_whole_number_with_its_unit_is_read_to_the_byte(count: int, factor: tuple[str, int]) -> None:
    unit, each_bytes = factor

    assert parse_bytes(f"{count}{unit}") == parse_bytes(f" {count} {unit} ") == count * each_bytes


@given(count=counts, thousandths=st.integers(min_value=0, max_value=999))
def test_a_fraction_is_read_without_rounding_errors(count: int, thousandths: int) -> None:
    assert parse_bytes(f"{count}.{thousandths:03d}kB") == count * 1000 + thousandths


@given(count_bytes=counts)
def test_what_people_see_is_within_half_a_percent(count_bytes: int) -> None:
    shown = format_bytes(count_bytes)

    if not shown.endswith("PB"):
        assert abs(parse_bytes(shown) - count_bytes) <= count_bytes * 0.005
    assert sum(letter.isdigit() for letter in shown) <= 3


@given(count_bytes=st.integers(min_value=1, max_value=10**17))
def test_a_negative_size_is_the_same_with_a_sign(count_bytes: int) -> None:
    assert format_bytes(-count_bytes) == f"-{format_bytes(count_bytes)}"


@given(count=st.integers(min_value=0, max_value=10**9), letter=st.sampled_from("kKmMgGtT"))
def test_a_bare_letter_is_always_refused(count: int, letter: str) -> None:
    with pytest.raises(UsageError, match="ambiguous"):
        parse_bytes(f"{count}{letter}")


@given(text=st.text(max_size=12))
def test_no_text_is_read_as_a_negative_size_and_none_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert parse_bytes(text) >= 0
    with contextlib.suppress(UsageError):
        assert parse_seconds(text) >= 0


@given(hours=st.integers(0, 99), minutes=st.integers(0, 59), seconds=st.integers(0, 59), milli=st.integers(0, 999))
def test_a_duration_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int, milli: int) -> None:
    expected_s = hours * 3600 + minutes * 60 + seconds + milli / 1000

    assert parse_seconds(f"{hours}h{minutes}m{seconds}s{milli}ms") == pytest.approx(expected_s)


@given(seconds=st.floats(min_value=0, max_value=59 * 3600))
def test_a_duration_for_people_never_shows_sixty_of_anything(seconds: float) -> None:
    shown = format_seconds(seconds)

    assert not shown.startswith("60")
    assert " 60 " not in shown
