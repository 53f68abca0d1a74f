"""Why a stack cannot be placed, told by service and node: what each node lacks, or which rule keeps it out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tonnage.decide.cluster.bounds import own_masks
from tonnage.decide.cluster.constraints import read_constraint
from tonnage.decide.cluster.eligibility import takes_nothing
from tonnage.decide.cluster.naming import node_names, swarm_takes
from tonnage.decide.cluster.room import kept_fits, meets, missing_bytes, room, short_of
from tonnage.model.cluster.placement import Delivery, PlacementRefusal, RuledOut
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tonnage.decide.cluster.arrangement import Arrangement
    from tonnage.decide.cluster.problem import PlaceableService, PlacementProblem
    from tonnage.decide.cluster.room import Member
    from tonnage.model.cluster.node import Cluster
    from tonnage.model.cluster.service import ClusterService

_MORE_SPACE = (
    "Make the image smaller, free space on a node, or add one. What an image is made of:\n  tonnage forecast {service}"
)


def wrong_wishes(cluster: Cluster, services: Sequence[ClusterService], stack: str) -> PlacementRefusal | None:
    """Return what no cluster could take: names that Swarm refuses, constraints that are none, layers nobody knows."""
    twice = [name for name, count in Counter(each.name for each in services).items() if count > 1]
    if twice:
        return _usage(stack, twice[0], "the stack has two services of this name")
    if any(count > 1 for count in Counter(node.node_id for node in cluster.nodes).values()):
        return _usage(stack, "", "two nodes of the Swarm have the same id")
    for service in services:
        if found := _wrong(service, stack):
            return found
    return None


def _wrong(service: ClusterService, stack: str) -> PlacementRefusal | None:
    if not swarm_takes(stack, service.name):
        return _usage(
            stack, service.name, f"Swarm takes no service named {stack + '_' + service.name!r}",
            why="A name has letters, digits, - and _ between them, and 63 characters at most with that of the stack.",
            todo="Rename the service.", place=service.place,
        )  # fmt: skip
    for text in service.constraints:
        if read_constraint(text) is None:
            return _usage(
                stack, service.name, f"{text!r} is not a constraint that Swarm knows",
                why="A constraint compares node.id, node.hostname, node.ip, node.role, node.platform.os, "
                "node.platform.arch, node.labels.NAME or engine.labels.NAME, with == or !=.",
                todo="Correct deploy.placement.constraints.", place=service.place,
            )  # fmt: skip
    if min(service.replicas, service.max_per_node, service.parallelism, 0) < 0:
        return _usage(stack, service.name, "a number of replicas is negative", place=service.place)
    if service.failover is not None and service.failover < 1:
        return _usage(stack, service.name, "failover is less than 1", place=service.place)
    if not service.image.layers or not service.task.known:
        what = "what its tasks write is not known" if service.image.layers else "the layers of its image are not known"
        return PlacementRefusal(
            stack=stack, service=service.name, what=what,
            why=f"{service.image.reference}: without figures nothing is known to fit.",
            todo="Build the image, or push it to a registry that answers. What is known of it:\n"
            f"  tonnage forecast {service.name}",
            place=service.place,
        )  # fmt: skip
    return None


def _usage(stack: str, service: str, what: str, *, why: str = "", todo: str = "", place: str = "") -> PlacementRefusal:
    return PlacementRefusal(stack=stack, service=service, what=what, why=why, todo=todo, place=place, usage=True)


def nowhere(problem: PlacementProblem, stack: str) -> PlacementRefusal | None:
    """Return the first service that cannot run even if it were alone; None where each of them can."""
    own = own_masks(problem)
    for wanted in problem.services:
        alone: dict[int, RuledOut | None] = {}
        fits = 0
        enough = 0 if not wanted.service.replicas and not wanted.service.is_global else wanted.fewest
        if wanted.service.is_global and not wanted.eligible:
            enough = 0 if _only_constraints(wanted) else 1
        for node in wanted.eligible:
            if fits >= enough:
                break
            alone[node] = _never(problem, wanted, node, own[wanted.index])
            fits += alone[node] is None
        if fits < enough:
            return _refusal(problem, wanted, stack, alone, proven=True)
    return None


def stuck(state: Arrangement, wanted: PlaceableService, stack: str, *, proven: bool) -> PlacementRefusal:
    """Return why a service finds no place beside the others, as it was seen where the search ended."""
    problem = state.problem
    reasons: dict[int, RuledOut | None] = {}
    for node in wanted.eligible:
        alone = _alone(problem, wanted, node)
        member = (wanted.index, wanted.tasks_on([node]) or 1)
        beside = [(index, tasks) for index, tasks in state.members[node].items() if index != wanted.index]
        reasons[node] = alone or _lack(problem, node, [*beside, member], beside)
    return _refusal(problem, wanted, stack, reasons, proven=proven)


def _refusal(
    problem: PlacementProblem,
    wanted: PlaceableService,
    stack: str,
    reasons: dict[int, RuledOut | None],
    *,
    proven: bool,
) -> PlacementRefusal:
    names = node_names(problem.cluster.nodes)
    listed = []
    for place in problem.nodes:
        said = reasons.get(place.index)
        if place.index in wanted.why or (said is None and place.index in wanted.stays_only):
            why = wanted.why.get(place.index) or f"it gets no more of its tasks: {takes_nothing(place.node)}"
            said = RuledOut(node_id=place.node.node_id, hostname="", why=why)
        if said is not None:
            listed.append(
                RuledOut(
                    node_id=said.node_id,
                    hostname=names[said.node_id],
                    why=said.why,
                    missing_bytes=said.missing_bytes,
                )
            )
    fits = len(problem.nodes) - len(listed)
    name = wanted.service.name
    needs = "every node that its constraints allow" if wanted.service.is_global else _counted(wanted.fewest)
    what = f"{name} fits on no node" if not fits else f"{name} needs {needs} and fits on {_counted(fits)}"
    short = any(each.missing_bytes is not None for each in listed)
    return PlacementRefusal(
        stack=stack,
        service=name,
        what=what,
        why="" if proven else "The search ended at its limit; that no placement exists is not proven.",
        todo=_MORE_SPACE.format(service=name) if short else _remedy(wanted),
        nodes=tuple(listed),
        proven=proven,
        place=wanted.service.place,
    )


def _remedy(wanted: PlaceableService) -> str:
    reasons = " ".join(wanted.why.values())
    if "bytes of its image" in reasons:
        return (
            "Build the image, or push it to a registry that answers. What is known of it:\n"
            f"  tonnage forecast {wanted.service.name}"
        )
    if "updated start-first" in reasons:
        return "Write deploy.update_config.order: stop-first for it, or add a node."
    if "in no registry" in reasons:
        return "Name the node under x-tonnage.nodes so that it is reached by ssh, or push the image to a registry."
    if not wanted.why:
        return "Add a node, or ask for fewer replicas or nodes."
    return "Change what it asks of nodes, or make a node ready for it. What the nodes are:\n  docker node ls"


def _counted(nodes: int) -> str:
    return "1 node" if nodes == 1 else f"{nodes} nodes"


def _only_constraints(wanted: PlaceableService) -> bool:
    return all(why.startswith("the constraint ") for why in wanted.why.values())


def _alone(problem: PlacementProblem, wanted: PlaceableService, node: int) -> RuledOut | None:
    """Return why a service does not fit on a node with nothing else of the stack; None where it does."""
    return _lack(problem, node, [(wanted.index, _fewest_tasks(wanted))], ())


def _never(problem: PlacementProblem, wanted: PlaceableService, node: int, own: int) -> RuledOut | None:
    """Return why a service never fits on a node, whatever else of the stack is there; None where it may.

    Layers that another service has may have come with that one, so that their copy is gone: they count once.
    """
    place = problem.nodes[node]
    lacks = wanted.mask & ~place.have
    pulled = place.costs.delivery is Delivery.PULL
    extra = place.costs.temporary.of(lacks if pulled else lacks & own)
    written = wanted.task_bytes[node]
    extra = extra + written if pulled else max(extra, written)
    if meets(problem, place, [(wanted.index, _fewest_tasks(wanted))]) and kept_fits(place, wanted.mask, extra):
        return None
    return _alone(problem, wanted, node)


def _fewest_tasks(wanted: PlaceableService) -> int:
    """Return the fewest tasks that a node must be able to take: with the most nodes."""
    staying = sorted(wanted.stays_only)
    told = (wanted.tasks_each([], wanted.most), wanted.tasks_each(staying, wanted.most - len(staying)))
    return min((tasks for tasks in told if tasks), default=1)


def _lack(problem: PlacementProblem, node: int, members: Sequence[Member], beside: Iterable[Member]) -> RuledOut | None:
    place = problem.nodes[node]
    if room(problem, place, members) is not None:
        return None
    others = ", ".join(problem.services[index].service.name for index, _ in beside)
    with_others = f" with {others} there" if others else ""
    lacking = short_of(problem, place, members)
    missing = missing_bytes(problem, place, members)
    if lacking or not missing:
        why = f"it lacks {lacking}{with_others}" if lacking else "its disk is below the reserve"
        return RuledOut(node_id=place.node.node_id, hostname="", why=why)
    why = f"{format_bytes(missing)} are missing on its disk{with_others}"
    return RuledOut(node_id=place.node.node_id, hostname="", why=why, missing_bytes=missing)
