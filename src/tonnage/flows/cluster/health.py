"""Prove that tasks are healthy, as on one machine: each container is looked at through the engine of its node.

Of a node whose engine is not reached from here, Swarm's own word counts: a task runs there only when its healthcheck
says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.adapters.interface import Unwatched
from tonnage.decide.deploy.health import prove_action
from tonnage.errors import NotHealthyError
from tonnage.model.swarm import RUNNING
from tonnage.runtime.deploy.wait_healthy import prove

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tonnage.adapters.interface import Cancel
    from tonnage.errors import TonnageError
    from tonnage.flows.cluster.ports import ClusterPorts, ReadsSwarm
    from tonnage.model.stack import Stack
    from tonnage.model.swarm import SwarmTask


def check_tasks(
    ports: ClusterPorts,
    swarm: ReadsSwarm,
    stack: Stack,
    services: Sequence[str],
    hosts: Mapping[str, str],
    *,
    answering: Collection[str],
    tell: Callable[[str], None],
    cancel: Cancel,
    timeout_s: float | None = None,
) -> dict[str, TonnageError]:
    """Return of each service that is not healthy why.

    Args:
        services: Those that are asked.
        hosts: How the engines of nodes are reached, by id; ``answering`` are the nodes whose engines do.
        timeout_s: When to give up; None for what suits each service.

    Raises:
        StepFailedError: It was stopped.
        EngineUnreachableError: A manager or node stopped answering.
    """
    known = {each.service_id: each.name.removeprefix(f"{stack.name}_") for each in swarm.services(stack.name)}
    by_node: dict[str, list[tuple[str, SwarmTask]]] = {}
    for task in swarm.tasks(stack.name):
        name = known.get(task.service_id, "")
        if name in services and task.alive and task.state == RUNNING and task.container_id:
            by_node.setdefault(task.node_id, []).append((name, task))
    failed: dict[str, TonnageError] = {}
    for node_id, tasks in by_node.items():
        if node_id not in answering:
            tell(f"{len(tasks)} tasks on a node without an address: Swarm says that they run")
            continue
        with ports.engines.facts(hosts[node_id]) as facts:
            for name, task in tasks:
                service = stack.service(name)
                if service.settings.one_shot or name in failed:
                    continue
                action = prove_action(service, task.container_id)
                if timeout_s is not None:
                    action = replace(action, timeout_s=timeout_s, start_period_s=0.0, stability_s=1.0)
                try:
                    prove(
                        facts,
                        project=stack.name,
                        service=name,
                        action=action,
                        progress=Unwatched(),
                        cancel=cancel,
                        clock=ports.clock,
                    )
                except NotHealthyError as error:
                    failed[name] = error
    return failed
