"""A placement in bounded time: service by service on the nodes where it costs least, with second thoughts.

A service that finds no place goes first in the next try; before that, another one makes way for it where that helps.
When all are placed, each of them looks once more where it would cost less. Every try is counted, none is timed, so that
the same question has the same answer on every machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.cluster.arrangement import Arrangement
from tonnage.decide.cluster.room import kept_fits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.decide.cluster.arrangement import Choice, NodeKey
    from tonnage.decide.cluster.problem import PlaceableService, PlacementProblem

_MOST_STARTS = 24
_MOST_STEPS = 150_000
_LARGE = 50_000
_MOST_WAYS = 40
_SWEEPS = 3


def greedy(problem: PlacementProblem) -> tuple[Arrangement, PlaceableService | None]:
    """Look for a placement.

    Returns:
        The best arrangement, and None; or the one that it ended with, and the service that found no place in it.
    """
    order = sorted(problem.services, key=lambda each: _hardest(problem, each))
    first, stuck = _placed(problem, order)
    state, steps = first, first.steps
    seen: set[tuple[int, ...]] = set()
    again = stuck
    for _ in range(_MOST_STARTS):
        if again is None:
            _swept(state, order)
            return state, None
        order = [again, *(each for each in order if each is not again)]
        key = tuple(each.index for each in order)
        if key in seen or steps > _MOST_STEPS:
            break
        seen.add(key)
        state, again = _placed(problem, order)
        steps += state.steps
    first.steps = steps
    return first, stuck


def _hardest(problem: PlacementProblem, wanted: PlaceableService) -> tuple[int, int, int]:
    return len(wanted.eligible) - wanted.fewest, -problem.layers.unpacked.of(wanted.mask), wanted.index


def _placed(
    problem: PlacementProblem, order: Sequence[PlaceableService]
) -> tuple[Arrangement, PlaceableService | None]:
    state = Arrangement(problem)
    for wanted in order:
        chosen = cheapest_choice(state, wanted)
        if chosen is not None:
            state.put(wanted, chosen, wanted.tasks_on(chosen) or 0)
        elif not _made_way(state, wanted):
            return state, wanted
    return state, None


def cheapest_choice(state: Arrangement, wanted: PlaceableService) -> Choice | None:
    """Return the nodes where a service costs least beside what is there; None where there are too few."""
    if wanted.service.is_global:
        fits = all(state.room(node, (wanted.index, 1)) is not None for node in wanted.eligible)
        return wanted.eligible if fits else None
    if not wanted.most or not wanted.service.replicas:
        return () if not wanted.service.replicas else None
    ranked = _ranked(state, wanted)
    aims = max([wanted.wished, *(count for _, count in wanted.spreads)])
    first = min(wanted.most, max(aims, min(len(wanted.running), wanted.service.replicas)))
    sizes = dict.fromkeys((first, *range(min(aims, wanted.most), wanted.most + 1), *range(wanted.fewest, aims)))
    best: tuple[int, Choice] | None = None
    for size in sizes:
        chosen = _picked(state, wanted, ranked, size)
        if chosen is None:
            continue
        missed = wanted.missed(chosen)
        if not missed:
            return chosen
        if best is None or missed < best[0]:
            best = (missed, chosen)
    return best[1] if best else None


def _ranked(state: Arrangement, wanted: PlaceableService) -> list[int]:
    """Return the eligible nodes, cheapest first; those whose disk is too small in any case are left out."""
    keyed = state.empty_keys.get(wanted.index)
    if keyed is None:
        keyed = [key for node in wanted.eligible if (key := _key(state, wanted, node, 0, 0)) is not None]
        state.empty_keys[wanted.index] = keyed
    members = state.members
    ranked = [key for key in keyed if not members[key[-1]]]
    for node in wanted.eligible:
        if members[node]:
            key = _key(state, wanted, node, state.union[node], state.written[node])
            if key is not None:
                ranked.append(key)
    ranked.sort()
    return [each[-1] for each in ranked]


def _key(state: Arrangement, wanted: PlaceableService, node: int, union: int, written: int) -> NodeKey | None:
    """Return what nodes are compared by for a service, beside what is there; None for a disk that is too small."""
    place = state.problem.nodes[node]
    costs, mask = place.costs, wanted.mask
    written += wanted.task_bytes[node]
    if not kept_fits(place, union | mask, written):
        return None
    # What is moved, then what more lies on disks, then what remains.
    return (
        node not in wanted.running,
        costs.moved.of(mask & ~(place.have | union)),
        state.problem.layers.unpacked.of(mask & ~union),
        costs.kept.of((union | mask) & ~place.have) + written + place.reserve_bytes - (place.available_bytes or 0),
        node,
    )


def _picked(state: Arrangement, wanted: PlaceableService, ranked: Sequence[int], size: int) -> Choice | None:
    """Return so many nodes that fit, the cheapest first; of those with an equal wish the ones that are apart."""
    staying = [node for node in ranked if node in wanted.stays_only][:size]
    tasks = wanted.tasks_each(staying, size - len(staying))
    if tasks is None:
        return None
    chosen: list[int] = []
    waiting = list(ranked)
    while len(chosen) < size:
        found = next((n for n in _apart_first(wanted, chosen, waiting) if _fits(state, wanted, n, tasks)), None)
        if found is None:
            return None
        chosen.append(found)
        # Those before it do not fit, unless they only are not apart.
        waiting = waiting[waiting.index(found) + 1 :] if not wanted.spreads else [n for n in waiting if n != found]
    result = tuple(sorted(chosen))
    again = wanted.tasks_on(result)
    if again is None or (again > tasks and not all(_fits(state, wanted, node, again) for node in result)):
        return None
    return result


def _fits(state: Arrangement, wanted: PlaceableService, node: int, tasks: int) -> bool:
    return state.room(node, (wanted.index, tasks)) is not None


def _apart_first(wanted: PlaceableService, chosen: Sequence[int], waiting: Sequence[int]) -> Sequence[int]:
    if not wanted.spreads or not chosen:
        return waiting
    used = [{values[node] for node in chosen} for values, _ in wanted.spreads]
    return sorted(waiting, key=lambda n: sum(v[n] in u for (v, _), u in zip(wanted.spreads, used, strict=True)))


def _made_way(state: Arrangement, wanted: PlaceableService) -> bool:
    """Have another service make way for one that finds no place; return whether both are placed then."""
    problem = state.problem
    lacking = [node for node in wanted.eligible if state.members[node]]
    others = dict.fromkeys(
        index
        for node in lacking[:_MOST_WAYS]
        for index in sorted(
            state.members[node], key=lambda each: -problem.layers.unpacked.of(problem.services[each].mask)
        )
        if not problem.services[index].service.is_global
    )
    for index in list(others)[:_MOST_WAYS]:
        other = problem.services[index]
        former = state.take(other)
        if (chosen := cheapest_choice(state, wanted)) is not None:
            state.put(wanted, chosen, wanted.tasks_on(chosen) or 0)
            if (elsewhere := cheapest_choice(state, other)) is not None:
                state.put(other, elsewhere, other.tasks_on(elsewhere) or 0)
                # Without it, what stays there may be sent in an order that needs more.
                if all(state.room(node) is not None for node in former[0]):
                    return True
                state.take(other)
            state.take(wanted)
        state.put(other, *former)
    return False


def _swept(state: Arrangement, order: Sequence[PlaceableService]) -> None:
    """Let each service look once more where it would cost less, as long as that helps."""
    size = len(state.problem.nodes) * len(order)
    for _ in range(1 if size > _LARGE else _SWEEPS):
        bettered = sum(_bettered(state, wanted) for wanted in order)
        if not bettered:
            return


def _bettered(state: Arrangement, wanted: PlaceableService) -> bool:
    former = state.choices[wanted.index]
    before, was = state.take(wanted)
    chosen = cheapest_choice(state, wanted)
    state.put(wanted, before, was)
    if chosen is None or chosen == former:
        return False
    touched = sorted({*former, *chosen})
    old = state.cost(touched, [wanted.index])
    state.take(wanted)
    state.put(wanted, chosen, wanted.tasks_on(chosen) or 0)
    new = state.cost(touched, [wanted.index])
    if new is not None and old is not None and new < old:
        return True
    state.take(wanted)
    state.put(wanted, before, was)
    return False
