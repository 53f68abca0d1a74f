"""Carry a plan for a cluster out: claim, images to nodes, labels, the stack file, convergence, health, or all back.

Images go first: until every node has what it may run, Swarm is told nothing, so a failure there changes no service.
"""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.cluster.labels import forgotten
from tonnage.decide.swarm.stack_file import for_later, taken_back
from tonnage.errors import NotHealthyError, ReserveCrossedError, StalePlanError, StepFailedError, TonnageError
from tonnage.flows.cluster.cleanup import free_on_node
from tonnage.flows.cluster.converging import converge
from tonnage.flows.cluster.delivering import deliver
from tonnage.flows.cluster.health import check_tasks
from tonnage.flows.cluster.planning import cluster_plan, look_at
from tonnage.model.deploy.policy import Together
from tonnage.runtime.signals import CancelOnSignal, EitherSet
from tonnage.views.text.placement import placement_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tonnage.adapters.interface import Cancel
    from tonnage.flows.cluster.observing import SeenCluster
    from tonnage.flows.cluster.ports import ChangesSwarm, ClusterPorts, SwarmAccess
    from tonnage.flows.stack import DesiredState
    from tonnage.model.cluster.placement import LabelChange
    from tonnage.model.cluster.rollout import ClusterPlan
    from tonnage.model.swarm import StackVersion


class ClusterRun(Struct, frozen=True, kw_only=True):
    """A deploy on a cluster that ended.

    Args:
        seconds: How long it took.
        seen: The Swarm afterwards; ``versions`` those of the stack that it holds, newest first.
    """

    plan: ClusterPlan
    seconds: float
    seen: SeenCluster
    versions: tuple[StackVersion, ...] = ()


def deploy_on_cluster(
    ports: ClusterPorts,
    access: SwarmAccess,
    wanted: DesiredState,
    *,
    tell: Callable[[str], None],
    on_stop: Callable[[], None],
    on_plan: Callable[[ClusterPlan], None] = lambda _: None,
) -> ClusterRun:
    """Deploy a stack on a Swarm.

    Args:
        on_plan: Is given the plan before anything is changed.

    Returns:
        What was done.

    Raises:
        LockHeldError: Another run deploys this stack.
        EngineLacksError: The engine is no manager of a Swarm.
        UsageError: The stack cannot run on a Swarm as it is written.
        CannotFitError: It finds no place; nothing was touched.
        NotHealthyError: A service is not healthy, or was taken back by Swarm itself; the version before runs again.
        StepFailedError: An image did not arrive, or Swarm refused; no service was changed.
        EngineUnreachableError: A manager or node stopped answering.
    """
    began = ports.clock.monotonic()
    acts = access.acts()
    acts.check_program()
    # A worker cannot hold a claim either; this says so in words.
    access.facts.check()
    with access.claim(wanted.stack.name) as lost, CancelOnSignal(on_stop) as signals:
        cancel = EitherSet(signals.cancel, lost)
        seen = look_at(ports, access, wanted)
        plan = cluster_plan(ports, access, seen, wanted, tell)
        on_plan(plan)
        if plan.refusal is not None:
            raise placement_failure(plan.refusal)
        versions = access.facts.versions(plan.stack)
        if plan.up_to_date and versions and versions[0].good:
            tell(f"{plan.stack} is up to date")
            return ClusterRun(plan=plan, seconds=ports.clock.monotonic() - began, seen=seen, versions=versions)
        for node_id in plan.reclaims:
            free_on_node(ports, access, seen, wanted.stack, node_id, tell=tell)
        deliver(ports, seen, plan, parallel=wanted.policy.parallel, tell=tell, cancel=cancel)
        _still_as_planned(ports, access, wanted, plan, cancel)
        number = max((each.number for each in versions), default=0) + 1
        version = acts.keep_version(
            plan.stack, number, for_later(plan.document), good=False, origin=wanted.stack.origin
        )
        _label(acts, plan.written.before if plan.written else (), tell)
        _roll_out(ports, access, acts, wanted, plan, seen, version, tell=tell, cancel=cancel)
        _label(acts, plan.written.after if plan.written else (), tell)
        acts.mark_good(plan.stack, version)
        _forget_old(acts, versions, kept=wanted.policy.keep_versions)
        after = look_at(ports, access, wanted)
        versions = access.facts.versions(plan.stack)
    return ClusterRun(plan=plan, seconds=ports.clock.monotonic() - began, seen=after, versions=versions)


def _still_as_planned(
    ports: ClusterPorts, access: SwarmAccess, wanted: DesiredState, plan: ClusterPlan, cancel: Cancel
) -> None:
    """Refuse to go on where a node went or filled while images were on their way; Swarm has been told nothing yet."""
    if cancel.is_set():
        raise StepFailedError(f"the deploy of {plan.stack} was stopped", why="No service was changed.")
    now = look_at(ports, access, wanted)
    again = "Make another plan, which leaves it out:\n  tonnage deploy"
    for outlook in plan.placement.nodes if plan.placement else ():
        node = now.node(outlook.node_id)
        if not node.takes_new:
            raise StalePlanError(
                f"the node {node.hostname} became unreachable while images were sent",
                why=f"{node.why_not or node.state.value}, {node.availability.value}. No service was changed.",
                todo=again,
            )
        disk = node.image_disk
        if disk is not None and disk.available_bytes is not None and disk.available_bytes < disk.reserve_bytes:
            raise ReserveCrossedError(
                f"the disk of {node.hostname} filled while images were sent",
                why=f"{disk.available_bytes} B are available on {disk.mount}; the reserve is {disk.reserve_bytes} B."
                " No service was changed.",
                todo=again,
            )


