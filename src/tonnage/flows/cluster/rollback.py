"""Go back to an earlier version of a whole stack: its images are on the nodes, its stack file is in the Swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.cluster.naming import PLACED, label_key
from tonnage.decide.swarm.ownership import refuse_stack_of_others
from tonnage.decide.swarm.stack_file import placed_again
from tonnage.errors import NotHealthyError, StepFailedError, UsageError
from tonnage.flows.cluster.converging import converge
from tonnage.flows.cluster.delivering import deliver
from tonnage.flows.cluster.health import check_tasks
from tonnage.flows.cluster.planning import look_at
from tonnage.model.cluster.rollout import ChosenImage, ClusterPlan, ImageMove
from tonnage.runtime.signals import CancelOnSignal, EitherSet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tonnage.flows.cluster.observing import SeenCluster
    from tonnage.flows.cluster.ports import ClusterPorts, SwarmAccess
    from tonnage.flows.stack import DesiredState
    from tonnage.model.stack import ComposeMapping
    from tonnage.model.swarm import StackVersion


def roll_back_cluster(
    ports: ClusterPorts,
    access: SwarmAccess,
    wanted: DesiredState,
    *,
    to: str,
    tell: Callable[[str], None],
    on_stop: Callable[[], None],
) -> int:
    """Bring a whole stack back to an earlier good version.

    Args:
        to: The version, such as ``v3``; empty for the one before the newest good one.

    Returns:
        Its number.

    Raises:
        EngineLacksError: The engine is no manager of a Swarm.
        UsageError: There is no such version, or the stack is another's.
        LockHeldError: Another run deploys this stack.
        NotHealthyError: It is not healthy either.
        StepFailedError: An image is gone, or Swarm refused.
        EngineUnreachableError: A manager or node stopped answering.
    """
    stack, acts = wanted.stack, access.acts()
    acts.check_program()
    access.facts.check()
    with access.claim(stack.name) as lost, CancelOnSignal(on_stop) as signals:
        cancel = EitherSet(signals.cancel, lost)
        versions = access.facts.versions(stack.name)
        version = _chosen(stack.name, versions, to)
        seen = look_at(ports, access, wanted)
        running = {each.name.removeprefix(f"{stack.name}_") for each in seen.services if each.stack == stack.name}
        refuse_stack_of_others(stack, running, versions, adopt=wanted.policy.adopt)
        document = placed_again(version.document)
        plan = ClusterPlan(
            stack=stack.name,
            manager=access.endpoint,
            services=tuple(document["services"]),
            moves=_moves(seen, stack.name, document),
            document=document,
        )
        deliver(ports, seen, plan, parallel=wanted.policy.parallel, tell=tell, cancel=cancel)
        since = access.facts.now()
        tell(f"docker stack deploy {stack.name}: version v{version.number}")
        acts.deploy(stack.name, document, cancel=cancel)
        failed = converge(
            ports.clock, access.facts, stack, document, since=since, names=seen.names, tell=tell, cancel=cancel
        )  # fmt: skip
        # Services that are in no file any more are known to Swarm alone.
        known = [each.name for each in stack.services if each.name in document["services"] and each.name not in failed]
        failed |= check_tasks(
            ports,
            access.facts,
            replace(stack, services=tuple(stack.service(name) for name in known)),
            known,
            seen.hosts,
            answering=seen.engines.keys(),
            tell=tell,
            cancel=cancel,
        )
        if failed:
            raise NotHealthyError(
                f"after going back to v{version.number}, services are not healthy: {', '.join(failed)}",
                why="\n".join(f"{error.what}: {error.why}" for error in failed.values()),
                log=next((error.log for error in failed.values() if error.log), ""),
            )
        for each in versions:
            # What was gone back from is not gone back to.
            if each.number > version.number:
                acts.forget_version(each)
        tell(f"{stack.name} runs version v{version.number} again")
        return version.number


def _chosen(stack: str, versions: Sequence[StackVersion], to: str) -> StackVersion:
    good = [each for each in versions if each.good]
    known = ", ".join(f"v{each.number}" for each in good) or "none"
    if to:
        found = next((each for each in good if f"v{each.number}" == to), None)
        if found is None:
            raise UsageError(f"there is no good version {to} of {stack} in this Swarm", why=f"There are: {known}.")
        return found
    # Where the newest deploy came to no good end, what was before it is the version to go back to.
    newest_is_good = bool(versions) and versions[0].good
    before = good[1:] if newest_is_good else good
    if not before:
        raise UsageError(
            f"there is no version of {stack} to go back to in this Swarm", why=f"Good versions: {known}."
        )  # fmt: skip
    return before[0]


def _moves(seen: SeenCluster, stack: str, document: ComposeMapping) -> tuple[ImageMove, ...]:
    """Return the images of a version that nodes lack which may be given its tasks."""
    moves = []
    for service, told in document["services"].items():
        reference = str(told["image"])
        holders = [each for each in seen.cluster.nodes if reference in each.images and each.observed]
        for node in seen.cluster.nodes:
            if node.labels.get(label_key(stack, service)) != PLACED or reference in node.images or not node.takes_new:
                continue
            pulled = not holders and "@" in reference
            if not holders and not pulled:
                raise StepFailedError(
                    f"the image of {service} in that version is on no node any more",
                    why=f"{reference} is missing on {node.hostname}.",
                    todo="Deploy it again from its sources:\n  tonnage deploy",
                )
            source = "" if pulled else seen.hosts[holders[0].node_id]
            image = ChosenImage(
                service=service, reference=reference, source=source, source_name=reference, pulled=pulled
            )  # fmt: skip
            moves.append(
                ImageMove(
                    node_id=node.node_id, hostname=node.hostname, host=seen.hosts.get(node.node_id, ""), image=image
                )
            )
    return tuple(moves)
