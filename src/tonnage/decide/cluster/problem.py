"""The question of a placement in numbers: nodes and services by index, layers as bits, and who may go where at all.

What is decided here needs no search: rules of Swarm, homes of volumes, paths, platforms. What depends on which services
meet on a node is ``room.py``'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.cluster.constraints import label_or_fact
from tonnage.decide.cluster.eligibility import ruled_out, takes_nothing
from tonnage.decide.cluster.layer_sums import high_bytes, layer_bits
from tonnage.model.cluster.placement import Delivery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.decide.cluster.constraints import PlacementConstraint
    from tonnage.decide.cluster.layer_sums import DeliveryBytes, LayerBits
    from tonnage.model.cluster.node import Cluster, ClusterNode, RunningTask
    from tonnage.model.cluster.service import ClusterService


class PlaceableNode(Struct):
    """One node.

    Args:
        have: The layers that are there; ``gone`` those of them that a reclaim removes.
        available_bytes: Of the filesystem with the images; None where nobody knows.
        left: What is not reserved by what runs there, by resource.
        below_elsewhere: Whether another of its filesystems is below its reserve.
        closed: Why it gets nothing new at all; empty where it may.
    """

    index: int
    node: ClusterNode
    have: int
    gone: int
    costs: DeliveryBytes
    available_bytes: int | None
    reserve_bytes: int
    reclaimable_bytes: int
    left: dict[str, int]
    below_elsewhere: bool
    closed: str


class PlaceableService(Struct):
    """One service.

    Args:
        mask: The layers of its image.
        running: Its tasks by node, on nodes where they go on.
        eligible: The nodes that it may run on as far as it alone can tell, ascending.
        stays_only: Of these, the nodes that keep its tasks and get no new one.
        why: Why each other node is ruled out.
        task_bytes: What its new tasks write at their worst moment, on each eligible node.
        fewest: The fewest nodes; ``wished`` the fewest that are wished for; ``most`` the most that can be of use.
        failover: On how many nodes its image shall lie.
        spreads: Of each preference, the value that each eligible node has, and how many different ones are wished for.
    """

    index: int
    service: ClusterService
    mask: int
    running: dict[int, list[RunningTask]]
    eligible: tuple[int, ...]
    stays_only: frozenset[int]
    why: dict[int, str]
    task_bytes: dict[int, int]
    failover: int
    fewest: int
    wished: int
    most: int
    spreads: tuple[tuple[dict[int, str], int], ...] = ()

    @property
    def running_count(self) -> int:
        """How many of its tasks run and count as its own."""
        return min(sum(map(len, self.running.values())), self.replicas)

    @property
    def replicas(self) -> int:
        """How many tasks it shall have."""
        return len(self.eligible) if self.service.is_global else self.service.replicas

    def tasks_on(self, chosen: Sequence[int]) -> int | None:
        """Return how many tasks each chosen node that gets new ones must be able to take; None where they cannot."""
        staying = [node for node in chosen if node in self.stays_only]
        return self.tasks_each(staying, len(chosen) - len(staying))

    def tasks_each(self, staying: Sequence[int], taking: int) -> int | None:
        """Return how many tasks each of some nodes must be able to take, beside those that only keep what they have."""
        if self.service.is_global:
            return 1
        rest = self.replicas - sum(len(self.running[node]) for node in staying)
        if rest > 0 and (taking == 0 or (self.limit and rest > self.limit * taking)):
            return None
        wanted = -(-max(rest, 1) // max(1, taking - self.failover + 1))
        return min(wanted, self.limit) if self.limit else wanted

    @property
    def limit(self) -> int:
        """How many of its tasks one node may have; 0 for any number."""
        return 1 if self.service.host_ports else self.service.max_per_node

    def stay(self, chosen: Sequence[int]) -> int:
        """Return how many of its running tasks are on nodes where it stays."""
        return min(self.running_count, sum(len(self.running.get(node, ())) for node in chosen))

    def missed(self, chosen: Sequence[int]) -> int:
        """Return how many wishes a choice of nodes leaves open."""
        apart = sum(len({values[node] for node in chosen}) < wanted for values, wanted in self.spreads)
        return apart + (len(chosen) < self.wished)


class PlacementProblem(Struct):
    """All of it."""

    cluster: Cluster
    nodes: tuple[PlaceableNode, ...]
    services: tuple[PlaceableService, ...]
    layers: LayerBits


def placement_problem(
    cluster: Cluster,
    services: Sequence[ClusterService],
    constraints: Sequence[tuple[PlacementConstraint, ...]],
    *,
    stack: str,
    failover: int | None,
) -> PlacementProblem:
    """Put the question into numbers.

    Args:
        constraints: Those of each service.
        failover: On how many nodes the image of a service shall lie that does not say it itself.
    """
    layers = layer_bits(services)
    nodes = tuple(_node(index, node, layers) for index, node in enumerate(cluster.nodes))
    placeable = tuple(
        _service(index, service, constraints[index], nodes, layers, cluster, stack, failover)
        for index, service in enumerate(services)
    )
    return PlacementProblem(cluster, nodes, placeable, layers)


def _node(index: int, node: ClusterNode, layers: LayerBits) -> PlaceableNode:
    disk = node.image_disk
    left = dict(node.capacity)
    for task in node.tasks:
        for resource, count in task.reserved.items():
            left[resource] = left.get(resource, 0) - count
    return PlaceableNode(
        index=index,
        node=node,
        have=layers.mask(node.layers),
        gone=layers.mask(node.reclaimable_layers),
        costs=layers.delivered(Delivery.LOAD if node.address else Delivery.PULL, node.store),
        available_bytes=disk.available_bytes if disk else None,
        reserve_bytes=disk.reserve_bytes if disk else 0,
        reclaimable_bytes=disk.reclaimable_bytes if disk else 0,
        left=left,
        below_elsewhere=any(
            each is not disk and each.available_bytes is not None and each.available_bytes < each.reserve_bytes
            for each in node.disks
        ),
        closed=takes_nothing(node),
    )


def _service(
    index: int,
    service: ClusterService,
    constraints: tuple[PlacementConstraint, ...],
    nodes: tuple[PlaceableNode, ...],
    layers: LayerBits,
    cluster: Cluster,
    stack: str,
    failover: int | None,
) -> PlaceableService:
    mask = layers.mask(layer.chain_id for layer in service.image.layers)
    running = {
        each.index: tasks
        for each in nodes
        if each.node.goes_on
        and (tasks := [t for t in each.node.tasks if t.stack == stack and t.service == service.name])
    }
    homes = _homes(service, nodes, running)
    why: dict[int, str] = {}
    stays_only = set()
    for each in nodes:
        stays = not service.changed and each.index in running
        if stays:
            # What runs an image has its layers.
            each.have |= mask
            each.gone &= ~mask
        found = ruled_out(service, constraints, each, mask, stack=stack, homes=homes, stays=stays)
        if found:
            why[each.index] = found
        elif stays and each.closed:
            stays_only.add(each.index)
    eligible = tuple(each.index for each in nodes if each.index not in why)
    silent = not high_bytes(service.task)
    wanted = service.failover or failover
    held = min(wanted or 1, len(eligible))
    limit = 1 if service.host_ports else service.max_per_node
    fewest, wished, most = _counts(service, len(eligible), held, limit, said=wanted is not None)
    spreads = tuple(_spread(each, service, nodes, eligible, held) for each in service.spread)
    most = max([most, *(wanted for _, wanted in spreads)])
    return PlaceableService(
        index=index, service=service, mask=mask, running=running, eligible=eligible, stays_only=frozenset(stays_only),
        why=why, failover=held, fewest=fewest, wished=wished,
        most=len(eligible) if service.is_global else min(len(eligible), max(most, len(running))),
        spreads=() if service.is_global else spreads,
        task_bytes={
            node: 0 if silent or node in stays_only else _task_bytes(service, running, node, cluster, held)
            for node in eligible
        },
    )  # fmt: skip


def _homes(
    service: ClusterService, nodes: tuple[PlaceableNode, ...], running: dict[int, list[RunningTask]]
) -> dict[str, tuple[int, ...]]:
    """Return the nodes that have each volume of a service; a node that is silent and ran it is taken to have it."""
    homes = {}
    for volume in service.volumes:
        holders = tuple(
            each.index
            for each in nodes
            if volume in each.node.volumes or (not each.node.observed and each.index in running)
        )
        if holders:
            homes[volume] = holders
    return homes


def _counts(service: ClusterService, eligible: int, held: int, limit: int, *, said: bool) -> tuple[int, int, int]:
    """Return the fewest nodes of a service, the fewest that are wished for, and the most that can be of use."""
    if service.is_global:
        return eligible, eligible, eligible
    if service.replicas == 0:
        return 0, 0, 0
    fewest = max(held, 1, -(-service.replicas // limit) if limit else 1)
    wished = fewest if said or service.replicas == 1 else min(max(fewest, 2), max(eligible, 1))
    return fewest, wished, max(fewest, wished, service.replicas + held - 1)


def _spread(
    key: str, service: ClusterService, nodes: tuple[PlaceableNode, ...], eligible: tuple[int, ...], held: int
) -> tuple[dict[int, str], int]:
    values = {index: label_or_fact(nodes[index].node, key) or "" for index in eligible}
    return values, min(max(service.replicas, held if service.replicas else 0), len(set(values.values())))


def _task_bytes(
    service: ClusterService, running: dict[int, list[RunningTask]], node: int, cluster: Cluster, held: int
) -> int:
    """Return what new tasks write on a node at the worst moment.

    Swarm spreads tasks over the nodes that it may use, and puts all of them on one when the others fail: so each node
    counts as many as it may get. What a replaced task frees is counted only where it is certain which one is replaced.
    """
    here = running.get(node, [])
    each_bytes = high_bytes(service.task)
    limit = 1 if service.host_ports else service.max_per_node
    most = 1 if service.is_global else min(service.replicas, limit or service.replicas)
    if not service.changed:
        return max(0, most - len(here)) * each_bytes
    single = service.is_global or (service.replicas == 1 and held <= 1 and len(running) <= 1)
    if single and not service.starts_first and not cluster.keeps_ended_tasks and len(here) == 1:
        return max(0, each_bytes - (here[0].writable_bytes or 0))
    return most * each_bytes
