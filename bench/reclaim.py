#!/usr/bin/env python3
"""How long it takes to have enough space on a hosted runner, and how much more than that is removed.

    bench/reclaim.py [--files 120000] [--until 14GB] [--where DIR] [--rounds 1]

As root. The runner is a tree of the sizes that hosted runners have, on an ext4 filesystem of its own in a sparse file:
--files small ones, most of them Android's, and a few large ones whose blocks are allocated but never written. Three
ways in turn, each on a fresh copy with nothing in the page cache: `tonnage reclaim --until`, the list that guides tell
people to paste removed by one `rm -rf`, and the same list by `xargs -P`. Bytes are those that statvfs tells; the time
is that of the whole command, and that until the target was available, which is looked at every 5 ms from outside. That
is the time that counts: whoever waits for 14 GB can go on then. Tonnage is compiled before, as an installer leaves it.

The last lines say of each figure that has to be reached whether it was, by the medians of all rounds; the exit code is
1 when one was not.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tonnage
from tonnage.units import format_bytes, parse_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

TONNAGE = str(Path(sys.executable).with_name("tonnage"))
DISK_BYTES = 60 * 10**9
LOOK_EVERY_S = 0.005
# Directory, bytes, share of the small files, large files: sizes measured on hosted runners in 2025 and 2026.
TREE = (
    ("usr/local/lib/android/sdk/ndk/26.3.1", 2_200_000_000, 0.20, 3),
    ("usr/local/lib/android/sdk/ndk/27.2.1", 2_300_000_000, 0.20, 3),
    ("usr/local/lib/android/sdk/ndk/28.0.1", 2_400_000_000, 0.20, 3),
    ("usr/local/lib/android/sdk/platforms/android-35", 400_000_000, 0.08, 2),
    ("usr/local/lib/android/sdk/build-tools/35.0.0", 400_000_000, 0.04, 2),
    ("usr/local/.ghcup/ghc/9.12.2", 3_100_000_000, 0.01, 12),
    ("usr/local/.ghcup/ghc/9.10.3", 2_900_000_000, 0.01, 12),
    ("usr/share/dotnet/sdk/8.0.416", 1_000_000_000, 0.01, 9),
    ("usr/share/dotnet/sdk/9.0.308", 1_100_000_000, 0.01, 9),
    ("usr/share/dotnet/sdk/10.0.100", 1_200_000_000, 0.01, 9),
    ("usr/share/swift/usr", 3_200_000_000, 0.01, 15),
    ("opt/hostedtoolcache/CodeQL/2.23.6", 1_600_000_000, 0.02, 5),
    ("opt/hostedtoolcache/Python/3.12.12", 400_000_000, 0.02, 2),
    ("opt/hostedtoolcache/Python/3.13.9", 400_000_000, 0.02, 2),
    ("opt/hostedtoolcache/go/1.24.10", 280_000_000, 0.01, 1),
    ("opt/hostedtoolcache/go/1.25.4", 290_000_000, 0.01, 1),
    ("opt/hostedtoolcache/node/22.21.1", 190_000_000, 0.01, 1),
    ("opt/hostedtoolcache/Ruby/3.4.7", 110_000_000, 0.01, 1),
    ("usr/lib/llvm-17", 600_000_000, 0.01, 4),
    ("usr/lib/llvm-18", 650_000_000, 0.01, 4),
    ("usr/lib/jvm/temurin-17-jdk-amd64", 310_000_000, 0.005, 2),
    ("usr/lib/jvm/temurin-21-jdk-amd64", 330_000_000, 0.005, 2),
    ("usr/local/share/powershell/7.5.4", 1_300_000_000, 0.02, 4),
    ("usr/local/julia1.12.1", 1_000_000_000, 0.01, 4),
    ("usr/lib/google-cloud-sdk/lib", 500_000_000, 0.03, 1),
    ("usr/share/miniconda/pkgs", 600_000_000, 0.02, 3),
    ("home/runner/.cache/pip/http-v2", 120_000_000, 0.002, 1),
    ("var/lib/apt/lists", 0, 0.0, 0),
)
PASTED = (
    "usr/share/dotnet", "usr/local/lib/android", "opt/ghc", "usr/local/.ghcup", "usr/share/swift",
    "opt/hostedtoolcache", "usr/local/share/powershell", "usr/local/julia1.12.1", "usr/share/miniconda",
)  # fmt: skip


SERIAL, PARALLEL = "rm -rf, one", "rm -rf, xargs -P"
OURS, NOTHING_TO_DO = "tonnage reclaim", "already enough"
MOST_OF_SERIAL, MOST_OF_PARALLEL = 0.5, 1.0
MOST_BEYOND, MOST_OFF = 0.10, 0.01
MOST_FOR_NOTHING_S = 0.3


@dataclass(frozen=True, slots=True)
class Took:
    """One way, measured; promised bytes are told by tonnage alone."""

    enough_s: float
    seconds: float
    gained_bytes: int
    promised_bytes: tuple[int, ...] = ()


def grow(root: Path, files: int) -> None:
    """Make the tree."""
    for name, size_bytes, share, large in TREE:
        place = root / name
        place.mkdir(parents=True)
        small = int(files * share)
        for number in range(small):
            if number % 23 == 0:
                below = place / f"d{number // 23 % 97}" / f"e{number // 23}"
                below.mkdir(parents=True)
            allocate(below / f"file-{number}.h", 97 + number % 4001)
        for number in range(large):
            allocate(place / f"large-{number}.so", max(4096, (size_bytes - small * 4096) // large))
    for number in range(61):
        allocate(root / f"var/lib/apt/lists/example.org_{number}_Packages", 700_001)


def allocate(path: Path, size_bytes: int) -> None:
    """Make a file whose blocks are allocated and not written."""
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL)
    os.posix_fallocate(fd, 0, size_bytes)
    os.close(fd)


@contextmanager
def mounted(image: Path, point: Path) -> Iterator[Path]:
    """Mount an image, with nothing of it in the page cache."""
    subprocess.run(["mount", "-o", "loop,noatime", image, point], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)


def available(point: Path) -> int:
    """Return available bytes."""
    told = os.statvfs(point)
    return told.f_bavail * told.f_frsize


def watch(command: list[str], point: Path, target_bytes: int) -> Took:
    """Run a command and see when the target is available; the bench ends when it fails or does not get there."""
    before_bytes, begun, enough_s = available(point), time.monotonic(), None
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told:
        running = subprocess.Popen(command, stdout=told, stderr=said, cwd=point)
        while running.poll() is None:
            if enough_s is None and available(point) >= target_bytes:
                enough_s = time.monotonic() - begun
            time.sleep(LOOK_EVERY_S)
        seconds = time.monotonic() - begun
        if enough_s is None and available(point) >= target_bytes:
            enough_s = seconds
        if running.returncode or enough_s is None:
            said.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{said.read().decode()}")
        told.seek(0)
        document = told.read()
    removed = json.loads(document).get("removed", []) if document else []
    promised_bytes = tuple(each["promised_bytes"] for each in removed)
    return Took(enough_s, seconds, available(point) - before_bytes, promised_bytes)


def show(what: str, took: Took, wanted_bytes: int) -> None:
    """Print one row."""
    beyond = took.gained_bytes - wanted_bytes
    print(
        f"{what:22} enough after {took.enough_s:7.2f} s   all of it {took.seconds:7.2f} s   "
        f"removed {format_bytes(took.gained_bytes)}, beyond the target {format_bytes(max(0, beyond))} "
        f"({100 * beyond / wanted_bytes if wanted_bytes else 0:.1f} %)",
        flush=True,
    )


def judge(ways: dict[str, list[Took]], wanted_bytes: int) -> bool:
    """Print of each figure whether it was reached; return whether all were."""
    enough = {what: statistics.median(each.enough_s for each in took) for what, took in ways.items()}
    nothing_s = max(each.seconds for each in ways[NOTHING_TO_DO])
    held = [
        _held(f"until the target was there, {part:.2f} x that of '{what}' ({enough[what]:.2f} s)", part, most)
        for what, most in ((SERIAL, MOST_OF_SERIAL), (PARALLEL, MOST_OF_PARALLEL))
        for part in [enough[OURS] / enough[what]]
    ]
    held.append(_held(f"{nothing_s:.2f} s where there is enough already", nothing_s, MOST_FOR_NOTHING_S))
    for each in ways[OURS]:
        beyond_bytes, promised_bytes = each.gained_bytes - wanted_bytes, sum(each.promised_bytes)
        part, off = beyond_bytes / wanted_bytes, abs(each.gained_bytes - promised_bytes) / promised_bytes
        held.append(
            _held(f"{format_bytes(max(0, beyond_bytes))} beyond the target, {100 * part:.2f} %", part, MOST_BEYOND)
        )
        largest_bytes = max(each.promised_bytes)
        held.append(_held("of the largest thing that went, that is", beyond_bytes / largest_bytes, 1))
        held.append(_held(f"promised and came free, {100 * off:.3f} % apart", off, MOST_OFF))
    return all(held)


def _held(what: str, is_now: float, most: float) -> bool:
    held = is_now <= most
    print(f"{'pass' if held else 'FAIL'}: {what}: {is_now:.3f}, {most:g} at most", flush=True)
    return held


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=120_000)
    parser.add_argument("--until", type=parse_bytes, default=parse_bytes("14GB"), help="gained by each of the ways")
    parser.add_argument("--where", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--rounds", type=int, default=1)
    typed = parser.parse_args()
    compileall.compile_dir(Path(tonnage.__file__).parent, quiet=1)
    took: dict[str, list[Took]] = defaultdict(list)
    home = Path(tempfile.mkdtemp(prefix="reclaim-bench-", dir=typed.where))
    whole, point = home / "whole", home / "mounted"
    point.mkdir()
    try:
        with whole.open("wb") as file:
            file.truncate(DISK_BYTES)
        options = "lazy_itable_init=0,lazy_journal_init=0"
        subprocess.run(["mkfs.ext4", "-q", "-F", "-N", str(2 * typed.files + 50_000), "-E", options, whole], check=True)
        with mounted(whole, point):
            grow(point, typed.files)
            tree = [str(point / name) for name in PASTED]
        ours = [
            TONNAGE, "reclaim", "--root", str(point), "--mount", str(point),
            "--this-machine-is-disposable", "--yes", "--json", "-H", "unix:///nonexistent", "--until",
        ]  # fmt: skip
        listed = " ".join(tree)
        ways = {
            OURS: ours,
            SERIAL: ["rm", "-rf", *tree],
            PARALLEL: ["sh", "-c", f"echo {listed} | xargs -n1 -P{os.cpu_count()} rm -rf"],
        }
        print(f"{typed.files} small files; {format_bytes(typed.until)} to be gained", flush=True)
        for number in range(typed.rounds):
            for what, command in list(ways.items())[:: -1 if number % 2 else 1]:
                # A name of its own: the loop device of the one before may live on for a moment.
                image = home / f"image-{number}-{what.replace(' ', '-')}"
                subprocess.run(["cp", "--sparse=always", whole, image], check=True)
                with mounted(image, point):
                    target_bytes = available(point) + typed.until
                    more = [f"{target_bytes}B"] if command is ours else []
                    took[what].append(watch([*command, *more], point, target_bytes))
                    show(what, took[what][-1], typed.until)
                    if command is ours:
                        took[NOTHING_TO_DO].append(watch([*ours, "1MB"], point, 0))
                        show(NOTHING_TO_DO, took[NOTHING_TO_DO][-1], 0)
                image.unlink()
    finally:
        shutil.rmtree(home)
    if not judge(took, typed.until):
        sys.exit(1)


if __name__ == "__main__":
    main()
