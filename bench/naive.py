#!/usr/bin/env python3
"""What builds need without Tonnage: `docker build` of several contexts, at once or one after the other.

    bench/naive.py --disk 2GB --base python:3.11-slim=FILE [--one-by-one] CONTEXT...

On a private engine with a disk of that size, and as root. Prints how many were built, the most bytes that the disk
held above an empty engine, what they kept, and the seconds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from tonnage.adapters.docker.tools import Tools
from tonnage.adapters.private_engine import PrivateEngine
from tonnage.units import format_bytes, parse_bytes


class Lowest(threading.Thread):
    """Watches the available bytes of a filesystem."""

    def __init__(self, mount: str) -> None:
        super().__init__(daemon=True)
        self.mount = mount
        self.bytes = self.now()
        self.ended = threading.Event()

    def now(self) -> int:
        """Return the free bytes, those kept for root included: builds run as root."""
        found = os.statvfs(self.mount)
        return found.f_bfree * found.f_frsize

    def run(self) -> None:
        """Look at it 50 times a second."""
        while not self.ended.wait(0.02):
            self.bytes = min(self.bytes, self.now())


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disk", type=parse_bytes, required=True)
    parser.add_argument("--base", required=True, help="NAME=ARCHIVE")
    parser.add_argument("--one-by-one", action="store_true")
    parser.add_argument("contexts", nargs="+")
    given = parser.parse_args()
    name, _, archive = given.base.partition("=")
    with PrivateEngine.start(given.disk, environment=os.environ) as engine, tempfile.TemporaryDirectory() as logs:
        environment = {**os.environ, "DOCKER_HOST": engine.endpoint, "DOCKER_BUILDKIT": "1"}
        docker = Tools(environment).need_build().program
        lowest = Lowest(engine.mount)
        empty = lowest.now()
        with Path(archive).open("rb") as file:
            subprocess.run([docker, "load", "-q"], stdin=file, env=environment, check=True, stdout=subprocess.DEVNULL)
        print(f"base image {name}: {format_bytes(empty - lowest.now())} of {format_bytes(empty)}")
        lowest.bytes = lowest.now()
        lowest.start()
        begun = time.monotonic()
        builds = []
        for number, context in enumerate(given.contexts):
            command = [docker, "build", "-t", f"naive/{Path(context).name.lower()}", context]
            with Path(logs, str(number)).open("wb") as log:
                builds.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            if given.one_by_one:
                builds[-1].wait()
        codes = [build.wait() for build in builds]
        seconds = time.monotonic() - begun
        lowest.ended.set()
        lowest.join()
        print(f"built {codes.count(0)} of {len(codes)}  in {seconds:.0f} s")
        print(f"most on disk {format_bytes(empty - lowest.bytes)}, kept {format_bytes(empty - lowest.now())}")
        for number, code in enumerate(codes):
            if code:
                lines = Path(logs, str(number)).read_text(errors="replace").splitlines()
                told = [line for line in lines if "no space left" in line.lower()] or lines
                print(f"{given.contexts[number]}: exit {code}: {told[-1][:150]}")


if __name__ == "__main__":
    main()
