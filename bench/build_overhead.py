#!/usr/bin/env python3
"""What `tonnage build` costs on top of `docker build`: the same Dockerfile, in turn, on one private engine.

    bench/build_overhead.py [--pairs 5] [--seconds 20] [--disk 3GB]

As root; the base image is a static busybox. Prints the median of each and the difference pair by pair, for
an uncached build (a RUN step that computes for about --seconds) and for one in which every step comes from the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tonnage.adapters.docker.tools import find_tools
from tonnage.adapters.private_engine import PrivateEngine
from tonnage.units import parse_bytes

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.real_engine import busybox_archive

# One process that only counts: with a pipe between two, the engine's own runs differ by a quarter from one another.
DOCKERFILE = """\
FROM busybox
RUN i=0; while [ $i -lt {rounds}00000 ]; do i=$((i+1)); done; dd if=/dev/zero of=/data bs=1M count=64
COPY marker /marker
"""


def timed(command: list[str], environment: dict[str, str], directory: Path) -> float:
    """Return the seconds that a command took; the bench ends when it fails."""
    begun = time.monotonic()
    done = subprocess.run(command, env=environment, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    return time.monotonic() - begun


def pairs(
    count: int, ours: list[str], theirs: list[str], environment: dict[str, str], directory: Path, before: list[str]
) -> list[tuple[float, float]]:
    """Run both in turn, the order swapped each time, and return seconds of ours and theirs."""
    found = []
    for number in range(count):
        seconds = {}
        for which in (ours, theirs) if number % 2 else (theirs, ours):
            subprocess.run(before, env=environment, capture_output=True, check=False)
            seconds[which[0]] = timed(which, environment, directory)
        found.append((seconds[ours[0]], seconds[theirs[0]]))
    return found


def show(what: str, found: list[tuple[float, float]]) -> None:
    """Print one row."""
    ours, theirs = (statistics.median(pair[side] for pair in found) for side in (0, 1))
    extra = statistics.median(a - b for a, b in found)
    print(
        f"{what:9} tonnage build {ours:7.2f} s   docker build {theirs:7.2f} s   "
        f"difference {extra:+.2f} s ({100 * extra / theirs:+.1f} %), {len(found)} pairs"
    )


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
        docker = find_tools(environment).need_build().program
        subprocess.run([docker, "import", "-", "busybox"], input=busybox_archive(), env=environment, check=True)
        tonnage = shutil.which("tonnage") or str(Path(sys.executable).with_name("tonnage"))
        context = directory / "bench"
        context.mkdir()
        (context / "marker").write_text("one")
        one_round = _seconds_of_one_round(docker, environment, context)
        (context / "Dockerfile").write_text(DOCKERFILE.format(rounds=max(1, round(given.seconds / one_round))))
        stack: dict[str, Any] = {
            "name": "bench",
            "services": {"a": {"build": {"context": "bench", "no_cache": True}, "image": "ours"}},
        }
        (directory / "compose.yaml").write_text(json.dumps(stack))
        ours = [tonnage, "build", "--keep-free", "100MB"]
        theirs = [docker, "build", "-q", "-t", "theirs", "bench"]
        forget = [docker, "rmi", "-f", "ours", "theirs"]
        show("uncached", pairs(given.pairs, ours, [*theirs, "--no-cache"], environment, directory, forget))
        stack["services"]["a"]["build"]["no_cache"] = False
        (directory / "compose.yaml").write_text(json.dumps(stack))
        show("cached", pairs(given.pairs, ours, theirs, environment, directory, forget))


def _seconds_of_one_round(docker: str, environment: dict[str, str], context: Path) -> float:
    (context / "Dockerfile").write_text(DOCKERFILE.format(rounds=8))
    return max(0.05, timed([docker, "build", "-q", "--no-cache", str(context)], environment, context) / 8)


if __name__ == "__main__":
    main()
