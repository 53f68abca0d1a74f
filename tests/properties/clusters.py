"""Clusters and stacks by chance: disks that are nearly full, shared layers, rules that contradict each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.cluster.node import MEMORY, Availability, Cluster, ClusterNode, NodeDisk, NodeState, RunningTask
from tonnage.model.cluster.service import ClusterImage, ClusterLayer, ClusterMode, ClusterService
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, exactly
from tonnage.model.stack import SwitchOrder

if TYPE_CHECKING:
    from random import Random

STACK = "shop"
_ZONES = ("", "east", "west")
_ROLES = ("worker", "worker", "manager")


def some_cluster(chance: Random, *, most_nodes: int, most_services: int) -> tuple[Cluster, tuple[ClusterService, ...]]:
    """Return a cluster and the services of a stack, some of which run there in another version."""
    layers = [_layer(chance, number) for number in range(chance.randint(3, 9))]
    services = tuple(_service(chance, number, layers) for number in range(chance.randint(1, most_services)))
    nodes = tuple(_node(chance, number, layers, services) for number in range(chance.randint(1, most_nodes)))
    return Cluster(nodes=nodes, keeps_ended_tasks=chance.random() < 0.6), services


def _figure(chance: Random, most: int) -> Estimate:
    high = chance.randint(1, most)
    if chance.random() < 0.5:
        return exactly(high)
    return Estimate(high // 3, high // 2, high, Grade.DECLARED)


def _layer(chance: Random, number: int) -> ClusterLayer:
    return ClusterLayer(
        chain_id=f"sha256:{number:04}",
        unpacked=_figure(chance, 997),
        compressed=_figure(chance, 491),
        loaded=_figure(chance, 1_009) if chance.random() < 0.3 else None,
    )


def _service(chance: Random, number: int, layers: list[ClusterLayer]) -> ClusterService:
    chain = chance.sample(layers, chance.randint(1, min(4, len(layers))))
    often = chance.random
    constraints = []
    if often() < 0.2:
        constraints.append(chance.choice(("node.labels.zone==east", "node.labels.zone != west", "node.role==WORKER")))
    if often() < 0.1:
        constraints.append(f"node.id!=n{chance.randint(0, 3)}")
    return ClusterService(
        name=f"s{number}",
        image=ClusterImage(
            reference=f"example.org/s{number}@sha256:{number:064}",
            layers=tuple(chain),
            platforms=("linux/amd64",) if often() < 0.5 else (),
            in_registry=often() < 0.9,
        ),
        mode=ClusterMode.GLOBAL if often() < 0.1 else ClusterMode.REPLICATED,
        replicas=chance.choice((0, 1, 1, 1, 2, 2, 3)),
        changed=often() < 0.75,
        task=_figure(chance, 97) if often() < 0.5 else NOTHING,
        constraints=tuple(constraints),
        spread=("node.labels.zone",) if often() < 0.15 else (),
        max_per_node=chance.choice((0, 0, 0, 0, 1, 2)),
        reserved={MEMORY: chance.randint(1, 700)} if often() < 0.3 else {},
        host_ports=((chance.choice((80, 443)), "tcp"),) if often() < 0.2 else (),
        volumes=("shop_data",) if often() < 0.15 else (),
        binds=("/srv/data",) if often() < 0.1 else (),
        failover=chance.choice((None, None, 1, 2)),
        order=chance.choice((SwitchOrder.AUTO, SwitchOrder.START_FIRST)),
        parallelism=chance.choice((0, 1, 1, 2)),
    )


def _node(chance: Random, number: int, layers: list[ClusterLayer], services: tuple[ClusterService, ...]) -> ClusterNode:
    often = chance.random
    containerd, busy = often() < 0.4, often()
    reserve = chance.randint(0, 300)
    images = NodeDisk(
        mount="/var/lib/containerd" if containerd else "/var/lib/docker",
        roles=("containerd", "data-root") if containerd else ("data-root",),
        size_bytes=9_001,
        available_bytes=None if often() < 0.05 else reserve + chance.randint(-150, 7_000),
        reserve_bytes=reserve,
        reclaimable_bytes=chance.choice((0, 0, 401, 1_303)),
    )
    tasks = tuple(
        RunningTask(
            task_id=f"t{number}{each.name}", stack=STACK, service=each.name, image=f"example.org/{each.name}:old",
            writable_bytes=chance.choice((None, 0, 53)), reserved=each.reserved, host_ports=each.host_ports,
        )
        for each in services
        if often() < 0.25
    )  # fmt: skip
    # What runs the image of now has its layers.
    runs = {task.service for task in tasks}
    kept = {
        layer.chain_id for each in services if each.name in runs and not each.changed for layer in each.image.layers
    }
    there = kept | {each.chain_id for each in layers if often() < (0.35 if busy < 0.7 else 0.9)}
    proxy = RunningTask(task_id=f"o{number}", stack="", service="proxy", image="proxy:1", host_ports=((443, "tcp"),))
    return ClusterNode(
        node_id=f"n{number}",
        hostname="twin" if often() < 0.1 else f"host{number}",
        address=f"ssh://host{number}" if often() < 0.6 else "",
        role=chance.choice(_ROLES),
        architecture="aarch64" if often() < 0.05 else "x86_64",
        state=NodeState.DOWN if often() < 0.04 else NodeState.READY,
        availability=chance.choice((Availability.DRAIN, Availability.PAUSE)) if often() < 0.06 else Availability.ACTIVE,
        observed=often() > 0.04,
        disks=(images,),
        store="containerd" if containerd else "classic",
        layers=dict.fromkeys(sorted(there)),
        reclaimable_layers=frozenset(
            each for each in sorted(there) if images.reclaimable_bytes and each not in kept and often() < 0.4
        ),
        tasks=(*tasks, proxy) if often() < 0.15 else tasks,
        labels={"zone": chance.choice(_ZONES)},
        capacity={MEMORY: chance.randint(300, 2_500)},
        volumes=frozenset({"shop_data"} if often() < 0.3 else ()),
        paths=frozenset({"/srv/data"} if often() < 0.7 else ()),
    )
