"""What an engine's garbage collection does, by its version, and which limits suit a stack. Pure.

Source: moby, ``builder-next/worker/gc.go``, ``builder-next/controller.go`` and ``daemon/config/builder.go`` at the tags
of each version; BuildKit, ``cache/manager.go`` (``prune``, ``calculateKeepBytes``). Compared with what buildx tells of
Docker 26.1 and 28.5, and with what Docker 20.10, 26.1 and 28.5 really removed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tonnage.decide.reports.known_engines import version_of
from tonnage.model.reclaim.garbage_collection import (
    CollectionLoss,
    CollectionPolicy,
    CollectionRule,
    CollectionSettings,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.inventory import Filesystem
    from tonnage.model.reclaim.garbage_collection import CacheOfBuild

# Before it the limits were one figure, how much of the cache stays, and only that one can be written.
THREE_LIMITS = (28, 0, 0)
# Before it nothing is collected unless the configuration says ``enabled``.
_BY_DEFAULT = (28, 2, 0)
# Before it percentages were taken for divisors: 80 % became an 80th, 20 % a 20th.
_PERCENTAGES = (28, 5, 1)
# Before it three kinds were one filter, which no record matches.
_KINDS_APART = (29, 6, 0)
_PERCENT = 100
_RESERVED, _MAX_USED, _MIN_FREE = 10, 80, 20
_OF_RESERVED = math.e * math.pi * (1 + math.sqrt(5)) / 2
_LEAST_SHORT_LIVED_BYTES = 512_000_000
_DAY_S = 24 * 3600
_KINDS = ("type==source.local", "type==exec.cachemount", "type==source.git.checkout")
_STEP_BYTES = 100_000_000
_LEAST_SUITED_BYTES = 500_000_000


def modelled_policy(version: str, disk_bytes: int, settings: CollectionSettings) -> CollectionPolicy:
    """Return the rules that an engine of this version applies on a filesystem of this size."""
    known = version_of(version)
    enabled = known >= _BY_DEFAULT if settings.enabled is None else settings.enabled
    told_by = f"known for Docker {version}"
    if not enabled:
        return CollectionPolicy(rules=(), told_by=told_by)
    if settings.rules is not None:
        return CollectionPolicy(rules=settings.rules, told_by=told_by)
    reserved, max_used, min_free = settings.reserved_bytes, settings.max_used_bytes, settings.min_free_bytes
    if known < THREE_LIMITS:
        reserved, max_used, min_free = reserved or _share(disk_bytes, _RESERVED), 0, 0
    elif not (reserved or max_used or min_free):
        reserved = _share(disk_bytes, _RESERVED)
        if known < _PERCENTAGES:
            max_used, min_free = _rounded(disk_bytes // _MAX_USED), _rounded(disk_bytes // _MIN_FREE)
        else:
            max_used, min_free = _share(disk_bytes, _MAX_USED), _share(disk_bytes, _MIN_FREE)
    short_lived = max(round(reserved / _PERCENT * _OF_RESERVED), _LEAST_SHORT_LIVED_BYTES)
    kinds = _KINDS if known >= _KINDS_APART else (",".join(_KINDS),)
    first = CollectionRule(filters=kinds, unused_s=2 * _DAY_S, max_used_bytes=short_lived)
    if known < THREE_LIMITS:
        first = CollectionRule(filters=kinds, unused_s=2 * _DAY_S, reserved_bytes=short_lived)
    whole = [
        CollectionRule(
            unused_s=unused_s,
            reserved_bytes=reserved,
            max_used_bytes=max_used,
            min_free_bytes=min_free,
            every_kind=every_kind,
        )
        for unused_s, every_kind in ((60 * _DAY_S, False), (0, False), (0, True))
    ]
    return CollectionPolicy(rules=(first, *whole), told_by=told_by)


def _share(disk_bytes: int, percent: int) -> int:
    return _rounded(disk_bytes * percent // _PERCENT)


def _rounded(count_bytes: int) -> int:
    # Whole units of 2^30 become as many of 10^9 and one more.
    return (count_bytes // 2**30 + 1) * 10**9


def stays_bytes(rule: CollectionRule, cache_bytes: int, free_bytes: int) -> int | None:
    """Return how much of the cache a rule leaves at the most; None where it has no bound of bytes."""
    if not (rule.reserved_bytes or rule.max_used_bytes or rule.min_free_bytes):
        return None
    stays = rule.max_used_bytes
    excess = rule.min_free_bytes - free_bytes
    if excess > 0:
        stays = min(stays or cache_bytes, cache_bytes - excess)
    elif rule.min_free_bytes and not stays:
        stays = cache_bytes
    return max(stays, rule.reserved_bytes)


def removed_bytes(policy: CollectionPolicy, cache_bytes: int, free_bytes: int) -> int:
    """Return how much cache an engine removes at the most when so much of it is there and so much is free."""
    bound = policy.bound
    stays = stays_bytes(bound, cache_bytes, free_bytes) if bound is not None else cache_bytes
    return max(0, cache_bytes - (stays or 0))


def losses(
    policy: CollectionPolicy, builds: Sequence[CacheOfBuild], filesystem: Filesystem, cache_bytes: int
) -> tuple[CollectionLoss, ...]:
    """Return what garbage collection may take from builds that follow one another, and from the next deploy.

    Args:
        builds: In their order.
        filesystem: The one that the engine measures, as it is now.
        cache_bytes: The cache that is there now and no image has.
    """
    found = []
    free = filesystem.available_bytes + filesystem.reserved_bytes
    there = {key for build in builds for key in build.there}
    for number, build in enumerate(builds):
        free -= build.kept_bytes
        cache_bytes += sum(size for key, size in build.cache.items() if key not in there)
        there |= build.cache.keys()
        later = builds[number + 1 :]
        removed = removed_bytes(policy, cache_bytes, free)
        wanted = {key: size for each in later or builds for key, size in each.cache.items() if key in there}
        if removed and wanted:
            found.append(
                CollectionLoss(
                    after=build.service,
                    free_bytes=max(0, free),
                    removed_bytes=removed,
                    needed_bytes=min(removed, sum(wanted.values())),
                    needed_by=tuple(each.service for each in later if there & each.cache.keys()),
                )
            )
    return tuple(found)


def suited_settings(
    version: str, builds: Sequence[CacheOfBuild], filesystem: Filesystem, reserve_bytes: int
) -> CollectionSettings:
    """Return limits with which nothing that the builds of a stack reuse is removed, and the next one finds room.

    Where three limits can be written: what is reused stays; the rest goes once less is free than the reserve and the
    largest build. Before that only how much stays can be written: twice as much, for what the last change superseded.
    """
    reused = {key: size for build in builds for key, size in build.cache.items()}
    reserved = _up(max(sum(reused.values()), _LEAST_SUITED_BYTES))
    if version_of(version) < THREE_LIMITS:
        return CollectionSettings(enabled=True, reserved_bytes=2 * reserved)
    largest = max((build.peak_bytes for build in builds), default=0)
    # The engine counts blocks that are kept for root as free.
    min_free = _up(min(reserve_bytes + filesystem.reserved_bytes + largest, filesystem.size_bytes // 2))
    # Without an upper limit BuildKit removes one record at each turn although enough is free.
    max_used = max(reserved, _up(filesystem.size_bytes - min_free))
    return CollectionSettings(enabled=True, reserved_bytes=reserved, max_used_bytes=max_used, min_free_bytes=min_free)


def _up(count_bytes: int) -> int:
    return -(-count_bytes // _STEP_BYTES) * _STEP_BYTES
