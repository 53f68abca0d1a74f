"""Wait until Swarm has got where it was told to go, or has said that it will not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tonnage.decide.deploy.health import prove_action
from tonnage.decide.swarm.convergence import Convergence, WantedService, progress_of
from tonnage.errors import NotHealthyError, StepFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tonnage.adapters.interface import Cancel
    from tonnage.decide.swarm.convergence import ServiceProgress
    from tonnage.errors import TonnageError
    from tonnage.flows.cluster.ports import ReadsSwarm
    from tonnage.model.stack import ComposeMapping, Stack
    from tonnage.model.swarm import SwarmNode
    from tonnage.runtime.clock import Clock

LOOK_EVERY_S = 1.0
_SETTLED_LOOKS = 3
_PREPARING_S = 90.0
_UNPLACED_S = 60.0
"""A task that finds no node for so long finds none: a node went, or another took its place."""
_UNPLACED = "no suitable node"
_LOG_LINES = 20


def converge(
    clock: Clock,
    swarm: ReadsSwarm,
    stack: Stack,
    document: ComposeMapping,
    *,
    since: str,
    names: Mapping[str, str],
    tell: Callable[[str], None],
    cancel: Cancel,
) -> dict[str, TonnageError]:
    """Return of each service that did not get there why, when that is known of all.

    Args:
        document: The stack file that Swarm was given.
        since: When, by the managers' clock.
        names: Host names of nodes, by id.

    Raises:
        StepFailedError: The waiting was ended by ``cancel``.
        EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
    """
    nodes = swarm.nodes()
    wanted = {name: _wanted(stack, name, told, nodes) for name, told in document["services"].items()}
    give_up = {name: clock.monotonic() + _patience_s(stack, name, wanted[name]) for name in wanted}
    settled, said = dict.fromkeys(wanted, 0), dict.fromkeys(wanted, "")
    unplaced: dict[str, float] = {}
    failed: dict[str, TonnageError] = {}
    while True:
        if cancel.is_set():
            raise StepFailedError(f"the deploy of {stack.name} was stopped", why="Services were being changed.")
        services = {each.name: each for each in swarm.services(stack.name)}
        tasks = swarm.tasks(stack.name)
        for name, want in wanted.items():
            if name in failed or settled[name] >= _SETTLED_LOOKS:
                continue
            service = services.get(f"{stack.name}_{name}")
            own = [each for each in tasks if service is not None and each.service_id == service.service_id]
            progress = progress_of(want, service, own, since=since, nodes=names)
            if progress.why != said[name]:
                said[name] = progress.why
                tell(f"{name}: {progress.why}")
            # Swarm begins an update a moment after it was told: only what stays so counts.
            settled[name] = settled[name] + 1 if progress.state is Convergence.DONE else 0
            now_s = clock.monotonic()
            if progress.task is not None and _UNPLACED in progress.task.error:
                unplaced.setdefault(name, now_s)
            else:
                unplaced.pop(name, None)
            late = now_s >= give_up[name] or now_s - unplaced.get(name, now_s) >= _UNPLACED_S
            if progress.state is Convergence.FAILED or (late and not settled[name]):
                failed[name] = _failure(swarm, name, progress, late=late)
        if all(name in failed or settled[name] >= _SETTLED_LOOKS for name in wanted):
            return failed
        clock.wait(cancel, LOOK_EVERY_S)


def _failure(swarm: ReadsSwarm, name: str, progress: ServiceProgress, *, late: bool) -> NotHealthyError:
    what = f"{name} did not get healthy in time" if late else f"{name} is not healthy"
    if progress.taken_back:
        what = f"{name} is not healthy; Swarm took it back"
    log = swarm.logs(progress.task.task_id, _LOG_LINES) if progress.task is not None else ""
    return NotHealthyError(what, why=progress.why, log=log)


def _wanted(stack: Stack, name: str, told: ComposeMapping, nodes: tuple[SwarmNode, ...]) -> WantedService:
    deploy = told.get("deploy") or {}
    service = next((each for each in stack.services if each.name == name), None)
    labels = [each.split("==") for each in (deploy.get("placement") or {}).get("constraints") or () if "==" in each]
    ours = [(key.strip().removeprefix("node.labels."), value.strip()) for key, value in labels if "tonnage" in key]
    holders = [each for each in nodes if each.takes_tasks and all(each.labels.get(key) == value for key, value in ours)]
    return WantedService(
        image=told["image"],
        replicas=None if deploy.get("mode") == "global" else int(deploy.get("replicas", 1)),
        one_shot=service is not None and service.settings.one_shot,
        nodes=len(holders),
    )


def _patience_s(stack: Stack, name: str, wanted: WantedService) -> float:
    service = next((each for each in stack.services if each.name == name), None)
    own_s = prove_action(service).timeout_s if service is not None else 0.0
    update = (service.config.get("deploy") or {}).get("update_config") or {} if service is not None else {}
    at_once = int(update.get("parallelism") or 1)
    rounds = max(1, math.ceil((wanted.replicas if wanted.replicas is not None else wanted.nodes) / at_once))
    return own_s * rounds + _PREPARING_S
