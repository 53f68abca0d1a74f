"""Why a service cannot run on a node, whatever else runs there: the node's state, rules of Swarm, volumes, paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.cluster.constraints import unmet
from tonnage.model.cluster.node import Availability, NodeState
from tonnage.model.cluster.placement import Delivery

if TYPE_CHECKING:
    from tonnage.decide.cluster.constraints import PlacementConstraint
    from tonnage.decide.cluster.problem import PlaceableNode
    from tonnage.model.cluster.node import ClusterNode
    from tonnage.model.cluster.service import ClusterService

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def takes_nothing(node: ClusterNode) -> str:
    """Return why a node gets nothing new at all; empty where it may."""
    if node.state is not NodeState.READY:
        return f"the node is {node.state.value}"
    if node.availability is Availability.DRAIN:
        return "the node is drained"
    if node.availability is Availability.PAUSE:
        return "the node is paused"
    if not node.observed:
        return f"the node did not answer{f': {node.why_not}' if node.why_not else ''}"
    disk = node.image_disk
    if disk is None or disk.available_bytes is None:
        return "the node did not tell what is available on its disk"
    return ""


def ruled_out(
    service: ClusterService,
    constraints: tuple[PlacementConstraint, ...],
    place: PlaceableNode,
    mask: int,
    *,
    stack: str,
    homes: dict[str, tuple[int, ...]],
    stays: bool,
) -> str:
    """Return why a service cannot run on a node; empty where it can as far as it alone can tell.

    Args:
        mask: The layers of its image.
        homes: The nodes that have each of its volumes, where any has it.
        stays: Whether it runs there, and its tasks are not replaced.
    """
    node = place.node
    if constraints and (failed := unmet(constraints, node)):
        return f"the constraint {failed} is not met"
    if service.image.platforms and not _suits(service.image.platforms, node):
        return f"the image is for {', '.join(service.image.platforms)} and the node is {node.os}/{node.architecture}"
    if stays:
        return ""
    return (
        place.closed
        or (_without_data(service, place, homes) if homes or service.binds else "")
        or (_port_taken(service, node, stack) if service.host_ports or service.max_per_node else "")
        or (_not_delivered(service, place, mask) if mask & ~place.have else "")
    )


def _suits(platforms: tuple[str, ...], node: ClusterNode) -> bool:
    """Compare as Swarm does: variants do not count, and two architectures have two names."""
    here = (node.os.lower(), _normal(node.architecture))
    for platform in platforms:
        system, _, architecture = platform.partition("/")
        if (system.lower(), _normal(architecture.split("/")[0])) == here:
            return True
    return False


def _normal(architecture: str) -> str:
    return _ARCHITECTURES.get(architecture.lower(), architecture.lower())


def _without_data(service: ClusterService, place: PlaceableNode, homes: dict[str, tuple[int, ...]]) -> str:
    for volume, holders in homes.items():
        if place.index not in holders:
            return f"the volume {volume} is on another node"
    if service.binds and place.node.paths is None:
        return "whether the paths that it mounts exist was not checked"
    lacking = next((path for path in service.binds if path not in (place.node.paths or ())), None)
    return f"the path {lacking} is not there" if lacking is not None else ""


def _port_taken(service: ClusterService, node: ClusterNode, stack: str) -> str:
    """Return which port something else holds. A service that starts first needs its own ports a second time."""
    for port in service.host_ports:
        if port in node.busy_ports:
            return f"port {port[0]}/{port[1]} is taken"
        for task in node.tasks:
            own = task.stack == stack and task.service == service.name
            if port in task.host_ports and not own:
                return f"port {port[0]}/{port[1]} is taken by {task.stack}{'_' if task.stack else ''}{task.service}"
            if port in task.host_ports and service.starts_first:
                return f"port {port[0]}/{port[1]} is taken by its running version, and it is updated start-first"
    here = sum(1 for task in node.tasks if task.stack == stack and task.service == service.name)
    if service.starts_first and service.max_per_node and here >= service.max_per_node and not service.host_ports:
        return f"it runs there {here} times, is updated start-first, and may run there {service.max_per_node} times"
    return ""


def _not_delivered(service: ClusterService, place: PlaceableNode, mask: int) -> str:
    if mask & ~place.have & place.costs.unknown:
        return "the bytes of its image are not known"
    if place.costs.delivery is Delivery.PULL and not service.image.in_registry:
        return "the image is in no registry, and the node is not reached by ssh"
    return ""
