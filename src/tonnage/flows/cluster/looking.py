"""Looks at a cluster that change nothing: status and verify; and a reclaim, which shows before it removes."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

from tonnage.errors import TonnageError
from tonnage.flows.cluster.planning import look_at
from tonnage.flows.cluster.proving import prove_tasks
from tonnage.flows.cluster.tidying import free_on_node, node_leftovers
from tonnage.model.cluster.status import ClusterStatus, ServiceRow
from tonnage.model.swarm import RUNNING
from tonnage.views.text.checks import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tonnage.flows.cluster.deploying import ClusterRun
    from tonnage.flows.cluster.observing import SeenCluster
    from tonnage.flows.cluster.ports import ClusterPorts, SwarmAccess
    from tonnage.flows.stack import DesiredState
    from tonnage.model.swarm import StackVersion

_ASKED_WITHIN_S = 10.0


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
        services=_rows(seen, name),
        versions=tuple((each.number, each.good) for each in versions),
    )


def _rows(seen: SeenCluster, stack: str) -> tuple[ServiceRow, ...]:
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


def verify_cluster(
    ports: ClusterPorts, access: SwarmAccess, wanted: DesiredState, tell: Callable[[str], None]
) -> list[Verdict]:
    """Ask every task of every service now.

    Raises:
        EngineLacksError: The engine is no manager.
        EngineUnreachableError: The Swarm has lost its quorum, or a node stopped answering.
    """
    seen = look_at(ports, access, wanted)
    rows = {each.service: each for each in _rows(seen, wanted.stack.name)}
    names = [each.name for each in wanted.stack.services if not wanted.services or each.name in wanted.services]
    verdicts = {}
    for name in names:
        row, service = rows.get(name), wanted.stack.service(name)
        if row is None:
            verdicts[name] = "Swarm has no such service."
        elif not service.settings.one_shot and row.replicas is not None and row.running < row.replicas:
            verdicts[name] = f"{row.running} of {row.replicas} tasks run."
    asked = [name for name in names if name not in verdicts]
    failed = prove_tasks(
        ports,
        access.facts,
        wanted.stack,
        asked,
        seen.hosts,
        answering=seen.engines.keys(),
        tell=tell,
        cancel=Event(),
        timeout_s=_ASKED_WITHIN_S,
    )
    verdicts |= {name: error.why or error.what for name, error in failed.items()}
    logs = {name: error.log for name, error in failed.items()}
    return [
        Verdict(service=name, healthy=name not in verdicts, reason=verdicts.get(name, ""), log=logs.get(name, ""))
        for name in names
    ]


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
        found = node_leftovers(access, seen)
        return [(seen.names[each], len(left.images), left.freed_bytes) for each, left in found.items()], []
    rows, errors = [], []
    with access.claim(wanted.stack.name):
        seen = look_at(ports, access, wanted)
        for node_id, left in node_leftovers(access, seen).items():
            try:
                freed = free_on_node(ports, access, seen, node_id, tell=tell)
                rows.append((seen.names[node_id], len(left.images), freed))
            except TonnageError as error:
                error.what = f"{seen.names[node_id]}: {error.what}"
                errors.append(error)
    return rows, errors
