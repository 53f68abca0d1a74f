"""Whether services fit on one node together, at every moment of the rollout, and what that does to its disk.

A rollout has two parts. First images come: where they are sent, one after the other, the one with the largest copy
first; where the node pulls them, all at once. Then tasks are replaced, those of all services at the same time, as Swarm
does it; images and tasks of before stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.cluster.placement import Delivery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.decide.cluster.problem import PlaceableNode, PlaceableService, PlacementProblem

_MOST_ORDERED = 8
Member = tuple[int, int]
"""A service by index, and how many of its tasks the node must be able to take."""


class NodeRoom(Struct, frozen=True):
    """What a node comes to with some services.

    Args:
        order: The images that come, as masks of layers that the node lacks at the beginning, in the order of coming.
        have: The layers that are there at the beginning, what is reclaimed being gone.
        reclaim_bytes: What must be freed before.
        low_bytes: The least that is available at any moment, that having been freed; None where nobody knows.
        held_bytes: What the layers of all these services take there, unpacked.
    """

    order: tuple[int, ...]
    have: int
    reclaim_bytes: int
    low_bytes: int | None
    moved_bytes: int
    held_bytes: int


def room(problem: PlacementProblem, place: PlaceableNode, members: Sequence[Member]) -> NodeRoom | None:
    """Return what a node comes to with some services; None where they do not fit."""
    if not meets(problem, place, members):
        return None
    union = written_bytes = 0
    for index, _ in members:
        service = problem.services[index]
        union |= service.mask
        written_bytes += service.task_bytes[place.index]
    held_bytes = problem.layers.unpacked.of(union)
    if _nothing_new(problem, place, members, written_bytes, union & ~place.have):
        return NodeRoom((), place.have, 0, place.available_bytes, 0, held_bytes)
    if place.available_bytes is None or place.below_elsewhere:
        return None
    free_bytes = place.available_bytes - place.reserve_bytes
    masks = [problem.services[index].mask for index, _ in members]
    order, need_bytes = _lowest_need(place, masks, place.have, written_bytes, free_bytes)
    have = place.have
    if need_bytes > free_bytes and place.gone:
        # A reclaim takes layers along that could have been of use.
        have &= ~place.gone
        order, need_bytes = _lowest_need(place, masks, have, written_bytes, free_bytes)
    reclaim_bytes = max(0, need_bytes - free_bytes)
    if have != place.have:
        reclaim_bytes = max(1, reclaim_bytes)
    if reclaim_bytes > place.reclaimable_bytes:
        return None
    low_bytes = place.available_bytes + reclaim_bytes - need_bytes
    return NodeRoom(order, have, reclaim_bytes, low_bytes, place.costs.moved.of(union & ~have), held_bytes)


def missing_bytes(problem: PlacementProblem, place: PlaceableNode, members: Sequence[Member]) -> int | None:
    """Return what a node lacks on its disk for some services; None where that is not why they do not fit."""
    if not meets(problem, place, members) or place.available_bytes is None:
        return None
    masks = [problem.services[index].mask for index, _ in members]
    written_bytes = sum(problem.services[index].task_bytes[place.index] for index, _ in members)
    free_bytes = place.available_bytes - place.reserve_bytes
    _, kept_bytes = _lowest_need(place, masks, place.have, written_bytes, free_bytes)
    _, freed_bytes = _lowest_need(place, masks, place.have & ~place.gone, written_bytes, free_bytes)
    return max(0, min(kept_bytes, freed_bytes - place.reclaimable_bytes) - free_bytes)


def _lowest_need(
    place: PlaceableNode, masks: Sequence[int], have: int, written_bytes: int, free_bytes: int
) -> tuple[tuple[int, ...], int]:
    """Return the images that come, in their order, and what is needed at the worst moment.

    Args:
        have: The layers that are there then.
    """
    # Two services of one image are one transfer.
    order = _largest_first(dict.fromkeys(lacks for mask in masks if (lacks := mask & ~have)), place)
    need_bytes = _need(place, order, have, written_bytes)
    if need_bytes > free_bytes and 1 < len(order) <= _MOST_ORDERED and place.costs.delivery is Delivery.LOAD:
        order = lowest_order(place, order, have)
        need_bytes = _need(place, order, have, written_bytes)
    return order, need_bytes


def meets(problem: PlacementProblem, place: PlaceableNode, members: Sequence[Member]) -> bool:
    """Return whether a node has the resources and ports for some services: with more of them it never has again."""
    return _reserved(problem, place, members) and _ports_apart(problem, members)


def kept_fits(place: PlaceableNode, union: int, written_bytes: int) -> bool:
    """Return whether what stays fits: with more services it never does again, whatever order images come in."""
    lacks = union & ~place.have
    if not lacks and not written_bytes:
        return True
    if place.available_bytes is None:
        return False
    free_bytes = place.available_bytes - place.reserve_bytes + place.reclaimable_bytes
    return place.costs.kept.of(lacks) + written_bytes <= free_bytes


def short_of(problem: PlacementProblem, place: PlaceableNode, members: Sequence[Member]) -> str:
    """Return which resource a node lacks for some services, or that two of them want one port; else nothing."""
    needs = _needs(problem, place, members)
    for resource, count in needs.items():
        if count > max(0, place.left.get(resource, 0)):
            return f"{resource} that is not reserved: {max(0, place.left.get(resource, 0))} of {count}"
    return "" if _ports_apart(problem, members) else "a port that another service of the stack has there"


def lowest_order(place: PlaceableNode, images: Sequence[int], have: int) -> tuple[int, ...]:
    """Return the order of sending some images in which the highest moment is the lowest: every order is tried.

    By sets: what lies there after a set of images does not depend on their order.
    """
    costs = place.costs
    best: dict[int, tuple[int, tuple[int, ...]]] = {0: (0, ())}
    for done in range(1 << len(images)):
        peak_bytes, order = best[done]
        there = have
        for position, mask in enumerate(images):
            if done >> position & 1:
                there |= mask
        for position, mask in enumerate(images):
            if done >> position & 1:
                continue
            reached = max(peak_bytes, costs.kept.of((there | mask) & ~have) + costs.temporary.of(mask & ~there))
            after = done | 1 << position
            if after not in best or reached < best[after][0]:
                best[after] = (reached, (*order, mask))
    return best[(1 << len(images)) - 1][1]


def transfer_peak(place: PlaceableNode, order: Sequence[int], have: int) -> int:
    """Return what images need at the highest moment of their coming."""
    costs = place.costs
    if costs.delivery is Delivery.PULL:
        union = 0
        for mask in order:
            union |= mask
        return costs.kept.of(union) + costs.temporary.of(union)
    there, highest = have, 0
    for mask in order:
        copied = costs.temporary.of(mask & ~there)
        there |= mask
        highest = max(highest, costs.kept.of(there & ~have) + copied)
    return highest


def _need(place: PlaceableNode, order: Sequence[int], have: int, written_bytes: int) -> int:
    union = 0
    for mask in order:
        union |= mask
    peak_bytes = transfer_peak(place, order, have)
    if place.costs.delivery is Delivery.PULL:
        # Tasks whose image is there write while others still pull.
        return peak_bytes + written_bytes
    return max(peak_bytes, place.costs.kept.of(union & ~have) + written_bytes)


def _largest_first(images: dict[int, None], place: PlaceableNode) -> tuple[int, ...]:
    return tuple(sorted(images, key=lambda mask: (-place.costs.temporary.of(mask), mask)))


def _nothing_new(
    problem: PlacementProblem, place: PlaceableNode, members: Sequence[Member], written_bytes: int, lacks: int
) -> bool:
    """Return whether a node that is below its reserve already may keep what it has: no byte and no service comes."""
    return not written_bytes and not lacks and all(place.index in problem.services[i].running for i, _ in members)


def _needs(problem: PlacementProblem, place: PlaceableNode, members: Sequence[Member]) -> dict[str, int]:
    """Return what is reserved at the worst moment beyond what runs now, by resource."""
    needs: dict[str, int] = {}
    for index, tasks in members:
        wanted = problem.services[index]
        if not wanted.service.reserved or place.index in wanted.stays_only:
            continue
        running = wanted.running.get(place.index, [])
        for resource, count in wanted.service.reserved.items():
            held = sum(task.reserved.get(resource, 0) for task in running)
            if not wanted.service.changed:
                extra = max(0, tasks - len(running)) * count
            elif wanted.service.starts_first:
                extra = _beside(wanted, place.index, tasks) * count
            else:
                extra = max(0, tasks * count - held)
            needs[resource] = needs.get(resource, 0) + extra
    return needs


def _beside(wanted: PlaceableService, node: int, tasks: int) -> int:
    """Return how many new tasks run beside the old ones: as many as are replaced at once, where all are here."""
    everywhere = sum(map(len, wanted.running.values()))
    here = len(wanted.running.get(node, ()))
    alone = tasks >= wanted.replicas and here == everywhere == wanted.replicas
    at_once = wanted.service.parallelism or wanted.replicas
    return min(tasks, at_once) if alone else tasks


def _reserved(problem: PlacementProblem, place: PlaceableNode, members: Sequence[Member]) -> bool:
    needs = _needs(problem, place, members)
    return all(not count or count <= place.left.get(resource, 0) for resource, count in needs.items())


def _ports_apart(problem: PlacementProblem, members: Sequence[Member]) -> bool:
    ports: set[tuple[int, str]] = set()
    for index, _ in members:
        for port in problem.services[index].service.host_ports:
            if port in ports:
                return False
            ports.add(port)
    return True
