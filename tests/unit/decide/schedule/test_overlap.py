"""The shortest schedule: equal to a search through all of them, and never over the line."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tonnage.decide.schedule.jobs import RunLimits, ScheduledJob
from tonnage.decide.schedule.order import lowest_peak
from tonnage.decide.schedule.overlap import Schedule, shortest

if TYPE_CHECKING:
    from collections.abc import Sequence


def holds(jobs: Sequence[ScheduledJob], starts: dict[str, int], limits: RunLimits) -> bool:
    """Say whether a schedule, or a part of one, keeps to everything, at each second."""
    on = [job for job in jobs if job.name in starts]
    for job in on:
        for before in job.after:
            if before in starts and starts[before] + seconds_of(jobs, before) > starts[job.name]:
                return False
    for now in range(max((starts[job.name] + job.seconds for job in on), default=0)):
        runs = [job for job in on if starts[job.name] <= now < starts[job.name] + job.seconds]
        if len(runs) > limits.at_once or sum(job.cores for job in runs) > limits.cores:
            return False
        if sum(job.network for job in runs) > limits.network:
            return False
        for disk, room in enumerate(limits.headroom):
            done = sum(job.kept[disk] for job in on if starts[job.name] + job.seconds <= now)
            if runs and done + sum(max(0, job.needed[disk]) for job in runs) > room:
                return False
    return True


def seconds_of(jobs: Sequence[ScheduledJob], name: str) -> int:
    return next(job.seconds for job in jobs if job.name == name)


def shortest_of_all(jobs: Sequence[ScheduledJob], limits: RunLimits) -> int | None:
    """Try each job at each second."""
    limit = sum(job.seconds for job in jobs)
    best: list[int] = []

    def place(number: int, starts: dict[str, int]) -> None:
        if number == len(jobs):
            if holds(jobs, starts, limits):
                best.append(max(starts[job.name] + job.seconds for job in jobs))
            return
        job = jobs[number]
        end = min(best, default=limit + 1)
        for at in range(min(limit, end - 1) - job.seconds + 1):
            waits = [starts[each] + seconds_of(jobs, each) for each in job.after]
            if at >= max(waits, default=0):
                place(number + 1, {**starts, job.name: at})

    place(0, {})
    return min(best, default=None)


def some_jobs(chance: random.Random, count: int, disks: int) -> list[ScheduledJob]:
    found = []
    for number in range(count):
        kept = tuple(chance.randint(-4, 6) for _ in range(disks))
        found.append(
            ScheduledJob(
                name=f"j{number}",
                needed=tuple(max(0, each) + chance.randint(0, 5) for each in kept),
                kept=kept,
                seconds=chance.randint(1, 3),
                cores=chance.randint(1, 2),
                network=chance.choice((0, 40, 80)),
                after=tuple(f"j{each}" for each in range(number) if chance.random() < 0.25),
            )
        )
    return found


@pytest.mark.parametrize("disks", [1, 2])
def test_no_schedule_is_shorter(disks: int) -> None:
    chance = random.Random(f"overlap {disks}")
    seen = {"fits": 0, "not": 0, "overlaps": 0}
    for _ in range(120):
        jobs = some_jobs(chance, chance.randint(2, 4), disks)
        least = [lowest_peak(jobs, on=on).peak_bytes for on in range(disks)]
        room = tuple(max(0, each + chance.randint(-1, 5)) for each in least)
        limits = RunLimits(headroom=room, cores=3, at_once=chance.randint(1, 3))
        found = shortest(jobs, limits)
        wanted = shortest_of_all(jobs, limits)
        assert (found.seconds if found else None) == wanted, (jobs, limits)
        if found is None:
            seen["not"] += 1
            continue
        assert found.optimal
        assert found.gap_percent == 0.0
        assert holds(jobs, dict(found.starts), limits), (jobs, limits)
        seen["fits"] += 1
        seen["overlaps"] += found.seconds < sum(job.seconds for job in jobs)
    assert min(seen.values()) > 5, seen


def builds(chance: random.Random, count: int) -> list[ScheduledJob]:
    """Return services as a plan has them: each is built, and then its build cache is removed."""
    found = []
    for number in range(count):
        kept, on_top, cache = chance.randint(50, 900), chance.randint(20, 700), chance.randint(0, 40)
        after = (f"b{chance.randrange(number)}",) if number and chance.random() < 0.2 else ()
        seconds = chance.randint(20, 300)
        found.append(
            ScheduledJob(name=f"b{number}", needed=(kept + on_top,), kept=(kept,), seconds=seconds, after=after)
        )
        found.append(
            ScheduledJob(name=f"c{number}", needed=(0,), kept=(-cache,), seconds=1, cores=0, after=(f"b{number}",))
        )
    return found


def test_many_services_get_a_schedule_that_holds_and_a_bound_that_is_told() -> None:
    chance = random.Random("many")
    jobs = builds(chance, 20)
    limits = RunLimits(headroom=(lowest_peak(jobs).peak_bytes * 102 // 100,), cores=2, at_once=2)
    found = shortest(jobs, limits)
    assert isinstance(found, Schedule)
    assert holds(jobs, dict(found.starts), limits)
    assert found.bound_seconds <= found.seconds < sum(job.seconds for job in jobs)
    assert found.gap_percent < 5.0
    assert shortest(jobs, limits) == found


def test_at_the_limit_of_the_search_the_bound_stays_below_the_answer() -> None:
    chance = random.Random("limit")
    jobs = builds(chance, 12)
    limits = RunLimits(headroom=(lowest_peak(jobs).peak_bytes,), cores=2, at_once=2)
    rushed, patient = shortest(jobs, limits, most_moments=1), shortest(jobs, limits)
    assert rushed is not None
    assert patient is not None
    assert rushed.bound_seconds <= patient.seconds <= rushed.seconds
    assert holds(jobs, dict(rushed.starts), limits)


def test_what_fits_in_no_order_has_no_schedule() -> None:
    jobs = [ScheduledJob(name="one", needed=(7,), kept=(5,)), ScheduledJob(name="two", needed=(7,), kept=(5,))]
    assert shortest(jobs, RunLimits(headroom=(11,), cores=2, at_once=2)) is None
    assert shortest(jobs, RunLimits(headroom=(12,), cores=2, at_once=2)) is not None
    assert shortest([], RunLimits(headroom=(0,))) == Schedule(starts=(), seconds=0, bound_seconds=0)
