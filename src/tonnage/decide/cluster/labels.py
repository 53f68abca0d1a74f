"""A placement as Swarm is told it: labels of nodes, and constraints of services that ask for them.

A label alone can be changed without another version of the service: Swarm restarts no task whose node meets what is
asked. So the nodes that get a service are labelled first, and those that lose it keep their label until it has
converged: without it Swarm would at once move the running version to a node that may lack its image. That nothing new
comes to them meanwhile is said by a constraint that comes and goes with the new version.

Source: ``IsTaskDirty`` in ``manager/orchestrator/task.go`` of swarmkit, and its constraint enforcer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.cluster.naming import PLACED, label_key
from tonnage.model.cluster.placement import LabelChange, WrittenPlacement

if TYPE_CHECKING:
    from tonnage.model.cluster.node import Cluster
    from tonnage.model.cluster.placement import Placement


def written_placement(placement: Placement, cluster: Cluster) -> WrittenPlacement:
    """Return what has to be set, asked for and removed so that Swarm does what a placement says.

    Labels of services that are in the stack no more are among what is removed.
    """
    stack = placement.stack
    chosen = {each.service: {node.node_id for node in each.nodes} for each in placement.assignments}
    keys = {label_key(stack, service): service for service in chosen}
    before, after = [], []
    excluded: dict[str, list[str]] = {service: [] for service in chosen}
    for node in cluster.nodes:
        for key, service in keys.items():
            if node.node_id in chosen[service] and node.labels.get(key) != PLACED:
                before.append(LabelChange(node_id=node.node_id, key=key, value=PLACED))
        for key, value in node.labels.items():
            if not key.startswith(label_key(stack, "")):
                continue
            service = keys.get(key, "")
            if node.node_id in chosen.get(service, ()):
                continue
            after.append(LabelChange(node_id=node.node_id, key=key))
            if service and value == PLACED:
                excluded[service].append(node.node_id)
    constraints = {
        service: (f"node.labels.{key}=={PLACED}", *(f"node.id!={node}" for node in excluded[service]))
        for key, service in keys.items()
    }
    return WrittenPlacement(before=tuple(before), constraints=constraints, after=tuple(after))


def forgotten(cluster: Cluster, stack: str) -> tuple[LabelChange, ...]:
    """Return the labels to remove with a stack; those of other stacks stay."""
    return tuple(
        LabelChange(node_id=node.node_id, key=key)
        for node in cluster.nodes
        for key in node.labels
        if key.startswith(label_key(stack, ""))
    )
