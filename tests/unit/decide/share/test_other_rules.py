"""On an engine, where layers belong to chains, our forest stores less than the rules of others that cut single images.

apko puts packages of one origin into a layer, the heaviest groups first, up to a budget of layers; Nix gives what most
others of an image need a layer of its own, and the rest one. Both look at one image at a time.

Source: apko, ``pkg/build/layers.go``; nixpkgs, ``pkgs/build-support/references-by-popularity``.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from tonnage.decide.share.choice import shared_sets
from tonnage.model.deploy.sharing import SharedWheel

Layers = list[frozenset[SharedWheel]]


@dataclass(frozen=True)
class Market:
    """Packages, what each needs, and where they come from."""

    wheels: tuple[SharedWheel, ...]
    needs: dict[SharedWheel, tuple[SharedWheel, ...]]
    origin: dict[SharedWheel, int]

    def closure(self, wanted: list[SharedWheel]) -> list[SharedWheel]:
        """Return what is installed for some packages, in the order of their names."""
        found, pending = set[SharedWheel](), list(wanted)
        while pending:
            each = pending.pop()
            if each not in found:
                found.add(each)
                pending += self.needs[each]
        return sorted(found, key=lambda each: each.name)


def market(chance: random.Random, count: int) -> Market:
    wheels = tuple(
        SharedWheel(f"w{number:02}", "1.0", f"sha256:{number}", "", int(chance.lognormvariate(3, 1.5)) + 1)
        for number in range(count)
    )
    needs = {
        each: tuple(chance.sample(wheels[:number], min(number, chance.randint(0, 2))))
        for number, each in enumerate(wheels)
    }
    return Market(wheels, needs, {each: number // 3 for number, each in enumerate(wheels)})


def by_origin(stack: Market, image: list[SharedWheel], budget: int) -> Layers:
    groups: dict[int, set[SharedWheel]] = {}
    for each in image:
        groups.setdefault(stack.origin[each], set()).add(each)
    ordered = sorted(groups.values(), key=lambda its: (-weight(its), min(each.name for each in its)))
    rest = [each for its in ordered[budget - 1 :] for each in its]
    return [*map(frozenset, ordered[: budget - 1]), *([frozenset(rest)] if rest else [])]


def by_popularity(stack: Market, image: list[SharedWheel], budget: int) -> Layers:
    wanted = {each: sum(each in stack.closure([other]) for other in image) for each in image}
    ordered = sorted(image, key=lambda each: (-wanted[each], each.name))
    rest = ordered[budget - 1 :]
    return [*(frozenset((each,)) for each in ordered[: budget - 1]), *([frozenset(rest)] if rest else [])]


def in_our_forest(images: dict[str, list[SharedWheel]]) -> list[Layers]:
    sets = shared_sets({name: dict.fromkeys(its, name) for name, its in images.items()}, earns_bytes=1)
    found = []
    for name, its in images.items():
        below = [frozenset(each.wheels) for each in sets if name in each.services]
        rest = frozenset(its) - frozenset().union(*below)
        found.append([*below, *([rest] if rest else [])])
    return found


def weight(wheels: set[SharedWheel] | frozenset[SharedWheel]) -> int:
    return sum(each.kept_bytes for each in wheels)


def stored_bytes(images: list[Layers]) -> int:
    """Return what an engine stores: a layer once for each chain that it ends."""
    chains = {tuple(layers[: end + 1]) for layers in images for end in range(len(layers))}
    return sum(weight(chain[-1]) for chain in chains)


@pytest.mark.parametrize("budget", [8, 100])
def test_our_forest_stores_no_more_than_origins_or_popularity_and_less_in_all(budget: int) -> None:
    chance = random.Random(42)
    sums = {"ours": 0, "origins": 0, "popularity": 0, "once": 0, "alone": 0}
    for number in range(120):
        stack = market(chance, 24)
        images = {
            f"s{each}": stack.closure(chance.sample(stack.wheels, chance.randint(1, 4)))
            for each in range(2 + number % 5)
        }
        ours = stored_bytes(in_our_forest(images))
        origins = stored_bytes([by_origin(stack, its, budget) for its in images.values()])
        popularity = stored_bytes([by_popularity(stack, its, budget) for its in images.values()])
        assert ours <= min(origins, popularity), images
        once = weight({each for its in images.values() for each in its})
        alone = sum(weight(set(its)) for its in images.values())
        for name, found in zip(sums, (ours, origins, popularity, once, alone), strict=True):
            sums[name] += found
    assert sums["once"] <= sums["ours"] < 0.97 * min(sums["origins"], sums["popularity"]), sums
