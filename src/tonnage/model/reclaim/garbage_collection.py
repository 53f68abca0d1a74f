"""Garbage collection of an engine: what BuildKit removes of its cache by itself, after builds.

Records that an image has too are neither counted nor removed by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.inventory import Filesystem


class CollectionRule(Struct, frozen=True, kw_only=True):
    """One rule: it removes the oldest records until what is left is below its bounds.

    Args:
        filters: Which records it is about, in BuildKit's words; empty for all.
        unused_s: Only those that were not used for so long.
        reserved_bytes: So much of the cache always stays.
        max_used_bytes: So much of it stays at most; 0 for no bound.
        min_free_bytes: So much of the filesystem shall be free; 0 for no bound.
        every_kind: Internal records and those of frontends too.
    """

    filters: tuple[str, ...] = ()
    unused_s: int = 0
    reserved_bytes: int = 0
    max_used_bytes: int = 0
    min_free_bytes: int = 0
    every_kind: bool = False

    @property
    def matches_nothing(self) -> bool:
        """Whether it asks for several kinds at once, which no record is."""
        return any(each.count("type==") > 1 for each in self.filters)


class CollectionPolicy(Struct, frozen=True, kw_only=True):
    """The rules in the order in which they are applied; without any nothing is ever removed.

    Args:
        told_by: Who says so, in words; empty where nobody does, and the rules are not known.
    """

    rules: tuple[CollectionRule, ...]
    told_by: str

    @property
    def bound(self) -> CollectionRule | None:
        """The rule that bounds the whole cache, whatever it is and however lately it was used; None without one."""
        return next((rule for rule in self.rules if not rule.filters and not rule.unused_s), None)


class CollectionSettings(Struct, frozen=True, kw_only=True):
    """``builder.gc`` of an engine's configuration; None and 0 where nothing is written.

    Args:
        enabled: Whether there is garbage collection; None for the engine's default.
        rules: Rules in place of the default ones; None for those.
    """

    enabled: bool | None = None
    rules: tuple[CollectionRule, ...] | None = None
    reserved_bytes: int = 0
    max_used_bytes: int = 0
    min_free_bytes: int = 0


class CacheOfBuild(Struct, frozen=True, kw_only=True):
    """What one build of a stack does, as far as garbage collection is concerned. Forecast.

    Args:
        kept_bytes: What stays of it on the filesystem, cache included.
        peak_bytes: The most that it needs there at its worst moment.
        cache: What it keeps in the build cache and no image has, by identity; also what is there already.
        there: The identities of what is there already.
    """

    service: str
    kept_bytes: int
    peak_bytes: int
    cache: dict[str, int]
    there: frozenset[str] = frozenset()

    @property
    def cache_bytes(self) -> int:
        """All its cache."""
        return sum(self.cache.values())


class CollectionLoss(Struct, frozen=True, kw_only=True):
    """Cache that garbage collection may take from a stack.

    Args:
        after: The service after whose build that happens.
        free_bytes: What would be free then, with the blocks that are kept for root.
        removed_bytes: What would be removed at the most.
        needed_bytes: How much cache of those that come later is among what it chooses from.
        needed_by: The services that would have found it; empty where only the next deploy would.
    """

    after: str
    free_bytes: int
    removed_bytes: int
    needed_bytes: int
    needed_by: tuple[str, ...] = ()


class CollectionReport(Struct, frozen=True, kw_only=True):
    """What is known of the garbage collection of one engine.

    Args:
        filesystem: The one that it measures: that of the data root.
        reserve_bytes: What must remain available there.
        cache_bytes: What it counts now: cache that no image has.
        cache_mount: Where the cache lies, if that is another filesystem, which it never looks at; else empty.
        builder: The builder beside the engine that it is of; empty for the engine's own.
        losses: What it may take from the stack, in the order of its builds.
        unknown: Services whose builds are not forecast.
    """

    version: str
    policy: CollectionPolicy
    filesystem: Filesystem
    reserve_bytes: int
    cache_bytes: int
    cache_mount: str = ""
    builder: str = ""
    losses: tuple[CollectionLoss, ...] = ()
    unknown: tuple[str, ...] = ()
