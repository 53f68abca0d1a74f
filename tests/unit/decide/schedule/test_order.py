"""The order with the lowest peak: equal to a search through all orders."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from tonnage.decide.schedule.jobs import ScheduledJob
from tonnage.decide.schedule.order import lowest_peak, peak_of
from tonnage.errors import TonnageError


def job(name: str, needed: int, kept: int, *after: str) -> ScheduledJob:
    return ScheduledJob(name=name, needed=(needed,), kept=(kept,), after=after)


def lowest_of_all(jobs: list[ScheduledJob]) -> int:
    return min(peak_of(order) for order in permutations(jobs) if possible(order))


def possible(order: tuple[ScheduledJob, ...]) -> bool:
    names = [each.name for each in order]
    return all(names.index(before) < place for place, each in enumerate(order) for before in each.after)


def some_jobs(chance: random.Random, count: int, shape: str) -> list[ScheduledJob]:
    after: list[set[str]] = [set() for _ in range(count)]
    for number in range(count):
        if chance.random() < 0.3:
            continue
        if shape == "grows apart" and number:
            after[number].add(f"j{chance.randrange(number)}")
        elif shape == "grows together" and number + 1 < count:
            after[chance.randrange(number + 1, count)].add(f"j{number}")
        elif shape == "anyhow":
            after[number] |= {f"j{each}" for each in range(number) if chance.random() < 0.4}
    if shape == "grows together":
        used: set[str] = set()
        for each in after:
            each.difference_update(used)
            used |= each
    sizes = [(chance.randint(-9, 9), chance.randint(0, 9)) for _ in range(count)]
    found = [job(f"j{n}", max(0, kept) + on_top, kept, *sorted(after[n])) for n, (kept, on_top) in enumerate(sizes)]
    chance.shuffle(found)
    return found


@pytest.mark.parametrize("shape", ["grows apart", "grows together", "anyhow"])
def test_no_order_has_a_lower_peak(shape: str) -> None:
    chance = random.Random(f"order {shape}")
    for _ in range(250):
        jobs = some_jobs(chance, chance.randint(1, 6), shape)
        found = lowest_peak(jobs)
        named = {each.name: each for each in jobs}
        order = tuple(named[name] for name in found.names)
        assert len(order) == len(jobs)
        assert possible(order), jobs
        assert found.proven
        assert peak_of(order) == found.peak_bytes == lowest_of_all(jobs), jobs


def test_what_frees_comes_first_and_the_deepest_descent_next() -> None:
    jobs = [job("keeps", 5, 5), job("falls", 9, 2), job("frees", 1, -3)]
    assert lowest_peak(jobs).names == ("frees", "falls", "keeps")


def test_equal_jobs_stay_as_they_are_written() -> None:
    jobs = [job(name, 7, 3) for name in "cab"]
    assert lowest_peak(jobs).names == ("c", "a", "b")


def test_three_hundred_jobs_in_one_row_and_as_many_apart_are_put_in_order() -> None:
    chance = random.Random(3)
    row = [job(f"r{n}", 9, chance.randint(-9, 9), *([f"r{n - 1}"] if n else [])) for n in range(300)]
    apart = [job(f"a{n}", 9 + n, chance.randint(-9, 9)) for n in range(300)]
    found = lowest_peak([*row, *apart])
    assert found.proven
    assert len(found.names) == 600


def test_jobs_that_hang_together_too_much_are_put_in_an_order_that_is_not_called_proven() -> None:
    jobs = [job(f"l{n}", 9 + n % 5, n % 7) for n in range(14)]
    jobs += [job(f"r{n}", 9, -3, f"l{n % 14}", f"l{(n * 5 + 3) % 14}") for n in range(14)]
    found = lowest_peak(jobs)
    named = {each.name: each for each in jobs}
    assert not found.proven
    assert possible(tuple(named[name] for name in found.names))


def test_jobs_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(TonnageError, match="waits for itself"):
        lowest_peak([job("one", 1, 1, "two"), job("two", 1, 1, "one")])
