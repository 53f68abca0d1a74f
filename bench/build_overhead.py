#!/usr/bin/env python3
"""What `tonnage build` costs on top of `docker build`: the same Dockerfile, in turn, on one private engine.

    bench/build_overhead.py [--pairs 5] [--seconds 20] [--disk 3GB]

As root; the base image is a static busybox. Prints the median of each and the difference pair by pair, for an
uncached build and for one in which every step comes from the cache, and what is allowed: half a second and a
hundredth of the uncached build. The uncached step writes 64 MB in small portions over about --seconds and sleeps
between them: on a virtual machine one that only computes differs from run to run by more than what is measured
here. What the command itself computes is shown besides.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tonnage.adapters.docker.tools import Tools
from tonnage.adapters.private_engine import PrivateEngine
from tonnage.units import parse_bytes

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.real_engine import busybox_archive

DOCKERFILE = """\
FROM busybox
RUN i=0; while [ $i -lt {portions} ]; do dd if=/dev/urandom bs=64k count=5 >> /data; sleep 0.1; i=$((i+1)); done
COPY marker /marker
"""
_PORTIONS_A_SECOND = 9.5
_HALF_A_SECOND = 0.5


def timed(command: list[str], environment: dict[str, str], directory: Path) -> tuple[float, float]:
    """Return the seconds that a command took, and those that it computed; the bench ends when it fails."""
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=environment, cwd=directory, capture_output=True, text=True, check=False)
    seconds, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pairs(
    count: int, ours: list[str], theirs: list[str], environment: dict[str, str], directory: Path, before: list[str]
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Run both in turn, the order swapped each time, and return what each took."""
    found = []
    for number in range(count):
        took = {}
        for which in (ours, theirs) if number % 2 else (theirs, ours):
            subprocess.run(before, env=environment, capture_output=True, check=False)
            took[which[0]] = timed(which, environment, directory)
        found.append((took[ours[0]], took[theirs[0]]))
    return found


def show(what: str, found: list[tuple[tuple[float, float], tuple[float, float]]]) -> float:
    """Print one row, and return the seconds of ``docker build``."""
    ours, computed = (statistics.median(mine[which] for mine, _ in found) for which in (0, 1))
    theirs = statistics.median(seconds for _, (seconds, _) in found)
    extra = statistics.median(a - b for (a, _), (b, _) in found)
    print(
        f"{what:9} tonnage build {ours:6.2f} s   docker build {theirs:6.2f} s   difference {extra:+.2f} s   "
        f"computed by tonnage and docker's command {computed:.2f} s   {len(found)} pairs"
    )
    return theirs


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--disk", type=parse_bytes, default=3 * 10**9)
    given = parser.parse_args()
    # Bytecode is kept, as it is wherever a package was installed with pip.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with PrivateEngine.start(given.disk, environment=os.environ) as engine, tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        environment = {
            **os.environ,
            "DOCKER_HOST": engine.endpoint,
            "DOCKER_BUILDKIT": "1",
            "TONNAGE_STATE_DIR": str(directory / "state"),
            "TONNAGE_CACHE_DIR": str(directory / "cache"),
        }
        docker = Tools(environment).need_build().program
        subprocess.run([docker, "import", "-", "busybox"], input=busybox_archive(), env=environment, check=True)
        tonnage = shutil.which("tonnage") or str(Path(sys.executable).with_name("tonnage"))
        context = directory / "bench"
        context.mkdir()
        (context / "marker").write_text("one")
        portions = max(1, round(given.seconds * _PORTIONS_A_SECOND))
        (context / "Dockerfile").write_text(DOCKERFILE.format(portions=portions))
        stack: dict[str, Any] = {
            "name": "bench",
            "services": {"a": {"build": {"context": "bench", "no_cache": True}, "image": "ours"}},
        }
        (directory / "compose.yaml").write_text(json.dumps(stack))
        ours = [tonnage, "build", "--keep-free", "100MB"]
        # Both know the docker programs already: the first command on a machine asks them what they can do.
        timed([tonnage, "doctor"], environment, directory)
        theirs = [docker, "build", "-q", "-t", "theirs", "bench"]
        forget = [docker, "rmi", "-f", "ours", "theirs"]
        uncached = show("uncached", pairs(given.pairs, ours, [*theirs, "--no-cache"], environment, directory, forget))
        stack["services"]["a"]["build"]["no_cache"] = False
        (directory / "compose.yaml").write_text(json.dumps(stack))
        show("cached", pairs(given.pairs, ours, theirs, environment, directory, forget))
        print(f"allowed   {_HALF_A_SECOND + uncached / 100:.2f} s")


if __name__ == "__main__":
    main()
