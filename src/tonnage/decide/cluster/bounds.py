"""What any placement moves at least, by layers: how far from the best one a placement can be.

A layer that several services have must come to as many nodes as the one that needs most of them, less those that have
it. Layers of one service alone come to its cheapest nodes. The two add up, as no layer is in both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.cluster.layer_sums import bits

if TYPE_CHECKING:
    from tonnage.decide.cluster.problem import PlacementProblem


def own_masks(problem: PlacementProblem) -> tuple[int, ...]:
    """Return of each service the layers that no other service has."""
    once = twice = 0
    for each in problem.services:
        twice |= once & each.mask
        once |= each.mask
    return tuple(each.mask & ~twice for each in problem.services)


def least_moved(problem: PlacementProblem) -> int:
    """Return the bytes that every placement moves at least."""
    own = own_masks(problem)
    having = [0] * len(problem.layers.layers)
    for place in problem.nodes:
        for layer in bits(place.have):
            having[layer] |= 1 << place.index
    kinds = {id(place.costs): place.costs for place in problem.nodes}
    cheapest = [min((each.moved.values[layer] for each in kinds.values()), default=0) for layer in range(len(having))]
    needed = [0] * len(having)
    result = 0
    for wanted, alone in zip(problem.services, own, strict=True):
        fewest = min(wanted.fewest, len(wanted.eligible))
        costs = sorted(
            place.costs.moved.of(alone & ~place.have) for place in map(problem.nodes.__getitem__, wanted.eligible)
        )
        result += sum(costs[:fewest])
        eligible = sum(1 << node for node in wanted.eligible)
        for layer in bits(wanted.mask & ~alone):
            needed[layer] = max(needed[layer], fewest - (eligible & having[layer]).bit_count())
    return result + sum(count * cheapest[layer] for layer, count in enumerate(needed))
