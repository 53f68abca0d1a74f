"""A rollout walked step by step on plain sets and numbers: written without the code that decides placements.

:func:`trouble` says what goes wrong on one node with some services, :func:`best` tries every placement there is.
"""

from __future__ import annotations

from itertools import permutations, product
from math import ceil, inf
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.cluster.node import MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.model.cluster.node import Cluster, ClusterNode
    from tonnage.model.cluster.service import ClusterLayer, ClusterService

STACK = "shop"


def runs(service: ClusterService, node: ClusterNode) -> int:
    """Count the tasks of a service that go on on a node."""
    if node.state.value == "down" or node.availability.value == "drain":
        return 0
    return sum(1 for task in node.tasks if (task.stack, task.service) == (STACK, service.name))


def keeps(service: ClusterService, node: ClusterNode) -> bool:
    """Return whether what runs there is what shall run."""
    return not service.changed and runs(service, node) > 0


def meets(service: ClusterService, node: ClusterNode) -> bool:
    """Return whether a node meets the constraints of a service."""
    zone = node.labels["zone"]
    rules = {
        "node.labels.zone==east": zone == "east",
        "node.labels.zone != west": zone != "west",
        "node.role==WORKER": node.role == "worker",
    }
    return all(rules.get(each, each != f"node.id!={node.node_id}") for each in service.constraints)


def allowed(service: ClusterService, node: ClusterNode, cluster: Cluster) -> bool:
    """Return whether a node may have a service, its disk and its neighbours left aside."""
    if not meets(service, node):
        return False
    if service.image.platforms and node.architecture != "x86_64":
        return False
    if keeps(service, node):
        return True
    if node.state.value != "ready" or node.availability.value != "active" or not node.observed:
        return False
    if node.disks[0].available_bytes is None or (service.binds and "/srv/data" not in (node.paths or ())):
        return False
    lacks = [each for each in service.image.layers if each.chain_id not in node.layers]
    if lacks and not node.address and not service.image.in_registry:
        return False
    return _has_volume(service, node, cluster) and _port_free(service, node)


def _has_volume(service: ClusterService, node: ClusterNode, cluster: Cluster) -> bool:
    homes = [
        each.node_id
        for each in cluster.nodes
        if "shop_data" in each.volumes or (not each.observed and runs(service, each))
    ]
    return not service.volumes or not homes or node.node_id in homes


def _port_free(service: ClusterService, node: ClusterNode) -> bool:
    own = [task for task in node.tasks if (task.stack, task.service) == (STACK, service.name)]
    for task in node.tasks:
        if set(task.host_ports) & set(service.host_ports) and (task not in own or service.starts_first):
            return False
    limited = service.starts_first and service.max_per_node and not service.host_ports
    return not limited or len(own) < service.max_per_node


def quiet(service: ClusterService, node: ClusterNode) -> bool:
    """Return whether a node only keeps tasks of a service and gets none."""
    takes = node.state.value == "ready" and node.availability.value == "active" and node.observed
    return keeps(service, node) and not (takes and node.disks[0].available_bytes is not None)


def failover(service: ClusterService, cluster: Cluster) -> int:
    """Return on how many nodes an image must lie."""
    return min(service.failover or 1, sum(allowed(service, node, cluster) for node in cluster.nodes))


def share(service: ClusterService, chosen: Sequence[ClusterNode], cluster: Cluster) -> int | None:
    """Return how many tasks each of the chosen nodes must be able to take; None where they cannot take all."""
    if service.is_global:
        return 1
    taking = [node for node in chosen if not quiet(service, node)]
    rest = service.replicas - sum(runs(service, node) for node in chosen if quiet(service, node))
    limit = 1 if service.host_ports else service.max_per_node or inf
    if rest > limit * len(taking) or (rest > 0 and not taking):
        return None
    lost = failover(service, cluster) - 1
    return int(min(limit, ceil(max(rest, 1) / max(1, len(taking) - lost))))


