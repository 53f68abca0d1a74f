#!/usr/bin/env python3
"""What was promised to come free beside what came free, on a real engine with many images.

    bench/reclaim_engine.py [--images 30] [--seed 1]
    bench/reclaim_engine.py --engine sid --engine sid-containerd       # on engines of other releases

As root, on Linux. The engine is a private one on a disk of its own. Its images share layers with each other; some run,
some were stopped, some are named by a compose project, and a build has left cache. `tonnage reclaim` frees a little,
then more, then everything that may go. Bytes that came free are those that statvfs tells. At the end every container
that ran is restarted, and every image that had to stay is looked for. Each figure that has to be reached has a line
that says whether it was; the exit code is 1 when one was not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.engine_root import EngineName, in_front
from tests.real_engine import busybox_archive, real_engine
from tests.scenarios.random_engines import MIB, available, build, layer, load

from tonnage.decide.reclaim.protection import YOUNG_S
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from tests.real_engine import RealEngine

TONNAGE = str(Path(sys.executable).with_name("tonnage"))
DISK_BYTES = 3_000_000_000
STEPS = (0.1, 0.4, None)
"""Shares of the bytes of all images that are to come free one after the other; None for all that may go."""


MOST_OFF = 0.01


def fill(engine: RealEngine, images: int, chance: random.Random, directory: Path) -> tuple[list[Any], set[str]]:
    """Fill the engine; return the containers that run, and the ids of images that must stay."""
    base = busybox_archive()
    shared = [layer(number, (5 + 3 * number) * MIB) for number in range(5)]
    ids = []
    for number in range(images):
        own = layer(1000 + number, chance.randint(3, 23) * MIB)
        name = f"image-{number}:1" if number % 7 else ""
        ids.append(load(engine, name, [base, *shared[: chance.randint(0, len(shared))], own]))
    build(engine, directory, chance)
    running, stays = [], set()
    for number, image in enumerate(chance.sample(ids, max(3, images // 4))):
        project = "" if number % 4 else "theirs"
        labels = {"com.docker.compose.project": project, "com.docker.compose.service": "web"} if project else {}
        lives = number % 3 > 0
        container: Any = engine.client.containers.run(
            image,
            ["sleep", "1000"] if lives else ["true"],
            detach=True,
            labels=labels,
            network_mode="none",
            stop_signal="SIGKILL",
        )
        if lives:
            running.append(container)
        else:
            container.wait()
        if lives or project:
            stays.add(image)
    return running, stays


def reclaim(engine: RealEngine, state: Path, *asked: str) -> dict[str, Any]:
    """Run the command; it may say that it was not enough."""
    done = subprocess.run(
        [TONNAGE, "reclaim", *asked, "--only", "image", "--only", "cache", "--only", "container", "--yes", "--json"],
        cwd=state,
        env={**engine.environment, "TONNAGE_STATE_DIR": str(state)},
        input="everything\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in {0, 4} or not done.stdout:
        sys.exit(done.stderr)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def said(what: str, *, held: bool) -> bool:
    """Print whether something is so, and return it."""
    print(f"{'pass' if held else 'FAIL'}: {what}", flush=True)
    return held


def measure(engine: RealEngine, images: int, chance: random.Random, place: Path) -> bool:
    """Fill an engine, reclaim on it, and return whether every figure was reached."""
    held: list[bool] = []
    empty_bytes = available(engine)
    running, stays = fill(engine, images, chance, place / "build")
    os.sync()
    filled_bytes = empty_bytes - available(engine)
    print(f"{images} images, {len(running)} running containers, {format_bytes(filled_bytes)} in all", flush=True)
    if "snapshotter" in str(engine.client.info()["DriverStatus"]):
        # In containerd nobody can name an image as if that were long ago, and what is young stays.
        time.sleep(YOUNG_S)
    for share in STEPS:
        before_bytes, begun = available(engine), time.monotonic()
        wanted_bytes = int(filled_bytes * (share or 0))
        asked = ("--everything",) if share is None else ("--free", f"{wanted_bytes}B")
        told = reclaim(engine, place, *asked)
        seconds, came_bytes = time.monotonic() - begun, available(engine) - before_bytes
        promised_bytes = sum(each["promised_bytes"] for each in told["removed"])
        largest_bytes = max((each["promised_bytes"] for each in told["removed"]), default=0)
        beyond = f"{format_bytes(came_bytes - wanted_bytes)} beyond it, " if share else ""
        print(
            f"{'everything' if share is None else format_bytes(wanted_bytes):>10}: {len(told['removed'])} things in"
            f" {seconds:.2f} s, promised {promised_bytes} B, came {came_bytes} B"
            f" ({100 * (came_bytes - promised_bytes) / max(1, promised_bytes):+.2f} %),"
            f" {beyond}largest {format_bytes(largest_bytes)}",
            flush=True,
        )
        off = abs(came_bytes - promised_bytes) / max(1, promised_bytes)
        held.append(said("promised and came free lie apart by at most 1 %", held=off <= MOST_OFF))
        if share:
            held.append(said("what was asked for came free", held=came_bytes >= wanted_bytes))
            less = came_bytes - wanted_bytes < largest_bytes
            held.append(said("beyond it lies less than the largest thing that went", held=less))
    for container in running:
        container.restart(timeout=1)
        container.reload()
        held.append(said(f"{container.name} was restarted from its image", held=container.status == "running"))
    there = {str(image.id) for image in engine.client.images.list(all=True)}
    held.append(said("every image that had to stay is there", held=stays <= there))
    return all(held)


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", type=EngineName.read, action="append", help="may be repeated; else this machine's")
    typed = parser.parse_args()
    held = True
    for name in typed.engine or [EngineName()]:
        print(f"{name}:")
        chance = random.Random(typed.seed)  # noqa: S311 - chance that can be had again
        with in_front(name), real_engine(DISK_BYTES) as engine, tempfile.TemporaryDirectory() as place:
            held = measure(engine, typed.images, chance, Path(place)) and held
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
