"""Services on nodes while a search tries: put there, taken away, and what that costs.

Costs are compared part by part, the weightiest first: wishes left open, running tasks that have to move, bytes over the
network, bytes to reclaim, bytes that layers take on all nodes together, and the least headroom of a node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.cluster.room import room

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tonnage.decide.cluster.problem import PlaceableService, PlacementProblem
    from tonnage.decide.cluster.room import Member, NodeRoom

Choice = tuple[int, ...]
"""The nodes of one service, ascending."""
PlacementCost = tuple[int, int, int, int, int, int]
NodeKey = tuple[bool, int, int, int, int]
"""What nodes are compared by for one service: whether it does not run there, moved, held and used bytes, the node."""
NO_HEADROOM = 1 << 63
"""More than any disk has: what the headroom is compared with as long as no node has got anything."""


class Arrangement:
    """Which services are on which node now.

    Args:
        problem: What is asked.
    """

    def __init__(self, problem: PlacementProblem) -> None:
        """Begin with nothing anywhere."""
        self.problem = problem
        self.choices: dict[int, Choice] = {}
        self.members: list[dict[int, int]] = [{} for _ in problem.nodes]
        self.union = [0] * len(problem.nodes)
        self.written = [0] * len(problem.nodes)
        self.steps = 0
        # Of each service, what nodes with nothing of the stack on them are compared by.
        self.empty_keys: dict[int, list[NodeKey]] = {}
        self._rooms: dict[tuple[int, tuple[Member, ...]], NodeRoom | None] = {}

    def put(self, wanted: PlaceableService, chosen: Choice, tasks: int) -> None:
        """Put a service on nodes, each of which takes so many of its tasks."""
        self.choices[wanted.index] = chosen
        for node in chosen:
            self.members[node][wanted.index] = tasks
            self.union[node] |= wanted.mask
            self.written[node] += wanted.task_bytes[node]

    def take(self, wanted: PlaceableService) -> tuple[Choice, int]:
        """Take a service away from where it is; return where that was, for :meth:`put`."""
        chosen = self.choices.pop(wanted.index)
        tasks = 0
        for node in chosen:
            tasks = self.members[node].pop(wanted.index)
            self.written[node] -= wanted.task_bytes[node]
            self.union[node] = 0
            for index in self.members[node]:
                self.union[node] |= self.problem.services[index].mask
        return chosen, tasks

    def room(self, node: int, added: Member | None = None) -> NodeRoom | None:
        """Return what a node comes to with what is on it and one more; None where that does not fit."""
        self.steps += 1
        there = self.members[node]
        members = tuple(sorted({**there, added[0]: added[1]}.items() if added else there.items()))
        key = (node, members)
        if key not in self._rooms:
            self._rooms[key] = room(self.problem, self.problem.nodes[node], members)
        return self._rooms[key]

    def settled(self, node: int) -> NodeRoom:
        """Return what a node comes to, when everything is placed.

        Raises:
            ValueError: It does not fit, which a search must not end with.
        """
        found = self.room(node)
        if found is None:
            raise ValueError(self.problem.nodes[node].node.node_id)
        return found

    def cost(self, nodes: Iterable[int] | None = None, services: Iterable[int] | None = None) -> PlacementCost | None:
        """Return what all of it costs, or what some nodes and services do; None where something does not fit."""
        missed = moves = moved_bytes = reclaim_bytes = held_bytes = 0
        headroom = NO_HEADROOM
        for index in self.choices if services is None else services:
            wanted, chosen = self.problem.services[index], self.choices[index]
            missed += wanted.missed(chosen)
            moves += wanted.running_count - wanted.stay(chosen)
        for node in range(len(self.members)) if nodes is None else nodes:
            if not self.members[node]:
                continue
            found = self.room(node)
            if found is None:
                return None
            moved_bytes += found.moved_bytes
            reclaim_bytes += found.reclaim_bytes
            held_bytes += found.held_bytes
            if found.low_bytes is not None:
                headroom = min(headroom, found.low_bytes - self.problem.nodes[node].reserve_bytes)
        return missed, moves, moved_bytes, reclaim_bytes, held_bytes, -headroom


def arranged(problem: PlacementProblem, choices: Sequence[Choice]) -> Arrangement:
    """Return an arrangement with every service on its nodes."""
    result = Arrangement(problem)
    for wanted, chosen in zip(problem.services, choices, strict=True):
        result.put(wanted, chosen, wanted.tasks_on(chosen) or 0)
    return result
