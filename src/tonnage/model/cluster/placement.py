"""Where services shall run, what that moves, and how low it takes each node; or why there is no such place."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.forecast.estimate import NOTHING

if TYPE_CHECKING:
    from tonnage.model.forecast.estimate import Estimate


class Delivery(StrEnum):
    """How an image comes to a node."""

    LOAD = "load"
    """Its missing layers are sent by ssh and loaded."""
    PULL = "pull"
    """The node pulls it from a registry."""


class NodeTransfer(Struct, frozen=True, kw_only=True):
    """One image that a node lacks layers of.

    Args:
        services: Whose image it is.
        chain_ids: The layers that it lacks at that moment, lowest first.
        moved: What goes over the network.
        kept: What stays on the node's disk.
        temporary: What its disk needs on top until it is there.
    """

    reference: str
    services: tuple[str, ...]
    delivery: Delivery
    chain_ids: tuple[str, ...]
    moved: Estimate
    kept: Estimate
    temporary: Estimate


class AssignedNode(Struct, frozen=True, kw_only=True):
    """A node on which a service may run.

    Args:
        tasks: How many of its tasks at most are counted there.
        stays: Whether it runs there now.
        why: Why this node, in words.
    """

    node_id: str
    hostname: str
    tasks: int
    stays: bool
    why: str


class Assignment(Struct, frozen=True, kw_only=True):
    """Where one service shall run.

    Args:
        nodes: Every node that holds its image and may get its tasks.
        leaves: Nodes on which it runs now and shall not any more, by id.
    """

    service: str
    nodes: tuple[AssignedNode, ...]
    leaves: tuple[str, ...] = ()


class NodeOutlook(Struct, frozen=True, kw_only=True):
    """What a placement does to one node.

    Args:
        mount: The filesystem that images lie on.
        available_bytes: What is available there now; None where nobody knows, and nothing new comes.
        reclaim_bytes: What must be freed there before anything comes; 0 for nothing.
        low_bytes: The least that is expected to be available at any moment, by the high figures, after the reclaim.
        transfers: The images that come, in this order: each one alone where they are sent, all of them at the same time
            where the node pulls.
        task_bytes: What its new tasks write at their worst moment, beside those that they replace.
        moved: What goes to it over the network.
    """

    node_id: str
    hostname: str
    mount: str
    available_bytes: int | None
    reserve_bytes: int
    reclaim_bytes: int
    low_bytes: int | None
    transfers: tuple[NodeTransfer, ...] = ()
    task_bytes: int = 0
    moved: Estimate = NOTHING


class PlacementSearch(Struct, frozen=True, kw_only=True):
    """How the placement was found.

    Args:
        proven: Whether no placement is better: every other one was tried or ruled out by a bound.
        steps: What the search tried.
        moved_bytes: What this placement moves at most.
        bound_bytes: What any placement moves at least, by the same figures.
    """

    proven: bool
    steps: int
    moved_bytes: int
    bound_bytes: int

    @property
    def gap_bytes(self) -> int:
        """By how much it may be worse than the best one."""
        return 0 if self.proven else max(0, self.moved_bytes - self.bound_bytes)


class Placement(Struct, frozen=True, kw_only=True):
    """Where all services of a stack shall run.

    Args:
        assignments: In the order of the services.
        nodes: The nodes that get or keep something, in the order of the cluster.
        left_out: Nodes that get nothing new, by host name or id, each with the reason.
        moves: Tasks that run now and have to go to another node.
        notes: What people should know, such as a wish that could not be kept.
    """

    stack: str
    assignments: tuple[Assignment, ...]
    nodes: tuple[NodeOutlook, ...]
    search: PlacementSearch
    moves: int = 0
    left_out: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def assignment(self, service: str) -> Assignment:
        """Return where a service shall run.

        Raises:
            KeyError: No such service was placed.
        """
        for each in self.assignments:
            if each.service == service:
                return each
        raise KeyError(service)


class RuledOut(Struct, frozen=True, kw_only=True):
    """Why a service cannot run on one node.

    Args:
        missing_bytes: What the node lacks; None where bytes are not the reason.
    """

    node_id: str
    hostname: str
    why: str
    missing_bytes: int | None = None


class PlacementRefusal(Struct, frozen=True, kw_only=True):
    """Why a stack cannot be placed. Nothing was touched.

    Args:
        service: The service that finds no place; empty where the reason is the cluster's.
        nodes: Every node, with the reason why it was ruled out.
        proven: Whether it is certain that no placement exists; if not, the search ended at its limit.
        usage: Whether what the user wrote is at fault and no cluster could take it: exit code 2 and not 3.
        place: Where the service is written, as ``file:line``.
    """

    stack: str
    service: str
    what: str
    why: str = ""
    todo: str = ""
    nodes: tuple[RuledOut, ...] = ()
    proven: bool = True
    usage: bool = False
    place: str = ""

    @property
    def missing_bytes(self) -> int | None:
        """What is missing on the node that lacks least; None where bytes are not the reason."""
        return min((each.missing_bytes for each in self.nodes if each.missing_bytes is not None), default=None)


class LabelChange(Struct, frozen=True, kw_only=True):
    """One label of a node to be set or removed.

    Args:
        value: What it is set to; None to remove it.
    """

    node_id: str
    key: str
    value: str | None = None


class WrittenPlacement(Struct, frozen=True, kw_only=True):
    """A placement as Swarm is told it.

    Args:
        before: Labels that are set before ``docker stack deploy``.
        constraints: What each service gets besides its own ``deploy.placement.constraints``.
        after: Labels that are removed once the services have converged.
    """

    before: tuple[LabelChange, ...]
    constraints: dict[str, tuple[str, ...]]
    after: tuple[LabelChange, ...]
