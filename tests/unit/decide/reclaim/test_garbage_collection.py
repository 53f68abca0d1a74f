from __future__ import annotations

import pytest
from msgspec.structs import replace

from tonnage.decide.reclaim.garbage_collection import (
    losses,
    modelled_policy,
    removed_bytes,
    suited_settings,
)
from tonnage.decide.reports.known_engines import version_of
from tonnage.model.inventory import Filesystem
from tonnage.model.reclaim.garbage_collection import CacheOfBuild, CollectionRule, CollectionSettings

GB = 10**9
# The disk of the recordings in ``tests/wire/buildx_inspect``.
DISK_BYTES = 20_461_731_840
DISK = Filesystem(
    mount="/", roles=("data-root",), size_bytes=DISK_BYTES, available_bytes=5_000_000_007, reserved_bytes=1_000_000_003
)
NOTHING_WRITTEN = CollectionSettings()


def limits(version: str, settings: CollectionSettings = NOTHING_WRITTEN) -> tuple[int, int, int] | None:
    bound = modelled_policy(version, DISK_BYTES, settings).bound
    return None if bound is None else (bound.reserved_bytes, bound.max_used_bytes, bound.min_free_bytes)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("20.10.24+dfsg1", None),
        ("26.1.5+dfsg1", None),
        ("27.5.1", None),
        ("28.0.4", None),
        ("28.1.1", None),
        ("28.2.0", (2 * GB, 1 * GB, 1 * GB)),
        ("28.5.0", (2 * GB, 1 * GB, 1 * GB)),
        ("28.5.1", (2 * GB, 16 * GB, 4 * GB)),
        ("28.5.2+dfsg4", (2 * GB, 16 * GB, 4 * GB)),
        ("29.4.2", (2 * GB, 16 * GB, 4 * GB)),
        ("29.6.0", (2 * GB, 16 * GB, 4 * GB)),
        ("dev", (2 * GB, 16 * GB, 4 * GB)),
    ],
)
def test_each_version_has_its_own_limits(version: str, expected: tuple[int, int, int] | None) -> None:
    assert limits(version) == expected


@pytest.mark.parametrize("version", ["20.10.24", "26.1.5", "27.5.1"])
def test_older_engines_keep_a_tenth_of_the_disk_once_collection_is_enabled(version: str) -> None:
    assert limits(version, CollectionSettings(enabled=True)) == (2 * GB, 0, 0)


def test_what_is_written_goes_before_what_an_engine_would_do() -> None:
    assert limits("26.1.5", CollectionSettings(enabled=True, reserved_bytes=900_000_007)) == (900_000_007, 0, 0)
    assert limits("28.5.2", CollectionSettings(min_free_bytes=900_000_007)) == (0, 0, 900_000_007)
    assert limits("29.4.2", CollectionSettings(enabled=False)) is None
    rule = CollectionRule(max_used_bytes=17)
    assert modelled_policy("28.5.2", DISK_BYTES, CollectionSettings(rules=(rule,))).rules == (rule,)


def test_contexts_and_cache_mounts_have_a_limit_that_works_only_since_29_6() -> None:
    before, since = (modelled_policy(each, DISK_BYTES, NOTHING_WRITTEN).rules[0] for each in ("29.5.3", "29.6.0"))

    assert before.matches_nothing
    assert not since.matches_nothing
    assert since.max_used_bytes == 512_000_000
    large = modelled_policy("29.6.0", 100 * DISK_BYTES, NOTHING_WRITTEN).rules[0]
    assert large.max_used_bytes == round(191 * GB / 100 * 13.8176) or 26.3 * GB < large.max_used_bytes < 26.4 * GB


def test_a_version_is_read_whatever_follows_it() -> None:
    assert version_of("28.5.2+dfsg4") == (28, 5, 2)
    assert version_of("29.1") == (29, 1, 0)
    assert version_of("") > (29, 9, 9)


@pytest.mark.parametrize(
    ("version", "cache_bytes", "free_bytes", "removed"),
    [
        ("27.5.1", 9 * GB, 0, 0),
        ("28.4.0", 3 * GB, 9 * GB, 1 * GB),
        ("28.5.2", 3 * GB, 4 * GB, 0),
        ("28.5.2", 3 * GB, 3_500_000_000, 500_000_000),
        ("28.5.2", 3 * GB, 0, 1 * GB),
        ("28.5.2", 17 * GB, 9 * GB, 1 * GB),
        ("28.5.2", 1 * GB, 0, 0),
    ],
)
def test_what_goes_follows_from_the_cache_and_what_is_free(
    version: str, cache_bytes: int, free_bytes: int, removed: int
) -> None:
    policy = modelled_policy(version, DISK_BYTES, NOTHING_WRITTEN)
    assert removed_bytes(policy, cache_bytes, free_bytes) == removed


def builds() -> list[CacheOfBuild]:
    return [
        CacheOfBuild(
            service="web",
            kept_bytes=3_000_000_000,
            peak_bytes=4_000_000_000,
            cache={"pip": 2_600_000_000, "own": 400_000_000},
        ),
        CacheOfBuild(service="api", kept_bytes=500_000_000, peak_bytes=700_000_000, cache={"pip": 2_600_000_000}),
    ]


def test_a_build_may_lose_what_the_next_one_would_have_found() -> None:
    policy = modelled_policy("28.5.2", DISK_BYTES, NOTHING_WRITTEN)

    first, last = losses(policy, builds(), DISK, 0)
    # 6 GB are free with root's blocks; 3 go, and 4 shall stay free.
    assert (first.after, first.free_bytes, first.removed_bytes) == ("web", 3_000_000_010, 999_999_990)
    assert (first.needed_bytes, first.needed_by) == (999_999_990, ("api",))
    assert (last.after, last.removed_bytes, last.needed_by) == ("api", 1_000_000_000, ())


def test_nothing_is_lost_where_enough_is_free_or_nothing_is_collected() -> None:
    room = replace(DISK, available_bytes=18 * GB)
    assert losses(modelled_policy("28.5.2", DISK_BYTES, NOTHING_WRITTEN), builds(), room, 0) == ()
    assert losses(modelled_policy("28.0.4", DISK_BYTES, NOTHING_WRITTEN), builds(), DISK, 0) == ()


def test_with_the_limits_that_suit_a_stack_its_builds_lose_nothing() -> None:
    made = suited_settings("28.5.2", builds(), DISK, 1_023_086_592)

    assert made.reserved_bytes >= 3_000_000_000
    assert made.min_free_bytes == 6_100_000_000
    assert made.max_used_bytes > made.reserved_bytes
    assert losses(modelled_policy("28.5.2", DISK_BYTES, made), builds(), DISK, 0) == ()


def test_an_engine_with_one_limit_keeps_what_is_reused_twice() -> None:
    made = suited_settings("26.1.5", builds(), DISK, 1_023_086_592)

    assert (made.enabled, made.reserved_bytes, made.max_used_bytes, made.min_free_bytes) == (True, 6_000_000_000, 0, 0)
    assert losses(modelled_policy("26.1.5", DISK_BYTES, made), builds(), DISK, 0) == ()
