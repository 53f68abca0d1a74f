"""The status of a stack on a Swarm: its nodes, services and versions. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.flows.cluster.planning import look_at
from tonnage.model.cluster.status import ClusterStatus, ServiceRow
from tonnage.model.swarm import RUNNING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.flows.cluster.deploying import ClusterRun
    from tonnage.flows.cluster.observing import SeenCluster
    from tonnage.flows.cluster.ports import ClusterPorts, SwarmAccess
    from tonnage.flows.stack import DesiredState
    from tonnage.model.swarm import StackVersion


def cluster_status(ports: ClusterPorts, access: SwarmAccess, wanted: DesiredState) -> ClusterStatus:
    """Return the nodes, and the services of the stack.

    Raises:
        EngineLacksError: The engine is no manager.
        EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
    """
    seen, name = look_at(ports, access, wanted), wanted.stack.name
    return _status(seen, name, access.endpoint, access.facts.versions(name) if name else ())


def status_of(run: ClusterRun, manager: str) -> ClusterStatus:
    """Return nodes and services as a deploy left them."""
    return _status(run.seen, run.plan.stack, manager, run.versions)


def _status(seen: SeenCluster, name: str, manager: str, versions: Sequence[StackVersion]) -> ClusterStatus:
    return ClusterStatus(
        manager=manager,
        stack=name,
        nodes=seen.cluster.nodes,
        services=service_rows(seen, name),
        versions=tuple((each.number, each.good) for each in versions),
    )


def service_rows(seen: SeenCluster, stack: str) -> tuple[ServiceRow, ...]:
    """Return the services of a stack as Swarm has them."""
    rows = []
    for service in seen.services:
        if not stack or service.stack != stack:
            continue
        tasks = [each for each in seen.tasks if each.service_id == service.service_id]
        running = [each for each in tasks if each.alive and each.state == RUNNING]
        where = sorted({seen.names.get(each.node_id, each.node_id) for each in running})
        rows.append(
            ServiceRow(
                service=service.name.removeprefix(f"{stack}_"),
                image=service.image,
                replicas=service.replicas,
                running=len(running),
                nodes=tuple(where),
                update=service.update,
            )
        )
    return tuple(rows)
