"""Whether one `docker buildx bake` of several services gains anything over several builds: wall, peak and kept bytes.

    python bench/bake.py [--engine sid-containerd] [--turns 3]

Three services with one stage in common, on a private engine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.engine_root import EngineName, in_front
from tests.real_engine import BUSYBOX, real_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SERVICES = ("a", "b", "c")
COMMON = "dd if=/dev/urandom of=/made bs=1M count=60 && sleep 2"
DOCKERFILE = f"""FROM {BUSYBOX} AS common
RUN {COMMON}
FROM {BUSYBOX}
COPY --from=common /made /made
RUN dd if=/dev/urandom of=/own bs=1M count=10 && echo """
BUILD = ("docker", "buildx", "build", "--builder", "default", "--load")


class Bench:
    """One engine, and the ways to build on it."""

    def __init__(self, directory: Path, mount: str, environment: Mapping[str, str]) -> None:
        self.directory, self.mount, self.environment = directory, mount, environment
        targets = {}
        for name in SERVICES:
            (directory / name).mkdir()
            (directory / name / "Dockerfile").write_text(f"{DOCKERFILE}{name}\n")
            targets[name] = {"context": str(directory / name), "tags": [f"m-{name}"], "output": ["type=docker"]}
        bake = {"group": {"default": {"targets": [*SERVICES]}}, "target": targets}
        (directory / "bake.json").write_text(json.dumps(bake))

    def run(self, *command: str, fails: bool = False) -> None:
        """Run a command; what it says is not of interest."""
        done = subprocess.run(command, env=self.environment, capture_output=True, cwd=self.directory, check=False)
        if done.returncode and not fails:
            raise SystemExit(done.stderr.decode())

    def at_once(self) -> None:
        """Build them by a command each, all at the same time."""
        threads = [threading.Thread(target=self.run, args=(*BUILD, "-t", f"m-{name}", name)) for name in SERVICES]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    def baked(self) -> None:
        """Build them by one command."""
        self.run("docker", "buildx", "bake", "--builder", "default", "-f", "bake.json")

    def in_a_row(self) -> None:
        """Build one after the other."""
        for name in SERVICES:
            self.run(*BUILD, "-t", f"m-{name}", name)

    def measured(self, build: Callable[[], None]) -> str:
        """Return how long a way takes and what it writes, begun with nothing of it there."""
        for name in SERVICES:
            self.run("docker", "image", "rm", "--force", f"m-{name}", fails=True)
        self.run("docker", "builder", "prune", "--all", "--force")
        os.sync()
        before = lowest = self._available_bytes()
        end = threading.Event()

        def watch() -> None:
            nonlocal lowest
            while not end.wait(0.02):
                lowest = min(lowest, self._available_bytes())

        watching = threading.Thread(target=watch)
        watching.start()
        began = time.monotonic()
        build()
        seconds = time.monotonic() - began
        end.set()
        watching.join()
        os.sync()
        after = self._available_bytes()
        peak, kept = (f"{(before - each) / 1e6:.1f} MB" for each in (min(lowest, after), after))
        return f"wall {seconds:.1f} s, peak {peak}, kept {kept}, load {os.getloadavg()[0]:.1f}"

    def _available_bytes(self) -> int:
        found = os.statvfs(self.mount)
        return found.f_bavail * found.f_frsize


def main() -> None:
    """Measure each way in turns, so that what else the machine does meets all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", type=EngineName.read, default=EngineName.read("sid-containerd"))
    parser.add_argument("--turns", type=int, default=3)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, in_front(said.engine), real_engine(3_000_000_000) as engine:
        bench = Bench(Path(directory), engine.mount, engine.environment)
        for turn in range(said.turns):
            for name, build in (("at once", bench.at_once), ("baked", bench.baked), ("in a row", bench.in_a_row)):
                print(f"{turn + 1} {name}: {bench.measured(build)}", flush=True)


if __name__ == "__main__":
    main()
