"""Verify a stack on a Swarm: every task of every service is asked now. Changes nothing."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

from tonnage.flows.cluster.health import check_tasks
from tonnage.flows.cluster.planning import look_at
from tonnage.flows.cluster.status import service_rows
from tonnage.views.text.checks import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.flows.cluster.ports import ClusterPorts, SwarmAccess
    from tonnage.flows.stack import DesiredState

_ASKED_WITHIN_S = 10.0


def verify_cluster(
    ports: ClusterPorts, access: SwarmAccess, wanted: DesiredState, tell: Callable[[str], None]
) -> list[Verdict]:
    """Ask every task of every service now.

    Raises:
        EngineLacksError: The engine is no manager.
        EngineUnreachableError: The Swarm has lost its quorum, or a node stopped answering.
    """
    seen = look_at(ports, access, wanted)
    rows = {each.service: each for each in service_rows(seen, wanted.stack.name)}
    names = [each.name for each in wanted.stack.services if not wanted.services or each.name in wanted.services]
    verdicts = {}
    for name in names:
        row, service = rows.get(name), wanted.stack.service(name)
        if row is None:
            verdicts[name] = "Swarm has no such service."
        elif not service.settings.one_shot and row.replicas is not None and row.running < row.replicas:
            verdicts[name] = f"{row.running} of {row.replicas} tasks run."
    asked = [name for name in names if name not in verdicts]
    failed = check_tasks(
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
