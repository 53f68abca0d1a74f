"""Chooses which wheels lie in shared images: a forest of sets of services, so that most bytes are stored once.

A layer belongs to a chain, so images that services share form a forest: what all have lies lowest, what some of them
have stands on it. All wheels of one set of services lie in one image, so that what changes together stays together.
For each set a layer costs what it has to earn. Exact up to six services; above, only sets that as many of the heaviest
wheels suggest are looked at, and the bound tells how far from the best that can be.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tonnage.model.deploy.sharing import SharedWheel

    Wheels = Mapping[str, Mapping[SharedWheel, str]]

EARNS_BYTES = 20_000_000
"""What a shared image has to save at least: building one takes seconds, and some bytes beside its layer."""
EXACT_UP_TO = 6
_MOST_SETS = 12


class SharedSet(Struct, frozen=True):
    """Services that share wheels, each set after those that hold it."""

    services: tuple[str, ...]
    wheels: tuple[SharedWheel, ...]


class Stored(Struct, frozen=True):
    """Who has a wheel, and which of them have it in one layer, as long as they do not share it.

    Args:
        layers: Layers of images.
        inner: Layers of stages of which images only have copies.
    """

    services: frozenset[str]
    layers: frozenset[frozenset[str]]
    inner: frozenset[frozenset[str]] = frozenset()

    def saved_bytes(self, services: frozenset[str], kept_bytes: int, inner_bytes: int) -> int:
        """Return what of a wheel is kept less once these services share it: it is in a layer of an image then.

        Where that takes more than a stage, and no image consists of it, a build whose cache is removed after each
        service would need more than without.
        """
        outer, inner = (sum(each <= services for each in layers) for layers in (self.layers, self.inner))
        if not outer and inner_bytes < kept_bytes:
            return -kept_bytes
        return (outer - 1) * kept_bytes + inner * inner_bytes


def most_saved_bytes(wheels: Wheels, *, inner: Collection[str] = ()) -> int:
    """Return what would be saved if every wheel were stored once, which no tree need reach."""
    stored = _stored(wheels, inner)
    return sum(max(0, all_of.saved_bytes(all_of.services, *_weights(each))) for each, all_of in stored.items())


def saved_bytes_of(
    services: Collection[str], shared: Collection[SharedWheel], wheels: Wheels, *, inner: Collection[str] = ()
) -> int:
    """Return what is kept less where services share wheels."""
    stored, together = _stored(wheels, inner), frozenset(services)
    return sum(max(0, stored[each].saved_bytes(together, *_weights(each))) for each in shared)


def _weights(wheel: SharedWheel) -> tuple[int, int]:
    return wheel.kept_bytes, wheel.inner_bytes


def shared_sets(
    wheels: Wheels, *, inner: Collection[str] = (), earns_bytes: int = EARNS_BYTES
) -> tuple[SharedSet, ...]:
    """Return the sets of services that share wheels.

    Args:
        wheels: What may be shared, by service, each with the layer that has it otherwise, empty for one that is there
            already; all on the same ground.
        inner: Services that install in a stage of which their image only has copies.
        earns_bytes: What a set has to save.
    """
    stored = _stored(wheels, inner)
    having = {wheel: each.services for wheel, each in stored.items()}
    bytes_of: dict[frozenset[str], int] = defaultdict(int)
    bytes_as: dict[Stored, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for wheel, each in stored.items():
        bytes_of[each.services] += wheel.kept_bytes
        kept_bytes, inner_bytes = bytes_as[each]
        bytes_as[each] = kept_bytes + wheel.kept_bytes, inner_bytes + wheel.inner_bytes
    candidates = _candidates(bytes_of, exact=len(wheels) <= EXACT_UP_TO)

    @cache
    def saved_bytes(services: frozenset[str], above: frozenset[str]) -> int:
        """Return what a set saves with the wheels that all of it has, and not all of the set below it."""
        saved = sum(
            each.saved_bytes(services, *counts)
            for each, counts in bytes_as.items()
            if services <= each.services and not (above and above <= each.services)
        )
        return saved - earns_bytes

    @cache
    def best(rest: frozenset[str], above: frozenset[str]) -> tuple[int, tuple[frozenset[str], ...]]:
        """Return the best forest of the services ``rest`` on the set ``above``."""
        if len(rest) < 2:  # noqa: PLR2004 - one service shares nothing
            return 0, ()
        first = min(rest)
        found = best(rest - {first}, above)
        for each in candidates:
            if first not in each or not each <= rest or each == above:
                continue
            own = saved_bytes(each, above)
            if own <= 0:
                continue
            inside, others = best(each, each), best(rest - each, above)
            value = own + inside[0] + others[0]
            if value > found[0]:
                found = value, (each, *inside[1], *others[1])
        return found

    _, chosen = best(frozenset(wheels), frozenset())
    return tuple(_filled(chosen, having))


def _stored(wheels: Wheels, inner: Collection[str] = ()) -> dict[SharedWheel, Stored]:
    found: dict[SharedWheel, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for service, its in wheels.items():
        for wheel, layer in its.items():
            found[wheel][layer].add(service)
    stored = {}
    for wheel, layers in found.items():
        there = {frozenset(services) for layer, services in layers.items() if layer}
        only_inner = {services for services in there if services <= {*inner}}
        everybody = frozenset(service for services in layers.values() for service in services)
        stored[wheel] = Stored(everybody, frozenset(there - only_inner), frozenset(only_inner))
    return stored


def _candidates(bytes_of: Mapping[frozenset[str], int], *, exact: bool) -> list[frozenset[str]]:
    """Return the sets that may share: any that has something in common, or those of the heaviest wheels."""
    weighing = sorted(bytes_of, key=lambda each: (-bytes_of[each] * (len(each) - 1), sorted(each)))
    if exact:
        found = {
            frozenset(some)
            for each in weighing
            for size in range(2, len(each) + 1)
            for some in combinations(each, size)
        }
    else:
        found = {each for each in weighing[:_MOST_SETS] if len(each) > 1}
        found |= {one & other for one in found for other in found if len(one & other) > 1}
        found = set(sorted(found, key=lambda each: (-_held(each, bytes_of), sorted(each)))[:_MOST_SETS])
    return sorted(found, key=lambda each: (-len(each), sorted(each)))


def _held(services: frozenset[str], bytes_of: Mapping[frozenset[str], int]) -> int:
    return (len(services) - 1) * sum(count for every, count in bytes_of.items() if services <= every)


def _filled(chosen: Collection[frozenset[str]], having: Mapping[SharedWheel, frozenset[str]]) -> list[SharedSet]:
    found = []
    for each in sorted(chosen, key=lambda every: (-len(every), sorted(every))):
        holding = [other for other in chosen if each < other]
        its = [
            wheel
            for wheel, services in having.items()
            if each <= services and not any(other <= services for other in holding)
        ]
        found.append(SharedSet(tuple(sorted(each)), tuple(sorted(its, key=lambda wheel: (wheel.name, wheel.version)))))
    return found
