#!/usr/bin/env python3
"""Six services on a Swarm of three nodes of which none can hold more than two: deployed, proven, changed, rolled back.

    bench/swarm.py                  # three disks of 2 GB
    bench/swarm.py --disk 8GB       # needs 60 GB of disk

Needs Linux, root, and a static busybox (``TONNAGE_TEST_BUSYBOX``). Images are built on a fourth engine. One row for
each step: its exit code and wall time, and for each node the fewest available bytes above its reserve, by ``statvfs``
twenty times a second. A reserve that was crossed is a negative figure.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.real_engine import real_engine
from tests.scenarios.driving import Project
from tests.scenarios.swarm_nodes import one_swarm

from tonnage.units import format_bytes, parse_bytes

if TYPE_CHECKING:
    from tests.scenarios.swarm_nodes import Nodes

NAMES = ("ant", "bee", "cat", "dog", "eel", "fox")
EVERY_S = 0.05


class Lowest(threading.Thread):
    """The fewest available bytes of each node since it was last asked."""

    def __init__(self, nodes: Nodes) -> None:
        super().__init__(daemon=True)
        self._nodes = nodes
        self._lowest = [nodes.available_bytes(number) for number in range(len(nodes.engines))]
        self.ended = threading.Event()

    def run(self) -> None:
        """Look until it is ended."""
        while not self.ended.wait(EVERY_S):
            for number, before in enumerate(self._lowest):
                self._lowest[number] = min(before, self._nodes.available_bytes(number))

    def take(self) -> list[int]:
        """Return the fewest since the last call, and begin anew."""
        taken, now = self._lowest, [self._nodes.available_bytes(number) for number in range(len(self._lowest))]
        self._lowest = now
        return taken


def build(fleet: Project, name: str, size_bytes: int, text: str) -> None:
    """Build one service whose weights are of that size, in a layer that no other one has."""
    weights = f"dd if=/dev/urandom of=/weights bs=1M count={size_bytes >> 20}"
    fleet.web(name, f"{name} {text}", run=f": {name} {text}; {weights}")
    fleet.services[name]["image"] = f"{fleet.name}/{name}:1"
    fleet.write()
    fleet.docker("build", "-q", "-t", f"{fleet.name}/{name}:1", str(fleet.directory / name))


def main() -> int:
    """Go through all steps; return 1 where one failed."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--disk", default="2GB", help="size of the disk of each node")
    disk_bytes = parse_bytes(asked.parse_args().disk)
    # Two of these and the copy that loading a third one needs are more than a disk; two and the copy of one are not.
    weight_bytes, reserve_bytes = disk_bytes * 24 // 100, disk_bytes // 20
    failed = 0
    with (
        tempfile.TemporaryDirectory(prefix="tonnage-bench-") as directory,
        real_engine(disk_bytes * 3) as builder,
        one_swarm([disk_bytes] * 3) as nodes,
    ):
        project = Path(directory, "fleet")
        project.mkdir()
        fleet = Project(real=builder, directory=project, name="fleet", state=Path(directory, "state"))
        fleet.top["x-tonnage"] = {"cluster": "swarm", "keep-free": f"{reserve_bytes}B", "rollback": "stack"}
        for name in NAMES:
            build(fleet, name, weight_bytes, "1")
        low = Lowest(nodes)
        low.start()
        print(f"disk {format_bytes(disk_bytes)}, each of six images {format_bytes(weight_bytes)}")
        print(
            "| step | exit code | seconds | lowest above the reserve, by node | tasks that run |\n|---|---|---|---|---|"
        )
        for step in ("deploy", "verify", "change", "rollback"):
            if step == "change":
                build(fleet, NAMES[0], weight_bytes // 10, "2")
            low.take()
            began = time.monotonic()
            command = "deploy" if step == "change" else step
            ended = fleet.tonnage(command, "-H", nodes.manager, within_s=3600, environment=nodes.environment)
            seconds = time.monotonic() - began
            spared = ", ".join(format_bytes(each - reserve_bytes) for each in low.take())
            running = sum(map(len, nodes.tasks(fleet).values()))
            print(f"| {step} | {ended.exit_code} | {seconds:.0f} | {spared} | {running} |", flush=True)
            if ended.exit_code:
                failed = 1
                print(ended.stderr, file=sys.stderr)
        low.ended.set()
        fleet.close()
    return failed


if __name__ == "__main__":
    sys.exit(main())
