"""Names: what Swarm takes for a service, how a node is called where host names occur twice, and labels of ours."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.cluster.node import ClusterNode

# Source: ``isValidDNSName`` and the limit of 63 in ``manager/controlapi`` of swarmkit.
_SWARM_NAME = regex(r"(?a)[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*+")
_LONGEST_NAME = 63
LABEL = "tonnage.place."
"""Begins every label that a placement sets on nodes."""
PLACED = "yes"
"""The value of such a label."""


def swarm_takes(stack: str, service: str) -> bool:
    """Return whether Swarm takes the name of a service in a stack; also what has the form of an option is none."""
    name = f"{stack}_{service}"
    parts = (stack, service, name)
    return len(name) <= _LONGEST_NAME and all(_SWARM_NAME.fullmatch(part) is not None for part in parts)


def label_key(stack: str, service: str) -> str:
    """Return the label of nodes that a service may run on. No name of a stack has a dot, so it means one service."""
    return f"{LABEL}{stack}.{service}"


def node_names(nodes: Sequence[ClusterNode]) -> dict[str, str]:
    """Return how each node is called, by its id: by its host name, and with the id where that is not enough."""
    counts = Counter(node.hostname for node in nodes)
    return {
        node.node_id: node.hostname
        if node.hostname and counts[node.hostname] == 1
        else f"{node.hostname} ({node.node_id})".strip()
        for node in nodes
    }
