"""Free on a node what nothing in the Swarm needs any more: images that deploys brought, and their ended tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.swarm.leftovers import NodeLeftovers, leftovers, needed_anywhere
from tonnage.escapes import visible_in_line
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.flows.cluster.observing import SeenCluster
    from tonnage.flows.cluster.ports import ClusterPorts, SwarmAccess


def node_leftovers(access: SwarmAccess, seen: SeenCluster) -> dict[str, NodeLeftovers]:
    """Return what may go of each node that answered, by its id.

    Raises:
        EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
    """
    # Asked anew: what another run gives to Swarm meanwhile must stay.
    services, tasks = access.facts.services(), access.facts.tasks()
    stacks = sorted({each.stack for each in services} - {""})
    needed = needed_anywhere(services, tasks, [each for stack in stacks for each in access.facts.versions(stack)])
    return {
        node_id: leftovers(engine.images, engine.containers, needed) for node_id, engine in seen.engines.items()
    }  # fmt: skip


def free_on_node(
    ports: ClusterPorts, access: SwarmAccess, seen: SeenCluster, node_id: str, *, tell: Callable[[str], None]
) -> int:
    """Free it on one node; return the bytes that are certainly freed.

    Raises:
        StepFailedError: The engine there refused.
        EngineUnreachableError: It does not answer.
    """
    found = node_leftovers(access, seen).get(node_id, NodeLeftovers())
    if not found.images:
        return 0
    where = visible_in_line(seen.names[node_id])
    tell(f"{where}: removing {len(found.images)} images, {format_bytes(found.freed_bytes)}")
    with ports.engines.open(seen.hosts[node_id]) as engine:
        acts = engine.acts({}, None, ())
        for container in found.containers:
            acts.remove_ended_container(container)
        for image_id, names in found.images:
            acts.remove_image(image_id, names)
    return found.freed_bytes