def image_needs(node: ClusterNode, images: Sequence[Sequence[ClusterLayer]]) -> Iterator[int]:
    """Yield what lies on a node's disk beyond what was there, after every write and removal while images come."""
    there, kept = set(node.layers), 0
    if node.address:
        for image in images:
            lacks = [each for each in image if each.chain_id not in there]
            copies = 0
            for each in lacks:
                copies += each.sent.high_bytes
                yield kept + copies
            for each in lacks:
                kept += each.unpacked.high_bytes
                there.add(each.chain_id)
                yield kept + copies
            if node.store == "containerd":
                kept += copies
            yield kept
        return
    copies = 0
    for each in {layer.chain_id: layer for image in images for layer in image}.values():
        if each.chain_id not in there:
            copies += each.compressed.high_bytes
            kept += each.unpacked.high_bytes
            yield kept + copies
    # All of them lie there while the last of them is unpacked.
    yield kept + copies


def task_needs(service: ClusterService, node: ClusterNode, cluster: Cluster) -> int:
    """Return what new tasks add at their worst moment, one replaced after the other."""
    if quiet(service, node):
        return 0
    limit = 1 if service.is_global or service.host_ports else service.max_per_node or inf
    most = int(1 if service.is_global else min(service.replicas, limit))
    if not service.changed:
        return max(0, most - runs(service, node)) * service.task.high_bytes
    running = sum(1 for each in cluster.nodes if runs(service, each))
    certain = service.is_global or (service.replicas == 1 and failover(service, cluster) == 1 and running <= 1)
    now = highest = 0
    old = [task.writable_bytes or 0 for task in node.tasks if (task.stack, task.service) == (STACK, service.name)]
    for _ in range(most):
        if (
            certain
            and not cluster.keeps_ended_tasks
            and not service.starts_first
            and len(old) == 1
            and runs(service, node)
        ):
            now -= old.pop()
        now += service.task.high_bytes
        highest = max(highest, now)
    return highest


def memory_fits(members: Sequence[tuple[ClusterService, int]], node: ClusterNode, cluster: Cluster) -> bool:
    """Return whether the memory of a node is enough for old and new tasks at every moment."""
    extra = 0
    for service, tasks in members:
        memory = service.reserved.get(MEMORY, 0)
        here = runs(service, node)
        if quiet(service, node) or not memory:
            continue
        if not service.changed or not service.starts_first:
            extra += max(0, tasks - here) * memory
        else:
            everywhere = sum(runs(service, each) for each in cluster.nodes)
            alone = tasks >= service.replicas and here == everywhere == service.replicas and not service.is_global
            alone = alone or (service.is_global and here == everywhere == _globals(service, cluster) == 1)
            extra += (min(tasks, service.parallelism or service.replicas) if alone else tasks) * memory
    used = sum(task.reserved.get(MEMORY, 0) for task in node.tasks)
    return not extra or used + extra <= node.capacity[MEMORY]


def _globals(service: ClusterService, cluster: Cluster) -> int:
    return sum(allowed(service, node, cluster) for node in cluster.nodes)


def reclaimed(
    members: Sequence[tuple[ClusterService, int]],
    node: ClusterNode,
    cluster: Cluster,
    order: Sequence[Sequence[ClusterLayer]] | None = None,
) -> tuple[int, ClusterNode] | None:
    """Return what must be reclaimed on a node before its services come, and the node after it; None for no space.

    Args:
        order: The images that come, in this order; None for every order.
    """
    ports = [port for service, _ in members for port in service.host_ports]
    if len(ports) != len(set(ports)) or not memory_fits(members, node, cluster):
        return None
    disk = node.disks[0]
    written = sum(task_needs(service, node, cluster) for service, _ in members)
    if not lacking(members, node) and not written and all(runs(service, node) for service, _ in members):
        return 0, node
    if disk.available_bytes is None:
        return None
    missing = lowest(members, node, written, order) - (disk.available_bytes - disk.reserve_bytes)
    if missing > 0 and node.reclaimable_layers:
        node = replace(node, layers={each: None for each in node.layers if each not in node.reclaimable_layers})
        missing = max(1, lowest(members, node, written, order) - (disk.available_bytes - disk.reserve_bytes))
    return (max(0, missing), node) if missing <= disk.reclaimable_bytes else None


def lowest(
    members: Sequence[tuple[ClusterService, int]],
    node: ClusterNode,
    written: int,
    order: Sequence[Sequence[ClusterLayer]] | None,
) -> int:
    """Return what a node's disk needs at the worst moment, in the best order."""
    needs = []
    for each in permutations(lacking(members, node)) if order is None else [order]:
        course = [0, *image_needs(node, each)]
        # Sent images are there before tasks start; who pulls has tasks of one image beside the pull of another.
        needs.append(max(*course, course[-1] + written) if node.address else max(course) + written)
    return min(needs)


