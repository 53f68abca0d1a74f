#!/usr/bin/env python3
"""What the rehearsal of ``script/demo`` leaves on its disk, several times in a row on every engine and store of images.

    bench/demo.py --base python:3.11-slim=$(script/base-image)
    bench/demo.py --base ... --engine sid-containerd --times 5

Needs Linux and root. Printed are the used bytes of the disk after each rehearsal, by how much the largest are above the
smallest, and the least available bytes. It ends with 1 where they are more than 0.2 % apart, or where a rehearsal
fails: BuildKit's own database is 1.8 or 3.0 MB after the same builds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from forecast_corpus import ENGINES, REPOSITORY, TONNAGE
from tests.engine_root import EngineName, in_front

# As in script/demo: in containerd a layer lies on the disk up to three times.
DISKS = {"": "1300MB", "containerd": "1900MB"}
MOST_APART = 0.002


def rehearse(disk: str, base: str) -> tuple[int, int]:
    """Rehearse once, and return the used bytes at the end and the least available ones.

    Raises:
        RuntimeError: It failed.
    """
    with tempfile.TemporaryDirectory() as state:
        done = subprocess.run(
            [TONNAGE, "rehearse", "--json", "--disk", disk, "--import", base, "-f", "examples/hello/compose.yaml"],
            cwd=REPOSITORY, env={**os.environ, "TONNAGE_STATE_DIR": state}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"it ended with {done.returncode}\n{done.stderr[-2000:]}")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    measured = [each["measured"][0] for each in events if each["event"] == "step-finished" and each["measured"]]
    # The disk for temporary files is sampled as well.
    sizes = {each["mount"]: each["size_bytes"] for each in events if each["event"] == "disk-sampled"}
    used_bytes = sizes[measured[-1]["mount"]] - measured[-1]["after_bytes"]
    return used_bytes, min(each["lowest_bytes"] for each in measured)


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, metavar="NAME=ARCHIVE")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="may be repeated; all without")
    parser.add_argument("--times", type=int, default=3)
    given = parser.parse_args()
    held = True
    print("| engine | disk | used after each, MB | apart | least available, MB |\n|---|---|---|---|---|", flush=True)
    for name in given.engine or ENGINES:
        disk = DISKS[name.partition("-")[2]]
        with in_front(EngineName.read(name)):
            found = [rehearse(disk, given.base) for _ in range(given.times)]
        used = [each for each, _ in found]
        apart = (max(used) - min(used)) / min(used)
        lowest = ", ".join(f"{each / 1e6:.1f}" for _, each in found)
        shown = ", ".join(f"{each / 1e6:.2f}" for each in used)
        print(f"| {name} | {disk} | {shown} | {apart:.3%} | {lowest} |", flush=True)
        held = held and apart <= MOST_APART
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
