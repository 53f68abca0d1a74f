from __future__ import annotations

from msgspec.structs import replace

from tonnage.decide.guard.disk_check import guarded_inodes, states
from tonnage.model.inventory import Filesystem

GB = 10**9
DISK = Filesystem(
    mount="/data", roles=("data-root",), size_bytes=20 * GB, available_bytes=5 * GB, inodes=1_000, available_inodes=10
)


def test_near_is_a_tenth_above_the_reserve_and_the_target_half_of_it() -> None:
    (found,) = states([replace(DISK, available_bytes=2_199_999_999)], {"/data": 2 * GB})
    assert (found.is_near, found.is_below, found.is_full) == (True, False, False)
    assert found.target_bytes == 3 * GB
    (found,) = states([replace(DISK, available_bytes=2_200_000_000)], {"/data": 2 * GB})
    assert not found.is_near
    (found,) = states([replace(DISK, available_bytes=15_999_999)], {"/data": 0})
    assert (found.is_near, found.is_full) == (False, True)


def test_a_target_is_never_below_the_reserve_or_above_the_disk() -> None:
    assert states([DISK], {"/data": 2 * GB}, 1 * GB)[0].target_bytes == 2 * GB
    assert states([DISK], {"/data": 2 * GB}, 99 * GB)[0].target_bytes == 20 * GB


def test_inodes_have_a_line_of_a_hundredth_and_20000_at_most() -> None:
    (found,) = states([DISK], {"/data": 0})
    assert (found.reserve_inodes, found.lacks_inodes) == (10, False)
    (found,) = states([replace(DISK, available_inodes=9)], {"/data": 0})
    assert found.lacks_inodes
    assert "9 inodes available, reserve 10" in found.shown
    assert replace(DISK, inodes=10**9).reserve_inodes == 20_000
    assert states([replace(DISK, inodes=0, available_inodes=0)], {"/data": 0})[0].lacks_inodes is False


def test_a_run_leaves_alone_what_has_too_few_inodes_already() -> None:
    assert guarded_inodes({"/data": DISK}) == {"/data": 10}
    assert guarded_inodes({"/data": replace(DISK, available_inodes=9)}) == {}
