"""The driver by hand, on one engine: ``python -m tests.scenarios.kills.by_hand --seed 7 --blows 200``.

Each blow is printed with what came of it. Blows follow from the seed; ``--only 17,18`` strikes those positions alone.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.engine_root import EngineName, in_front
from tests.real_engine import real_engine
from tests.scenarios.driving import Project
from tests.scenarios.kills.blows import QUICK, rounds
from tests.scenarios.kills.ground import Ground
from tests.scenarios.kills.playing import play

DISK_BYTES = 1_200_000_011


def say(text: str) -> None:
    """Print at once, whoever reads."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Strike, and return how many blows did harm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", type=EngineName.read, default=EngineName())
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--blows", type=int, default=30, help="how many are struck at least")
    parser.add_argument("--engines", type=float, default=0.04, help="share of them that hits the engine")
    parser.add_argument("--disks", type=float, default=0.18, help="share of them that fills the disk")
    parser.add_argument("--quick", action="store_true", help="the rounds of the short form of the test")
    parser.add_argument("--only", default="", help="positions, such as 3,4")
    parser.add_argument("--within", type=float, default=float("inf"), help="seconds after which no further one begins")
    chosen = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    only = {int(number) for number in chosen.only.split(",") if number}
    began_s = time.monotonic()
    harmed = struck = 0
    ways: Counter[str] = Counter()
    with (
        in_front(chosen.engine),
        tempfile.TemporaryDirectory(prefix="kills-") as place,
        real_engine(DISK_BYTES) as real,
    ):
        name = f"fleet-{os.urandom(3).hex()}"
        directory = Path(place, name)
        directory.mkdir()
        project = Project(real=real, directory=directory, name=name, state=Path(place, "state"))
        ground = Ground.laid(project)
        say(f"seed {chosen.seed}, engine {chosen.engine}, {name}")
        try:
            told = (
                rounds(chosen.seed, most_blows=8, commands=QUICK, services=("store",))
                if chosen.quick
                else rounds(chosen.seed, most_blows=6, engines=chosen.engines, disks=chosen.disks)
            )
            for position, each in enumerate(told):
                if struck >= chosen.blows or time.monotonic() - began_s > chosen.within:
                    break
                if only and position not in only:
                    if position > max(only):
                        break
                    continue
                begun_s = time.monotonic()
                came = play(ground, each)
                struck += len(came.at)
                ways.update(came.ways)
                state = "HARM" if came.faults else "ok"
                say(f"{position}: {each}: {state}, {came.at}, {time.monotonic() - begun_s:.1f} s")
                if came.faults:
                    harmed += 1
                    say("\n".join([*(f"  - {fault}" for fault in came.faults), *came.said]))
        finally:
            project.close()
            ground.clear()
    say(f"{struck} struck ({dict(ways)}), {harmed} did harm, {time.monotonic() - began_s:.0f} s")
    return min(harmed, 1)


if __name__ == "__main__":
    sys.exit(main())
