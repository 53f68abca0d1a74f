"""Which images must stay on each node: what a task there, a rollback, or a placement needs.

A reclaim removes everything else. Of a node that did not answer nothing is removed, so it has no entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.cluster.labels import placed_services
from tonnage.model.cluster.placement import KeptImage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.cluster.node import Cluster, ClusterNode
    from tonnage.model.cluster.placement import Placement
    from tonnage.model.cluster.service import ClusterService


def kept_images(
    cluster: Cluster, placement: Placement | None, services: Sequence[ClusterService], *, stack: str
) -> tuple[KeptImage, ...]:
    """Return what must stay on each node that answered, each image once with the first reason.

    Args:
        placement: Where the stack runs; None for what the labels of nodes say.
        services: The services of the stack.
    """
    by_name = {each.name: each for each in services}
    placed = _placed_by_node(placement)
    # What other stacks have placed is known by what runs anywhere under their services.
    elsewhere = {(task.stack, task.service): task.image for node in cluster.nodes for task in node.tasks}
    found: list[KeptImage] = []
    for node in cluster.nodes:
        if not node.observed:
            continue
        told = placed_services(node.labels)
        labelled = [name for of, name in told if of == stack]
        reasons: dict[str, str] = {}
        for task in node.tasks:
            reasons.setdefault(task.image, f"{_named(task.stack, task.service)} runs it")
        for name in labelled if placement is None else placed.get(node.node_id, []):
            if name in by_name:
                _add(reasons, by_name[name])
        for other in told:
            if other[0] != stack and other in elsewhere:
                reasons.setdefault(elsewhere[other], f"{_named(*other)} may run here")
        found += [KeptImage(node_id=node.node_id, reference=each, why=why) for each, why in reasons.items()]
    return tuple(found)


def _placed_by_node(placement: Placement | None) -> dict[str, list[str]]:
    placed: dict[str, list[str]] = {}
    for assignment in placement.assignments if placement else ():
        for chosen in assignment.nodes:
            placed.setdefault(chosen.node_id, []).append(assignment.service)
    return placed


def _add(reasons: dict[str, str], service: ClusterService) -> None:
    reasons.setdefault(service.image.reference, f"{service.name} may run here")
    for reference in service.previous:
        reasons.setdefault(reference, f"a rollback of {service.name} needs it")


def _named(stack: str, service: str) -> str:
    return f"{stack}_{service}" if stack else service


def removable_images(node: ClusterNode, kept: Sequence[KeptImage]) -> tuple[str, ...]:
    """Return the references on a node that nothing needs; none of a node that did not answer.

    A reference that names the same layers as one that stays is among them: removing it frees nothing.
    """
    if not node.observed:
        return ()
    needed = {each.reference for each in kept if each.node_id == node.node_id}
    return tuple(sorted(set(node.images) - needed))
