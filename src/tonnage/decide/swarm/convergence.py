"""Whether Swarm has got where it was told to go. It says so of updates; of everything else its tasks tell.

``docker stack deploy`` ends well as soon as Swarm has taken the file, and a service that Swarm has taken back by itself
looks as well as before: only the state of the update tells that it failed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.swarm import RUNNING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.swarm import SwarmService, SwarmTask

_GOING_ON = frozenset({"updating", "rollback_started"})
_TAKEN_BACK = frozenset({"rollback_completed", "rollback_paused"})
_MOST_FAILURES = 3
_HOPELESS = ("No such image", "bind source path does not exist", "invalid mount config")
_FAILED = frozenset({"failed", "rejected", "orphaned"})


class Convergence(StrEnum):
    """How far a service is."""

    IN_PROGRESS = "in progress"
    DONE = "done"
    FAILED = "failed"


class WantedService(Struct, frozen=True, kw_only=True):
    """What is waited for.

    Args:
        image: What its tasks run.
        replicas: How many tasks; None for one on each node that may have it.
        one_shot: Its tasks end by themselves, with exit code 0.
        nodes: How many nodes a global one runs on.
    """

    image: str
    replicas: int | None
    one_shot: bool = False
    nodes: int = 0


class ServiceProgress(Struct, frozen=True, kw_only=True):
    """How far one service is.

    Args:
        why: In words, for who waits and for the failure.
        taken_back: Whether Swarm has the version before run again, or is about to.
        task: The task that is to blame.
    """

    state: Convergence
    why: str
    taken_back: bool = False
    task: SwarmTask | None = None


def progress_of(
    wanted: WantedService,
    service: SwarmService | None,
    tasks: Sequence[SwarmTask],
    *,
    since: str,
    nodes: Mapping[str, str],
) -> ServiceProgress:
    """Return how far a service is.

    Args:
        service: As Swarm has it; None where it has none of the name.
        tasks: Its tasks, ended ones as well.
        since: When it was given to Swarm, by the managers' clock: earlier failures do not count.
        nodes: Host names by id.
    """
    if service is None:
        return ServiceProgress(state=Convergence.FAILED, why="Swarm has no such service")
    ours = [each for each in tasks if each.image == wanted.image and each.created >= since]
    failed = [each for each in ours if each.state in _FAILED]
    last = failed[-1] if failed else None
    if service.update in _TAKEN_BACK or service.update == "rollback_started":
        state = Convergence.IN_PROGRESS if service.update in _GOING_ON else Convergence.FAILED
        return ServiceProgress(state=state, why=_said(service.update_said, last, nodes), taken_back=True, task=last)
    if service.update == "paused":
        return ServiceProgress(state=Convergence.FAILED, why=_said(service.update_said, last, nodes), task=last)
    if service.image != wanted.image:
        return ServiceProgress(state=Convergence.FAILED, why=f"it runs {service.image} instead: another changed it")
    # A service without a version before is never taken back: Swarm starts its tasks again and again.
    if service.update != "updating" and last is not None and _is_hopeless(failed):
        return ServiceProgress(state=Convergence.FAILED, why=_said("", last, nodes), task=last)
    if wanted.one_shot:
        done = [each for each in ours if each.state == "complete"]
        count = len({each.slot for each in done})
        if failed:
            return ServiceProgress(state=Convergence.FAILED, why=_said("", last, nodes), task=last)
        there = count >= (wanted.replicas or 1)
        return ServiceProgress(state=Convergence.DONE if there else Convergence.IN_PROGRESS, why=f"{count} ended well")
    alive = [each for each in tasks if each.alive]
    running = [each for each in alive if each.state == RUNNING and each.image == wanted.image]
    enough = wanted.replicas if wanted.replicas is not None else wanted.nodes
    if service.update != "updating" and len(running) == len(alive) and len(running) >= enough:
        return ServiceProgress(state=Convergence.DONE, why=f"{len(running)} of {enough} running")
    waiting = next((each for each in alive if each.state != RUNNING), None)
    what = f"{len(running)} of {enough} running"
    if waiting is not None:
        where = nodes.get(waiting.node_id, "")
        what += f"; {waiting.state}{f' on {where}' if where else ''}{f': {waiting.error}' if waiting.error else ''}"
    return ServiceProgress(state=Convergence.IN_PROGRESS, why=what, task=waiting)


def _is_hopeless(failed: Sequence[SwarmTask]) -> bool:
    if any(words in each.error for each in failed for words in _HOPELESS):
        return True
    counts: dict[tuple[int, str], int] = {}
    for each in failed:
        key = (each.slot, "" if each.slot else each.node_id)
        counts[key] = counts.get(key, 0) + 1
    return max(counts.values()) >= _MOST_FAILURES


def _said(update: str, task: SwarmTask | None, nodes: Mapping[str, str]) -> str:
    told = []
    if task is not None:
        where = nodes.get(task.node_id, task.node_id)
        told.append(f"a task {task.state} on {where or 'no node'}: {task.error or 'no reason given'}")
    return "; ".join([*told, *filter(None, (update,))]) or "Swarm gave no reason"
