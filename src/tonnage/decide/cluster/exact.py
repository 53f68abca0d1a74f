"""The best placement of a small stack on a small cluster, with the proof that none is better.

Every choice of nodes of every service is tried, but for those that a bound rules out: what costs as much already as the
best that is known, what does not fit whatever is added, and what differs only in which of two equal nodes is taken. The
proof ends with the steps: a search that reaches its limit says so.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.cluster.arrangement import NO_HEADROOM, Arrangement
from tonnage.decide.cluster.bounds import own_masks
from tonnage.decide.cluster.room import kept_fits, meets

if TYPE_CHECKING:
    from tonnage.decide.cluster.arrangement import Choice, PlacementCost
    from tonnage.decide.cluster.problem import PlaceableService, PlacementProblem

MOST_NODES = MOST_SERVICES = 12
_MOST_STEPS = 30_000
_MOST_CHOICES = 20_000
_FEW_NODES = 6


class ExactSearch(Struct, frozen=True):
    """What a search found.

    Args:
        choices: The nodes of each service; None where none was found that is better than what was known.
        complete: Whether nothing was left untried.
    """

    choices: tuple[Choice, ...] | None
    complete: bool
    steps: int


class _Option(Struct, frozen=True):
    chosen: tuple[int, ...]
    tasks: int
    missed: int
    moves: int


def exact(problem: PlacementProblem, known: PlacementCost | None) -> ExactSearch:
    """Look for a placement that costs less than what is known."""
    if len(problem.nodes) > MOST_NODES or len(problem.services) > MOST_SERVICES:
        return ExactSearch(None, complete=False, steps=0)
    options = {each.index: _options(problem, each) for each in problem.services}
    if sum(map(len, options.values())) > _MOST_CHOICES:
        return ExactSearch(None, complete=False, steps=0)
    search = _Placing(problem, options, known)
    search.go(0, (0, 0))
    return ExactSearch(search.found, complete=search.steps <= _MOST_STEPS, steps=search.steps)


def _options(problem: PlacementProblem, wanted: PlaceableService) -> list[_Option]:
    """Return every choice of nodes of one service, the most promising first."""
    if wanted.service.is_global or not wanted.service.replicas:
        chosen = wanted.eligible if wanted.service.is_global else ()
        return [_Option(chosen, 1, 0, wanted.running_count - wanted.stay(chosen))]
    found = []
    # More nodes than it can use cost more, but layers that came with it may make way for another service's.
    most = len(wanted.eligible) if len(wanted.eligible) <= _FEW_NODES else wanted.most
    for size in range(wanted.fewest, most + 1):
        for chosen in combinations(wanted.eligible, size):
            tasks = wanted.tasks_on(chosen)
            if tasks is not None:
                moves = wanted.running_count - wanted.stay(chosen)
                found.append(_Option(chosen, tasks, wanted.missed(chosen), moves))
    return sorted(found, key=lambda each: (each.missed, each.moves, _alone(problem, wanted, each), each.chosen))


def _alone(problem: PlacementProblem, wanted: PlaceableService, option: _Option) -> int:
    places = [problem.nodes[node] for node in option.chosen]
    return sum(place.costs.moved.of(wanted.mask & ~place.have) for place in places)


class _Placing:
    """A search in depth, one service after the other."""

    def __init__(
        self, problem: PlacementProblem, options: dict[int, list[_Option]], known: PlacementCost | None
    ) -> None:
        self.problem = problem
        self.options = options
        self.best = known
        self.found: tuple[Choice, ...] | None = None
        self.steps = 0
        self.state = Arrangement(problem)
        self.order = sorted(
            problem.services, key=lambda each: (len(options[each.index]), -problem.layers.unpacked.of(each.mask))
        )
        self.rest = self._rests()
        self.twins = _twins(problem)

    def _rests(self) -> list[tuple[int, int, int, int]]:
        """Return what all services from each position on cost at least: wishes, moves, moved and held bytes."""
        own = own_masks(self.problem)
        rests = [(0, 0, 0, 0)]
        for wanted in reversed(self.order):
            alone = own[wanted.index]
            options = self.options[wanted.index]
            least = (
                min((each.missed for each in options), default=0),
                min((each.moves for each in options), default=0),
                min((self._moved(alone, each) for each in options), default=0),
                min((len(each.chosen) for each in options), default=0) * self.problem.layers.unpacked.of(alone),
            )
            missed, moves, moved, held = map(sum, zip(rests[-1], least, strict=True))
            rests.append((missed, moves, moved, held))
        return rests[::-1]

    def _moved(self, mask: int, option: _Option) -> int:
        places = [self.problem.nodes[node] for node in option.chosen]
        return sum(place.costs.moved.of(mask & ~place.have) for place in places)

    def go(self, position: int, spent: tuple[int, int]) -> None:
        """Try every choice of the service at a position, the services before it being placed."""
        if position == len(self.order):
            cost = self.state.cost()
            if cost is not None and (self.best is None or cost < self.best):
                self.best = cost
                self.found = tuple(self.state.choices[each.index] for each in self.problem.services)
            return
        wanted = self.order[position]
        for option in self.options[wanted.index]:
            if self.steps > _MOST_STEPS:
                return
            self.steps += 1
            if self._twin_first(option) or not self._fits(wanted, option):
                continue
            now = (spent[0] + option.missed, spent[1] + option.moves)
            self.state.put(wanted, option.chosen, option.tasks)
            if self.best is None or self._least(position + 1, now) < self.best:
                self.go(position + 1, now)
            self.state.take(wanted)

    def _twin_first(self, option: _Option) -> bool:
        """Return whether a node is taken although an equal one before it, with the same on it, is not."""
        return any(
            twin not in option.chosen and self.state.members[twin] == self.state.members[node]
            for node in option.chosen
            for twin in self.twins[node]
        )

    def _fits(self, wanted: PlaceableService, option: _Option) -> bool:
        for node in option.chosen:
            place = self.problem.nodes[node]
            written = self.state.written[node] + wanted.task_bytes[node]
            if not kept_fits(place, self.state.union[node] | wanted.mask, written):
                return False
            if not meets(self.problem, place, [*self.state.members[node].items(), (wanted.index, option.tasks)]):
                return False
        return True

    def _least(self, position: int, spent: tuple[int, int]) -> PlacementCost:
        """Return what everything costs at least that begins with what is placed now, part by part."""
        missed, moves, moved, held = self.rest[position]
        headroom = NO_HEADROOM
        for place, union, written in zip(self.problem.nodes, self.state.union, self.state.written, strict=True):
            if not self.state.members[place.index]:
                continue
            lacks = union & ~place.have
            moved += place.costs.moved.of(lacks)
            held += self.problem.layers.unpacked.of(union)
            if place.available_bytes is not None:
                free_bytes = place.available_bytes - place.reserve_bytes - written - place.costs.kept.of(lacks)
                # What is reclaimed for something that comes later takes a node up to its reserve.
                headroom = min(headroom, max(0, free_bytes))
        return spent[0] + missed, spent[1] + moves, moved, 0, held, -headroom


def _twins(problem: PlacementProblem) -> list[list[int]]:
    """Return of each node the nodes before it that no service and no figure tells apart."""
    known: dict[str, list[int]] = {}
    twins = []
    for place in problem.nodes:
        services = [
            (
                place.index in each.eligible,
                place.index in each.stays_only,
                len(each.running.get(place.index, ())),
                [task.reserved for task in each.running.get(place.index, ())],
                each.task_bytes.get(place.index),
                [values.get(place.index) for values, _ in each.spreads],
            )
            for each in problem.services
        ]
        key = repr(
            (
                place.have, place.gone, id(place.costs), place.available_bytes, place.reserve_bytes,
                place.reclaimable_bytes, sorted(place.left.items()), place.below_elsewhere, services,
            )
        )  # fmt: skip
        alike = known.setdefault(key, [])
        twins.append(list(alike))
        alike.append(place.index)
    return twins
