"""Intent: whenever a run is killed, or its engine, or its disk fills up, nothing is lost and the next run gets there.

Steps: strike deploy, rollback, build, reclaim and rehearse at entries of the journal and in between; begin again.
State checked: pages, containers, volumes and images of the stack and its neighbours; names, directories, mounts,
devices, namespaces and processes that are left; exit codes.

Blows follow from a seed, which is printed: ``python -m tests.scenarios.kills.by_hand --seed SEED --only POSITION``.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.kills.blows import QUICK, rounds
from tests.scenarios.kills.ground import Ground
from tests.scenarios.kills.playing import play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project
    from tests.scenarios.kills.blows import Round

DISK_BYTES = 1_200_000_011
FEW, MANY = 30, 260
_LONG_S = 4 * 3600.0


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(1200.0)
def test_nothing_is_lost_or_left_at_thirty_moments_at_which_a_run_is_struck(
    engine_factory: Callable[[int], RealEngine],
    project_on: Callable[[RealEngine], Project],
) -> None:
    ground = Ground.laid(project_on(engine_factory(DISK_BYTES)))
    strike_until(FEW, 1, rounds(1, most_blows=8, commands=QUICK, services=("store",)), ground)


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.long("it takes hours")
@pytest.mark.timeout(_LONG_S)
def test_nothing_is_lost_or_left_at_whatever_moment_a_run_is_struck(
    engine_factory: Callable[[int], RealEngine],
    project_on: Callable[[RealEngine], Project],
) -> None:
    seed = int(os.environ.get("TONNAGE_TEST_SEED", time.time()))
    ground = Ground.laid(project_on(engine_factory(DISK_BYTES)))
    strike_until(MANY, seed, rounds(seed, most_blows=6, engines=0.05, disks=0.2), ground)


def strike_until(most: int, seed: int, told: Iterator[Round], ground: Ground) -> None:
    struck, harm = 0, []
    try:
        for position, each in enumerate(told):
            came = play(ground, each)
            struck += len(came.at)
            if came.faults:
                harm.append("\n".join([f"seed {seed}, position {position}: {each}", *came.faults, *came.said]))
            if struck >= most:
                break
    finally:
        ground.clear()
    assert not harm, "\n\n".join(harm)
