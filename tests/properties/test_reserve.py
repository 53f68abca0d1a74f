from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.decide.deploy.expectations import reserve_bytes
from tonnage.errors import UsageError
from tonnage.model.inventory import Filesystem

sizes = st.integers(min_value=1, max_value=10**16)


def disk(size_bytes: int, available_bytes: int = 0) -> Filesystem:
    return Filesystem(mount="/", roles=("data-root",), size_bytes=size_bytes, available_bytes=available_bytes)


@given(size_bytes=sizes, available_bytes=sizes)
def test_the_default_is_between_one_and_ten_gigabytes_whatever_is_available(
    size_bytes: int, available_bytes: int
) -> None:
    line = reserve_bytes(disk(size_bytes, available_bytes), None)

    assert 10**9 <= line <= 10**10
    assert line == reserve_bytes(disk(size_bytes), None)
    if 10**9 < line < 10**10:
        assert line * 20 <= size_bytes < (line + 1) * 20


@given(one=sizes, other=sizes)
def test_a_larger_filesystem_never_has_a_lower_default(one: int, other: int) -> None:
    smaller, larger = sorted((one, other))

    assert reserve_bytes(disk(smaller), None) <= reserve_bytes(disk(larger), None)


@given(size_bytes=sizes, keep_free_bytes=st.integers(min_value=-(10**16), max_value=10**16))
def test_what_the_user_says_holds_or_is_refused(size_bytes: int, keep_free_bytes: int) -> None:
    if 0 <= keep_free_bytes < size_bytes:
        assert reserve_bytes(disk(size_bytes), keep_free_bytes) == keep_free_bytes
    else:
        with pytest.raises(UsageError):
            reserve_bytes(disk(size_bytes), keep_free_bytes)
