"""The choice of what services share is the best forest of sets, held to every forest that there is."""

from __future__ import annotations

import random
import time
from itertools import chain, combinations
from typing import TYPE_CHECKING

from tonnage.decide.share.choice import most_saved_bytes, saved_bytes_of, shared_sets
from tonnage.model.deploy.sharing import SharedWheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.decide.share.choice import SharedSet

    Wheels = dict[str, dict[SharedWheel, str]]

EARNS = 20


def wheel(name: str, kept: int) -> SharedWheel:
    return SharedWheel(name, "1.0", f"sha256:{name}", "", kept)


def stored_bytes(wheels: Wheels, sets: Sequence[frozenset[str]]) -> int:
    """Return what is stored with a forest, and what each of its sets has to earn."""
    every = {one: {name: its[one] for name, its in wheels.items() if one in its} for one in chain(*wheels.values())}
    total = EARNS * len(sets)
    for one, layers in every.items():
        having = {*layers}
        inside = [each for each in sets if each <= having]
        lowest = [each for each in inside if not any(each < other for other in inside)]
        alone = {layers[service] for service in having - set(chain.from_iterable(lowest))}
        total += one.kept_bytes * (len(lowest) + len(alone - {""}))
    return total


def forests(services: Sequence[str]) -> Iterator[tuple[frozenset[str], ...]]:
    """Yield every family of sets of which no two cross."""
    sets = [frozenset(some) for size in range(2, len(services) + 1) for some in combinations(services, size)]

    def grown(start: int, chosen: tuple[frozenset[str], ...]) -> Iterator[tuple[frozenset[str], ...]]:
        yield chosen
        for number in range(start, len(sets)):
            if all(not sets[number] & other or sets[number] < other or other < sets[number] for other in chosen):
                yield from grown(number + 1, (*chosen, sets[number]))

    return grown(0, ())


def random_stack(chance: random.Random, services: int, count: int, *, layers: bool = False) -> Wheels:
    """Return services with wheels; with ``layers`` some have wheels in one layer already, or on the engine."""
    names = [f"s{number}" for number in range(services)]
    wheels: Wheels = {name: {} for name in names}
    for number in range(count):
        one = wheel(f"w{number}", chance.randrange(1, 100))
        for name in chance.sample(names, chance.randint(1, services)):
            wheels[name][one] = chance.choice([name, "", "x", "y"]) if layers else name
    return wheels


def own(**wheels: list[SharedWheel]) -> Wheels:
    """Return services of which each has its wheels in a layer of its own."""
    return {name: dict.fromkeys(its, name) for name, its in wheels.items()}


def as_sets(found: Sequence[SharedSet]) -> list[frozenset[str]]:
    return [frozenset(each.services) for each in found]


def test_no_forest_stores_less() -> None:
    chance = random.Random(18)
    for number in range(120):
        wheels = random_stack(chance, 2 + number % 3, chance.randint(1, 8))
        found = shared_sets(wheels, earns_bytes=EARNS)
        best = min(stored_bytes(wheels, each) for each in forests(sorted(wheels)))
        assert stored_bytes(wheels, as_sets(found)) == best, wheels


def test_what_all_have_lies_below_what_some_have() -> None:
    common, pair, alone = wheel("torch", 5_000), wheel("vision", 700), wheel("own", 900)
    found = shared_sets(own(a=[common, pair], b=[common, pair, alone], c=[common]), earns_bytes=EARNS)
    assert [(each.services, each.wheels) for each in found] == [
        (("a", "b", "c"), (common,)),
        (("a", "b"), (pair,)),
    ]


def test_a_set_that_saves_less_than_it_has_to_is_left_out() -> None:
    assert shared_sets(own(a=[wheel("x", 20)], b=[wheel("x", 20)]), earns_bytes=EARNS) == ()
    assert len(shared_sets(own(a=[wheel("x", 21)], b=[wheel("x", 21)]), earns_bytes=EARNS)) == 1


def test_what_lies_in_one_layer_already_saves_nothing() -> None:
    torch = wheel("torch", 5_000)
    assert shared_sets({"a": {torch: "x"}, "b": {torch: "x"}}, earns_bytes=EARNS) == ()
    assert most_saved_bytes({"a": {torch: "x"}, "b": {torch: "x"}}) == 0
    [found] = shared_sets({"a": {torch: "x"}, "b": {torch: "x"}, "c": {torch: "c"}}, earns_bytes=EARNS)
    assert found.services == ("a", "b", "c")
    assert saved_bytes_of("abc", [torch], {"a": {torch: "x"}, "b": {torch: "x"}, "c": {torch: "c"}}) == 5_000


def test_what_the_engine_has_as_it_is_written_is_not_stored_anew() -> None:
    torch = wheel("torch", 5_000)
    assert shared_sets({"a": {torch: ""}, "b": {torch: "b"}}, earns_bytes=EARNS) == ()
    assert shared_sets({"a": {torch: ""}, "b": {torch: ""}}, earns_bytes=EARNS) == ()


def test_sharing_never_stores_more_than_is_stored_without() -> None:
    chance = random.Random(3)
    for number in range(200):
        wheels = random_stack(chance, 2 + number % 7, chance.randint(1, 9), layers=True)
        found = shared_sets(wheels, earns_bytes=EARNS)
        assert stored_bytes(wheels, as_sets(found)) <= stored_bytes(wheels, []), wheels


def test_one_version_is_never_taken_for_another() -> None:
    old, new = wheel("torch", 5_000), SharedWheel("torch", "2.0", "sha256:new", "", 5_000)
    assert shared_sets(own(a=[old], b=[new]), earns_bytes=EARNS) == ()


def test_thirty_services_are_chosen_for_at_once_and_the_bound_says_how_well() -> None:
    wheels = random_stack(random.Random(5), 30, 300)
    began = time.process_time()
    found = shared_sets(wheels, earns_bytes=EARNS)
    assert time.process_time() - began < 5
    sets = as_sets(found)
    assert all(not one & other or one < other or other < one or one == other for one in sets for other in sets)
    nothing = stored_bytes(wheels, [])
    saved = nothing - stored_bytes(wheels, sets)
    assert 0 < saved <= most_saved_bytes(wheels)


def test_copies_in_stages_of_their_own_save_nothing_where_an_image_takes_more() -> None:
    # In containerd an image keeps a wheel three times, and a stage that no image consists of once.
    wheel = SharedWheel("torch", "2.3.1", "sha256:aa", "", kept_bytes=300, inner_bytes=100)
    named = {name: {wheel: name} for name in ("a", "b", "c", "d", "e")}
    assert shared_sets(named, inner="abcde", earns_bytes=1) == ()
    assert most_saved_bytes(named, inner="abcde") == 0
    # Where one image consists of it, the others stand on what is there anyway.
    [found] = shared_sets({name: named[name] for name in "ab"}, inner="a", earns_bytes=1)
    assert (found.services, saved_bytes_of("ab", [wheel], named, inner="a")) == (("a", "b"), 100)
    alike = SharedWheel("torch", "2.3.1", "sha256:aa", "", kept_bytes=100, inner_bytes=100)
    [found] = shared_sets({name: {alike: name} for name in "ab"}, inner="ab", earns_bytes=1)
    assert saved_bytes_of("ab", [alike], {name: {alike: name} for name in "ab"}, inner="ab") == 100
