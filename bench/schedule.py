#!/usr/bin/env python3
"""How long it takes to put the jobs of a stack in order, and how close to the best the answer is.

    bench/schedule.py [--seeds 5]

Prints, for 3 and for 30 services (a build and its tidying each, some waiting for others) on disks from the smallest on
which they fit at all, the seconds of processor time of the order with the lowest peak and of the shortest schedule, and
by how much that may be too long. Then, for 3, 30 and 300 services that are built, started and proven, that of a whole
plan as a deploy makes it of forecasts: in the order of the file, in the lowest one, and where it does not fit
a second time with build cache removed. Ends with 1 where a limit is passed: 50 ms for 3 services, 2 s for 30, and
10 s for a plan of 300.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from msgspec.structs import replace
from tests.simulator.deploying import stack_of
from tests.unit.builders import harbour
from tests.unit.decide.schedule.test_overlap import builds
from tests.unit.decide.schedule.test_services import build, described

from tonnage.decide.deploy.planning import plan_deploy
from tonnage.decide.schedule.jobs import RunLimits
from tonnage.decide.schedule.order import lowest_peak
from tonnage.decide.schedule.overlap import shortest
from tonnage.decide.schedule.services import with_cache_cleaned
from tonnage.model.inventory import CONTAINERD

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.deploy.policy import Policy
    from tonnage.model.stack import Stack

LIMITS_S = {3: 0.05, 30: 2.0}
WHOLE_LIMITS_S = {3: 0.05, 30: 2.0, 300: 10.0}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds: int = parser.parse_args().seeds
    passed = False
    print("services  disk   order      schedule   gap")
    for services, limit_s in LIMITS_S.items():
        for percent in (100, 102, 105, 130):
            for seed in range(seeds):
                jobs = builds(random.Random(f"{services} {seed}"), services)  # noqa: S311 - the same jobs each time
                began_s = time.process_time()
                least_bytes = lowest_peak(jobs).peak_bytes
                order_s = time.process_time() - began_s
                limits = RunLimits(headroom=(least_bytes * percent // 100,), cores=2, at_once=2)
                began_s = time.process_time()
                found = shortest(jobs, limits)
                took_s = time.process_time() - began_s
                gap = "none found" if found is None else "optimal" if found.optimal else f"{found.gap_percent:.2f} %"
                print(f"{services:8} {percent:4} % {order_s * 1000:7.1f} ms {took_s * 1000:9.1f} ms   {gap}")
                passed |= order_s + took_s > limit_s or found is None
    print("\nservices  steps  plans made   whole plan")
    for services, limit_s in WHOLE_LIMITS_S.items():
        with tempfile.TemporaryDirectory() as directory:
            steps, made, took_s = whole_plan(services, Path(directory))
        print(f"{services:8} {steps:6} {made:11} {took_s * 1000:9.1f} ms")
        passed |= took_s > limit_s
    return int(passed)


def whole_plan(services: int, directory: Path) -> tuple[int, int, float]:
    """Plan a stack of many services on a disk that is too small, and return steps, plans made, and seconds."""
    chance = random.Random(services)  # noqa: S311 - the same stack each time
    waits = [[f"s{chance.randrange(number)}"] if number and chance.random() < 0.5 else [] for number in range(services)]  # noqa: PLR2004
    every = [described(f"s{number}", *names) for number, names in enumerate(waits)]
    sizes = {each.name: build(*(chance.randrange(most) for most in (100, 1_000, 100))) for each in every}
    place = harbour(directory)
    stack = stack_of(place.engine, tuple(every))
    seen = place.inventory(stack)
    disk = replace(seen.filesystems[0], available_bytes=100_000_000)
    inventory = replace(seen, engine=replace(seen.engine, image_store=CONTAINERD), filesystems=(disk,))
    history, made = place.history(), 0

    def plan_of(ordered: Stack, policy: Policy) -> Plan:
        nonlocal made
        made += 1
        return plan_deploy(ordered, inventory, policy, history, (), sizes)

    began_s = time.process_time()
    plan = with_cache_cleaned(stack, replace(place.policy, keep_free_bytes=0), inventory, plan_of)
    return len(plan.steps), made, time.process_time() - began_s


if __name__ == "__main__":
    sys.exit(main())
