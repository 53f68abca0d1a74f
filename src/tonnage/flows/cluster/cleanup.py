"""Free on a node what nothing in the Swarm needs any more: images that deploys brought, and their ended tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.swarm.leftovers import NodeLeftovers, leftovers, needed_anywhere, repositories_of
from tonnage.errors import TonnageError
from tonnage.escapes import visible_in_line
from tonnage.flows.cluster.planning import look_at
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.flows.cluster.observing import SeenCluster
    from tonnage.flows.cluster.ports import ClusterPorts, SwarmAccess
    from tonnage.flows.stack import DesiredState
    from tonnage.model.stack import Stack


def node_leftovers(access: SwarmAccess, seen: SeenCluster, stack: Stack) -> dict[str, NodeLeftovers]:
    """Return what may go of each node that answered, by its id.

    Args:
        stack: Names the repositories of which nodes pull by digest.

    Raises:
        EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
    """
    # Asked again: what another run gives to Swarm meanwhile must stay.
    services, tasks = access.facts.services(), access.facts.tasks()
    stacks = sorted({each.stack for each in services} - {""})
    needed = needed_anywhere(services, tasks, [each for name in stacks for each in access.facts.versions(name)])
    repositories = repositories_of(each.image for each in stack.services)
    return {
        node_id: leftovers(engine.images, engine.containers, needed, repositories)
        for node_id, engine in seen.engines.items()
    }


def free_on_node(
    ports: ClusterPorts,
    access: SwarmAccess,
    seen: SeenCluster,
    stack: Stack,
    node_id: str,
    *,
    tell: Callable[[str], None],
) -> int:
    """Free it on one node; return the bytes that are certainly freed.

    Raises:
        StepFailedError: The engine there refused.
        EngineUnreachableError: It does not answer.
    """
    found = node_leftovers(access, seen, stack).get(node_id, NodeLeftovers())
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


def reclaim_cluster(
    ports: ClusterPorts, access: SwarmAccess, wanted: DesiredState, *, yes: bool, tell: Callable[[str], None]
) -> tuple[list[tuple[str, int, int]], list[TonnageError]]:
    """Free on every node that answers what deploys left and nothing needs.

    Args:
        yes: Remove it; otherwise nothing is changed.

    Returns:
        Of each node its name, how many images, and the bytes; and the failures of nodes that refused.

    Raises:
        LockHeldError: A run deploys this stack: what it has just sent would look like left over.
        EngineLacksError: The engine is no manager.
        EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
    """
    if not yes:
        seen = look_at(ports, access, wanted)
        found = node_leftovers(access, seen, wanted.stack)
        return [(seen.names[each], len(left.images), left.freed_bytes) for each, left in found.items()], []
    rows, errors = [], []
    with access.claim(wanted.stack.name):
        seen = look_at(ports, access, wanted)
        for node_id, left in node_leftovers(access, seen, wanted.stack).items():
            try:
                freed = free_on_node(ports, access, seen, wanted.stack, node_id, tell=tell)
                rows.append((seen.names[node_id], len(left.images), freed))
            except TonnageError as error:
                error.what = f"{seen.names[node_id]}: {error.what}"
                errors.append(error)
    return rows, errors
