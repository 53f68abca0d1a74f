#!/usr/bin/env python3
"""Whether the shortest schedule of random jobs is as short as the one that OR-Tools' CP-SAT finds and proves.

    pip install ortools        # into the environment of the tests, which does without it
    bench/schedule_oracle.py [--instances 500]

4 to 7 jobs with bytes on one or two disks, cores, a share of the network, and what they wait for; disks from less than
the least on which they fit in any order. Ends with 1 where an answer differs, holds not, or is not proven.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from ortools.sat.python import cp_model
from tests.unit.decide.schedule.test_overlap import holds, some_jobs

from tonnage.decide.schedule.jobs import RunLimits
from tonnage.decide.schedule.order import lowest_peak
from tonnage.decide.schedule.overlap import shortest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.decide.schedule.jobs import ScheduledJob


def proven(jobs: Sequence[ScheduledJob], limits: RunLimits) -> int | None:
    """Return the seconds of the shortest schedule; None where there is none.

    Raises:
        RuntimeError: It was not proven.
    """
    model = cp_model.CpModel()
    horizon = sum(job.seconds for job in jobs)
    last = {job.name: horizon - job.seconds for job in jobs}
    begins: dict[tuple[str, int], Any] = {
        (job.name, at): model.new_bool_var("") for job in jobs for at in range(last[job.name] + 1)
    }
    ends: dict[str, Any] = {}
    for job in jobs:
        moments = range(last[job.name] + 1)
        model.add_exactly_one(begins[job.name, at] for at in moments)
        ends[job.name] = sum(at * begins[job.name, at] for at in moments) + job.seconds
    for job in jobs:
        for before in job.after:
            model.add(ends[job.name] - job.seconds >= ends[before])
    for now in range(horizon):
        runs = {
            job.name: sum(
                begins[job.name, at] for at in range(max(0, now - job.seconds + 1), min(now, last[job.name]) + 1)
            )
            for job in jobs
        }
        is_done = {
            job.name: sum(begins[job.name, at] for at in range(min(now - job.seconds, last[job.name]) + 1))
            for job in jobs
        }
        some_run = model.new_bool_var("")
        model.add(sum(runs.values()) <= limits.at_once)
        model.add(sum(runs.values()) <= len(jobs) * some_run)
        model.add(sum(job.cores * runs[job.name] for job in jobs) <= limits.cores)
        model.add(sum(job.network * runs[job.name] for job in jobs) <= limits.network)
        for disk, room in enumerate(limits.headroom):
            held = sum(job.kept[disk] * is_done[job.name] + max(0, job.needed[disk]) * runs[job.name] for job in jobs)
            model.add(held <= room).only_enforce_if(some_run)
    end = model.new_int_var(0, horizon, "")
    for job in jobs:
        model.add(end >= ends[job.name])
    model.minimize(end)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = 60
    told = solver.solve(model)
    if told == cp_model.OPTIMAL:
        return int(solver.objective_value)
    if told == cp_model.INFEASIBLE:
        return None
    raise RuntimeError("CP-SAT proved nothing within a minute")


def main() -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instances", type=int, default=500)
    count: int = parser.parse_args().instances
    chance = random.Random("oracle")  # noqa: S311 - the same jobs each time
    wrong = overlapped = without = 0
    for _ in range(count):
        disks = chance.randint(1, 2)
        jobs = some_jobs(chance, chance.randint(4, 7), disks)
        least = [lowest_peak(jobs, on=disk).peak_bytes for disk in range(disks)]
        headroom = tuple(max(0, each + chance.randint(-1, 5)) for each in least)
        limits = RunLimits(headroom=headroom, cores=3, at_once=chance.randint(1, 3))
        found, wanted = shortest(jobs, limits), proven(jobs, limits)
        if (found.seconds if found else None) != wanted:
            wrong += 1
            print(f"{wanted} and not {found}: {jobs} {limits}")
        elif found is None:
            without += 1
        else:
            wrong += not (found.optimal and holds(jobs, dict(found.starts), limits))
            overlapped += found.seconds < sum(job.seconds for job in jobs)
    print(f"{count} instances: {count - wrong} equal; {overlapped} overlap, {without} fit in no order")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
