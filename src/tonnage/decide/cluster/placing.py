"""Where the services of a stack run on a Swarm: the door of this folder.

First what can be refused without a search, then a placement in bounded time, then, where stack and cluster are small,
the best one with its proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.cluster.arrangement import arranged
from tonnage.decide.cluster.bounds import least_moved
from tonnage.decide.cluster.constraints import read_constraint
from tonnage.decide.cluster.exact import exact
from tonnage.decide.cluster.greedy import greedy
from tonnage.decide.cluster.outlook import placement_of
from tonnage.decide.cluster.problem import placement_problem
from tonnage.decide.cluster.refusals import nowhere, stuck, wrong_wishes
from tonnage.model.cluster.placement import PlacementSearch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.decide.cluster.constraints import PlacementConstraint
    from tonnage.model.cluster.node import Cluster
    from tonnage.model.cluster.placement import Placement, PlacementRefusal
    from tonnage.model.cluster.service import ClusterService


def place(
    cluster: Cluster, services: Sequence[ClusterService], *, stack: str, failover: int | None = None
) -> Placement | PlacementRefusal:
    """Decide where services run so that no node falls below its reserve at any moment of the rollout.

    Args:
        cluster: All nodes of the Swarm as they are now, with what runs there.
        services: All services of the stack, also those that do not change.
        stack: Its name, as tasks and labels have it.
        failover: ``x-tonnage.failover``: on how many nodes the image of each service lies that does not say it itself;
            None where nothing is said.

    Returns:
        The nodes of every service; or why there are none, with every node that was ruled out. Nothing is half placed.
    """
    services = tuple(services)
    if (refusal := wrong_wishes(cluster, services, stack)) is not None:
        return refusal
    constraints = [_constraints(each) for each in services]
    problem = placement_problem(cluster, services, constraints, stack=stack, failover=failover)
    if (refusal := nowhere(problem, stack)) is not None:
        return refusal
    state, left = greedy(problem)
    best = exact(problem, state.cost() if left is None else None)
    if best.choices is not None:
        state = arranged(problem, best.choices)
    elif left is not None:
        return stuck(state, left, stack, proven=best.complete)
    search = PlacementSearch(
        proven=best.complete,
        steps=best.steps + state.steps,
        moved_bytes=sum(state.settled(node).moved_bytes for node in range(len(problem.nodes))),
        bound_bytes=least_moved(problem),
    )
    return placement_of(state, stack, search)


def _constraints(service: ClusterService) -> tuple[PlacementConstraint, ...]:
    read = (read_constraint(text) for text in service.constraints)
    return tuple(each for each in read if each is not None)