def _roll_out(
    ports: ClusterPorts,
    access: SwarmAccess,
    acts: ChangesSwarm,
    wanted: DesiredState,
    plan: ClusterPlan,
    seen: SeenCluster,
    version: StackVersion,
    *,
    tell: Callable[[str], None],
    cancel: Cancel,
) -> None:
    """Give the stack to Swarm, wait until it is there and healthy, or bring back what was there before."""
    since = access.facts.now()
    tell(f"docker stack deploy {plan.stack}")
    failed: dict[str, TonnageError] = {}
    try:
        acts.deploy(plan.stack, plan.document, cancel=cancel)
        failed = converge(
            ports.clock, access.facts, wanted.stack, plan.document,
            since=since, names=seen.names, tell=tell, cancel=cancel,
        )  # fmt: skip
        healthy = [each for each in plan.services if each not in failed]
        tell("proving that services are healthy")
        failed |= check_tasks(
            ports, access.facts, wanted.stack, healthy, seen.hosts,
            answering=seen.engines.keys(), tell=tell, cancel=cancel,
        )  # fmt: skip
    except TonnageError as error:
        # Stopped, or Swarm refused the file: all that it may have begun is taken back.
        _take_back(ports, access, acts, wanted, plan, seen, version, set(plan.services), tell)
        raise error from None
    if not failed:
        return
    together = wanted.policy.rollback is Together.STACK
    back = set(plan.services) if together else set(failed)
    restored = _take_back(ports, access, acts, wanted, plan, seen, version, back, tell)
    first = next(iter(failed.values()))
    raise NotHealthyError(
        f"{len(failed)} of {len(plan.services)} services not healthy: {', '.join(failed)}",
        why="\n".join(f"{error.what}: {error.why}" if error.why else error.what for error in failed.values())
        + f"\n{restored}",
        todo=first.todo,
        log=first.log,
    )


def _take_back(
    ports: ClusterPorts,
    access: SwarmAccess,
    acts: ChangesSwarm,
    wanted: DesiredState,
    plan: ClusterPlan,
    seen: SeenCluster,
    version: StackVersion,
    services: set[str],
    tell: Callable[[str], None],
) -> str:
    """Bring services back to the version before, or away where there was none; say which of both."""
    # A second signal ends the program; the first one has done its work.
    patient = Event()
    before = next((each for each in access.facts.versions(plan.stack) if each.good), None)
    document = taken_back(plan.document, before.document if before else {}, services)
    if before is not None:
        gone = [name for name in before.images if name not in document["services"]]
        document = taken_back(document, before.document, {*gone} & services) if gone else document
    since = access.facts.now()
    if document["services"]:
        tell(f"taking back: {', '.join(sorted(services))}")
        acts.deploy(plan.stack, document, cancel=patient)
        there = [each for each in wanted.stack.services if each.name in document["services"]]
        failed = converge(
            ports.clock, access.facts, wanted.stack, document, since=since, names=seen.names, tell=tell, cancel=patient
        )  # fmt: skip
        said = (
            f"Taken back, and not running: {', '.join(failed)}."
            if failed
            else f"The version before runs again of: {', '.join(sorted(services))}."
            if before
            else f"Removed, because there was no version before: {', '.join(sorted(services))}."
        )
        healthy = not failed and len(there) > 0
    else:
        tell(f"removing {plan.stack}, of which there was no version before")
        acts.remove(plan.stack, cancel=patient)
        _label(acts, forgotten(seen.cluster, plan.stack), tell)
        said, healthy = "It was removed, because there was no version before.", False
    written = plan.written
    if written is not None:
        undone = [each for each in written.before if _service_of(each) in services]
        _label(acts, [_removal(each) for each in undone], tell)
        if document["services"]:
            _label(acts, [each for each in written.after if _service_of(each) not in services], tell)
    acts.forget_version(version)
    if healthy and (before is None or document != before.document) and services != set(plan.services):
        acts.keep_version(plan.stack, version.number + 1, for_later(document), good=True, origin=version.origin)
    return said


def _service_of(change: LabelChange) -> str:
    return change.key.rpartition(".")[2]


def _removal(change: LabelChange) -> LabelChange:
    return type(change)(node_id=change.node_id, key=change.key)


def _label(acts: ChangesSwarm, changes: Sequence[LabelChange], tell: Callable[[str], None]) -> None:
    """Set and remove labels, once for each node."""
    by_node: dict[str, dict[str, str | None]] = {}
    for change in changes:
        by_node.setdefault(change.node_id, {})[change.key] = change.value
    for node_id, labels in by_node.items():
        acts.label(node_id, labels)
    if by_node:
        tell(f"labels changed on {len(by_node)} nodes")


def _forget_old(acts: ChangesSwarm, versions: Sequence[StackVersion], *, kept: int) -> None:
    """Remove versions that nobody goes back to: those that were not good, and good ones beyond what is kept."""
    good = [each for each in versions if each.good]
    for each in versions:
        if not each.good or each in good[kept:]:
            acts.forget_version(each)
