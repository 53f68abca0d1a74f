from __future__ import annotations

import pytest

from tonnage.model.forecast.debian_package import compare, newest_first, satisfies


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.0", "1.1"),
        ("1.9", "1.10"),
        ("1.0~rc1", "1.0"),
        ("1.0", "1.0+deb12u1"),
        ("1.0-1", "1.0-2"),
        ("9.9", "1:0.1"),
        ("1.0~~", "1.0~"),
        ("1.0a", "1.0+"),
        ("2.36-9+deb12u9", "2.36-9+deb12u10"),
        ("0.5-1~bpo12+1", "0.5-1"),
    ],
)
def test_one_version_is_newer_than_another(older: str, newer: str) -> None:
    assert compare(older, newer) < 0 < compare(newer, older)


@pytest.mark.parametrize(("one", "other"), [("1.0", "1.0-0"), ("0:1.0", "1.0"), ("1.00", "1.0"), ("a", "a")])
def test_versions_can_be_written_in_two_ways(one: str, other: str) -> None:
    assert compare(one, other) == 0


@pytest.mark.parametrize(
    ("operator", "holds"),
    [("", (True, True, True)), ("<<", (True, False, False)), ("<=", (True, True, False)), ("=", (False, True, False)),
     (">=", (False, True, True)), (">>", (False, False, True))],
)  # fmt: skip
def test_a_relation_holds_for_older_same_or_newer(operator: str, holds: tuple[bool, ...]) -> None:
    assert tuple(satisfies(version, operator, "1.5") for version in ("1.4", "1.5", "1.6")) == holds


def test_versions_are_sorted_with_the_newest_first() -> None:
    assert sorted(["1.9", "1:0", "1.10", "1.9~"], key=newest_first) == ["1:0", "1.10", "1.9", "1.9~"]
