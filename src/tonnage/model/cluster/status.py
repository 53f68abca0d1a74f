"""A cluster as it is: its nodes, and the services of one stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.cluster.node import ClusterNode


class ServiceRow(Struct, frozen=True, kw_only=True):
    """One service of a stack as Swarm has it.

    Args:
        replicas: How many tasks are wanted; None for one on each node.
        running: How many run.
        nodes: Host names of the nodes where they do.
        update: How the last update went; empty for none.
    """

    service: str
    image: str
    replicas: int | None
    running: int
    nodes: tuple[str, ...]
    update: str = ""


class ClusterStatus(Struct, frozen=True, kw_only=True):
    """Nodes, services and versions.

    Args:
        versions: Number of each version of the stack that the Swarm holds, and whether it was healthy; newest first.
    """

    manager: str
    stack: str
    nodes: tuple[ClusterNode, ...]
    services: tuple[ServiceRow, ...] = ()
    versions: tuple[tuple[int, bool], ...] = ()
