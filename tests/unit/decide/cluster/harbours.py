"""Nodes and services of small clusters."""

from __future__ import annotations

from typing import Any

from tonnage.model.cluster.node import Cluster, ClusterNode, NodeDisk, RunningTask
from tonnage.model.cluster.service import ClusterImage, ClusterLayer, ClusterService
from tonnage.model.forecast.estimate import exactly

GB = 1_000_000_007
RESERVE = GB


def layer(name: str, size_bytes: int) -> ClusterLayer:
    return ClusterLayer(chain_id=name, unpacked=exactly(size_bytes), compressed=exactly(size_bytes // 2))


def service(name: str, *layers: ClusterLayer, **more: Any) -> ClusterService:  # noqa: ANN401 - fields of the struct
    chain = layers or (layer(f"{name}-layer", GB),)
    return ClusterService(
        name=name, image=ClusterImage(reference=f"example.org/{name}:2", layers=chain, in_registry=True), **more
    )


def task(stack: str, name: str, **more: Any) -> RunningTask:  # noqa: ANN401 - fields of the struct
    image = more.pop("image", f"example.org/{name}:1")
    return RunningTask(task_id=f"task-of-{name}", stack=stack, service=name, image=image, **more)


def node(name: str, free_bytes: int | None = 9 * GB, **more: Any) -> ClusterNode:  # noqa: ANN401 - fields of the struct
    """Return a node that is reached by ssh; ``free_bytes`` are those above its reserve."""
    disk = NodeDisk(
        mount="/var/lib/docker",
        roles=("data-root",),
        size_bytes=20 * GB,
        available_bytes=None if free_bytes is None else RESERVE + free_bytes,
        reserve_bytes=RESERVE,
        reclaimable_bytes=more.pop("reclaimable_bytes", 0),
    )
    told: dict[str, Any] = {
        "node_id": f"id-{name}", "hostname": name, "address": f"ssh://{name}", "disks": (disk,), "paths": frozenset(),
    }  # fmt: skip
    return ClusterNode(**{**told, **more})


def cluster(*nodes: ClusterNode, **more: Any) -> Cluster:  # noqa: ANN401 - fields of the struct
    return Cluster(nodes=nodes, **more)
