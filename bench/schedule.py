#!/usr/bin/env python3
"""How long it takes to put the jobs of a stack in order, and how close to the best the answer is.

    bench/schedule.py [--seeds 5]

Prints, for 3 and for 30 services (a build and its tidying each, some waiting for others) on disks from the smallest on
which they fit at all, the seconds of processor time of the order with the lowest peak and of the shortest schedule, and
by how much that may be too long. Ends with 1 where a limit is passed: 50 ms for 3 services, 2 s for 30.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.unit.decide.schedule.test_overlap import builds

from tonnage.decide.schedule.jobs import RunLimits
from tonnage.decide.schedule.order import lowest_peak
from tonnage.decide.schedule.overlap import shortest

LIMITS_S = {3: 0.05, 30: 2.0}


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
    return int(passed)


if __name__ == "__main__":
    sys.exit(main())
