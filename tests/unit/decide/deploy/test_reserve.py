from __future__ import annotations

import pytest

from tonnage.decide.deploy.expectations import reserve_bytes
from tonnage.errors import UsageError
from tonnage.model.inventory import Filesystem


def disk(size_bytes: int) -> Filesystem:
    return Filesystem(mount="/data", roles=("data-root",), size_bytes=size_bytes, available_bytes=size_bytes // 3)


def test_the_default_is_five_percent_of_the_filesystem() -> None:
    assert reserve_bytes(disk(40_000_000_043), None) == 2_000_000_002


def test_the_default_is_never_less_than_one_gigabyte() -> None:
    assert reserve_bytes(disk(14_000_000_029), None) == 1_000_000_000


def test_the_default_is_never_more_than_ten_gigabytes() -> None:
    assert reserve_bytes(disk(4_000_000_000_039), None) == 10_000_000_000


def test_the_default_depends_on_the_size_and_not_on_what_is_available() -> None:
    full = Filesystem(mount="/data", roles=("data-root",), size_bytes=40_000_000_043, available_bytes=0)

    assert reserve_bytes(full, None) == 2_000_000_002


def test_what_the_user_says_wins_over_the_least_and_the_most() -> None:
    assert reserve_bytes(disk(14_000_000_029), 100_000_007) == 100_000_007
    assert reserve_bytes(disk(4_000_000_000_039), 700_000_000_001) == 700_000_000_001


def test_the_user_may_have_no_line_at_all() -> None:
    assert reserve_bytes(disk(14_000_000_029), 0) == 0


def test_a_line_as_large_as_the_filesystem_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match=r"keep-free is 14\.0 GB.*/data has no more than 14\.0 GB"):
        reserve_bytes(disk(14_000_000_029), 14_000_000_029)


def test_a_line_one_byte_below_the_filesystem_is_accepted() -> None:
    assert reserve_bytes(disk(14_000_000_029), 14_000_000_028) == 14_000_000_028


def test_a_negative_line_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="less than nothing"):
        reserve_bytes(disk(14_000_000_029), -1)