def lacking(members: Sequence[tuple[ClusterService, int]], node: ClusterNode) -> list[Sequence[ClusterLayer]]:
    """Return the layers of each image of which a node lacks some."""
    return [
        service.image.layers
        for service, _ in members
        if any(layer.chain_id not in node.layers for layer in service.image.layers)
    ]


def placements(cluster: Cluster, services: Sequence[ClusterService]) -> Iterator[tuple[tuple[ClusterNode, ...], ...]]:
    """Yield every choice of nodes for all services that their own rules allow."""
    options = []
    for service in services:
        nodes = [node for node in cluster.nodes if allowed(service, node, cluster)]
        if service.is_global:
            # It may run nowhere when it asks for that, and not because all that it asks for are silent.
            options.append([tuple(nodes)] if nodes or not any(meets(service, n) for n in cluster.nodes) else [])
            continue
        if not service.replicas:
            options.append([()])
            continue
        subsets = [
            tuple(node for node, taken in zip(nodes, takes, strict=True) if taken)
            for takes in product((False, True), repeat=len(nodes))
        ]
        enough = [each for each in subsets if len(each) >= max(1, failover(service, cluster))]
        options.append([each for each in enough if share(service, each, cluster) is not None])
    yield from product(*options)


def best(cluster: Cluster, services: Sequence[ClusterService]) -> tuple[int, int, int] | None:
    """Return wishes left open, tasks moved and bytes sent of the best placement; None where there is none."""
    found, seen = None, Seen()
    for chosen in placements(cluster, services):
        figures = figures_of(cluster, services, chosen, seen)
        if figures is not None and (found is None or figures < found):
            found = figures
    return found


Seen = dict[tuple[str, tuple[tuple[str, int], ...]], int | None]
"""The bytes that come to a node with some services; None where they do not fit there. It was walked before."""


def figures_of(
    cluster: Cluster, services: Sequence[ClusterService], chosen: Sequence[Sequence[ClusterNode]], seen: Seen
) -> tuple[int, int, int] | None:
    """Return wishes left open, tasks moved and bytes sent of one placement; None where it does not fit."""
    moved = 0
    placed = [(s, nodes, share(s, nodes, cluster) or 0) for s, nodes in zip(services, chosen, strict=True)]
    for node in cluster.nodes:
        members = [(s, tasks) for s, nodes, tasks in placed if node in nodes]
        key = (node.node_id, tuple((s.name, tasks) for s, tasks in members))
        if key not in seen:
            seen[key] = sent_to(node, members, cluster)
        if (sent := seen[key]) is None:
            return None
        moved += sent
    open_wishes = moves = 0
    for service, nodes in zip(services, chosen, strict=True):
        open_wishes += wishes_left(service, nodes, cluster)
        wanted = len(nodes) if service.is_global else service.replicas
        total = min(wanted, sum(runs(service, node) for node in cluster.nodes))
        moves += total - min(total, sum(runs(service, node) for node in nodes))
    return open_wishes, moves, moved


def sent_to(node: ClusterNode, members: Sequence[tuple[ClusterService, int]], cluster: Cluster) -> int | None:
    """Return the bytes that come to a node with some services; None where no order of sending them fits."""
    found = reclaimed(members, node, cluster)
    if found is None:
        return None
    node = found[1]
    images = lacking(members, node)
    layers = {layer.chain_id: layer for image in images for layer in image if layer.chain_id not in node.layers}
    return sum((each.sent if node.address else each.compressed).high_bytes for each in layers.values())


def wishes_left(service: ClusterService, nodes: Sequence[ClusterNode], cluster: Cluster) -> int:
    """Count what a service wishes and does not get: two nodes for replicas, and nodes in different zones."""
    if service.is_global or not service.replicas:
        return 0
    able = [node for node in cluster.nodes if allowed(service, node, cluster)]
    left = int(service.failover is None and service.replicas > 1 and len(able) > 1 and len(nodes) < 2)
    if service.spread:
        zones = len({node.labels["zone"] for node in able})
        wanted = min(max(service.replicas, failover(service, cluster)), zones)
        left += len({node.labels["zone"] for node in nodes}) < wanted
    return left
